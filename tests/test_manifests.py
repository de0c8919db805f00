"""What was altered in an artifact, and how its files are replaced."""

from collections.abc import Callable
from pathlib import Path

import pytest

from potstill.artifacts import atomic_folder, read_json, read_manifest, write_json
from potstill.manifests import find_faults, replacing


def make(folder: Path) -> None:
    with atomic_folder(folder, {}) as work:
        (work / "a.txt").write_text("long")


def cut(folder: Path) -> None:
    (folder / "a.txt").write_text("lo")


def alter(folder: Path) -> None:
    (folder / "a.txt").write_text("lang")


def remove(folder: Path) -> None:
    (folder / "a.txt").unlink()


def put_a_folder_there(folder: Path) -> None:
    remove(folder)
    (folder / "a.txt").mkdir()


def add(folder: Path) -> None:
    (folder / "b.txt").write_text("")


def forget(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def cut_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"inputs": ')


def take_hashes_away(folder: Path) -> None:
    manifest = read_json(folder / "manifest.json")
    del manifest["hashes"]
    write_json(folder / "manifest.json", manifest)


def number_otherwise(folder: Path) -> None:
    write_json(folder / "manifest.json", read_json(folder / "manifest.json") | {"format": 9})


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (cut, "a/a.txt: has 2 bytes, manifest.json says 4"),
        (alter, "a/a.txt: was altered"),
        (remove, "a/a.txt: is missing"),
        (put_a_folder_there, "a/a.txt: is missing"),
        (add, "a/b.txt: is not listed in manifest.json"),
        (forget, "a: has no manifest.json of potstill's"),
        (cut_manifest, "a/manifest.json: not a JSON file"),
        (take_hashes_away, "a: has no manifest.json of potstill's"),
        (number_otherwise, "a: made by another version of potstill: its manifest.json has format 9"),
    ],
)
def test_each_fault_is_a_line(damage: Callable[[Path], None], fault: str, tmp_path: Path) -> None:
    make(tmp_path / "a")
    (tmp_path / "a" / ".scratch").write_text("of a command under way")
    assert find_faults(tmp_path / "a") == []
    damage(tmp_path / "a")
    faults = find_faults(tmp_path / "a")
    assert len(faults) == 1 and faults[0].startswith(f"{tmp_path}/{fault}")


def test_at_every_moment_of_a_replacement_the_folder_is_complete(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    with atomic_folder(folder, {"v": 1}) as work:
        for name in ("kept", "changed", "removed"):
            (work / name).write_text(name)
    with replacing(folder, ["changed", "removed", "added"]):
        for change in (
            lambda: (folder / "changed").write_text("longer than before"),
            (folder / "removed").unlink,
            lambda: (folder / "added").write_text("new"),
        ):
            change()
            assert list((read_manifest(folder) or {})["files"]) == ["kept"]
    assert find_faults(folder) == []
    assert (read_manifest(folder) or {})["files"] == {"kept": 4, "changed": 18, "added": 3}
    assert (read_manifest(folder) or {})["inputs"] == {"v": 1}


def test_files_that_are_not_replaced_keep_their_hash(tmp_path: Path) -> None:
    make(tmp_path / "a")
    alter(tmp_path / "a")
    with replacing(tmp_path / "a", ["b.txt"]):
        add(tmp_path / "a")
    assert find_faults(tmp_path / "a") == [f"{tmp_path}/a/a.txt: was altered: its hash is not the one in manifest.json"]
