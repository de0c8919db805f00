"""A model by its name on the hub, which is a stand-in here: what is downloaded, and when nothing is."""

import shutil
from pathlib import Path

import huggingface_hub
import pytest

import potstill
from potstill.corpus.vector_files import load_vectors
from potstill.errors import PotstillError


def test_a_name_on_the_hub_is_loaded_from_what_is_downloaded(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def snapshot_download(name: str, allow_patterns: list[str]) -> str:
        asked.append(name)
        for file in allow_patterns:
            if (student / file).is_file():
                shutil.copy(student / file, tmp_path)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.chdir(tmp_path)
    here, there = potstill.load(student), potstill.load("user/name")
    assert set(asked) == {"user/name"} and not (tmp_path / "model.onnx").exists()
    assert here.predict_proba(["a b"]).tolist() == there.predict_proba(["a b"]).tolist()


@pytest.mark.parametrize("name", ["nowhere", "./user/name", "/user/name", "runs/mine/student", "~/name"])
def test_a_path_is_not_looked_up_on_the_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", pytest.fail)
    with pytest.raises(PotstillError, match=r"no config\.json in it"):
        potstill.load(name)


def test_a_folder_of_that_name_comes_first(student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", pytest.fail)
    shutil.copytree(student, tmp_path / "user" / "name")
    monkeypatch.chdir(tmp_path)
    assert potstill.load("user/name").classes_.tolist() == ["no", "yes sir"]


def test_a_model_neither_here_nor_on_the_hub_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        PotstillError, match="user/none: neither a folder here nor a model that the hub gives"
    ) as raised:
        potstill.load("user/none")
    assert "\n" not in str(raised.value)


def test_a_user_without_a_home_is_told_where_to_keep_what_the_hub_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_home(name: str, allow_patterns: list[str]) -> str:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", no_home)
    monkeypatch.chdir(tmp_path)
    for read in (potstill.load, load_vectors):
        with pytest.raises(PotstillError, match=r"user/name: .* name a folder in the variable HF_HOME"):
            read("user/name")
