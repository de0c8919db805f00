"""A hub that is a stand-in: what of ``HfApi`` is used."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.utils._paths import filter_repo_objects


class Hub:
    """What of ``HfApi`` is used."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.files: set[str] = set()
        self._fails = fails

    def create_repo(self, name: str, **options: Any) -> None:
        if self._fails:
            raise self._fails
        self.calls.append((name, options))

    def upload_folder(self, *, repo_id: str, folder_path: Path, ignore_patterns: list[str], **_: Any) -> Any:
        names = [str(path.relative_to(folder_path)) for path in folder_path.rglob("*")]
        self.files = set(filter_repo_objects(names, ignore_patterns=ignore_patterns))
        return SimpleNamespace(commit_url=f"https://hub/{repo_id}/commit/1")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Hub]:
    def make(**options: Any) -> Hub:
        stand_in = Hub(**options)
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: stand_in)
        monkeypatch.setattr(huggingface_hub, "get_token", lambda: "a token")
        return stand_in

    return make
