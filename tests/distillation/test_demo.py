"""The demo writes into a folder of its own."""

from pathlib import Path

import pytest

from potstill.distillation.demo import DemoOptions, demo
from potstill.errors import PotstillError


def test_a_folder_with_other_files_is_named_and_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(PotstillError, match=r"exists and was not made by potstill: choose another name"):
        demo(DemoOptions(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
