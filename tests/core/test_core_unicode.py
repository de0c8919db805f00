"""What the core knows of Unicode is what the installed version of tokenizers knows."""

import runpy
from pathlib import Path

import pytest

from core_builds import CORE


def test_the_tables_are_what_make_unicode_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[str, str] = {}
    monkeypatch.setattr(Path, "write_text", lambda path, text: written.update({path.name: text}))
    runpy.run_path(str(CORE / "make_unicode.py"), run_name="__main__")
    monkeypatch.undo()
    assert written == {"unicode_tables.h": (CORE / "src" / "unicode_tables.h").read_text(encoding="utf-8")}
