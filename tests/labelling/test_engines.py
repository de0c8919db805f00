"""The engines by name."""

import importlib.util
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from potstill import labelling
from potstill.errors import PotstillError
from potstill.labelling import ENGINES, POOLS, Engine
from potstill.progress import Progress


def test_every_file_is_registered() -> None:
    files = {path.stem for path in Path(labelling.__path__[0]).glob("*.py")} - {"__init__", "label"}
    assert files == set(ENGINES) == set(POOLS) == set(get_args(Engine))


def test_without_ray_one_line_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    message = r"^this needs ray, not installed here: pip install 'potstill\[ray\]'$"
    with pytest.raises(PotstillError, match=message):
        ENGINES["ray"]([["a"]], None, tmp_path, n_shards=1)
    pool = POOLS["ray"]
    assert pool is not None
    with pytest.raises(PotstillError, match=message), pool("whitespace"):
        pass


@pytest.mark.parametrize("engine", get_args(Engine))
def test_where_no_shard_is_missing_nothing_is_asked_for(engine: Engine, tmp_path: Path) -> None:
    def teacher(texts: Any, progress: Progress) -> Any:
        return np.zeros((1, 2), np.float32)

    ENGINES["local"]([["a"]], teacher, tmp_path, n_shards=1)
    assert ENGINES[engine]([["a"]], None, tmp_path, n_shards=1) == 0
