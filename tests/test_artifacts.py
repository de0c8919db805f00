"""Writing whole or not at all."""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from potstill import artifacts
from potstill.artifacts import (
    FORMAT,
    atomic_file,
    atomic_folder,
    hash_file,
    link_or_copy,
    read_json,
    read_manifest,
    write_json,
)
from potstill.errors import PotstillError
from potstill.locks import Locked, locked


def make(folder: Path, inputs: dict[str, object], content: str = "x") -> None:
    with atomic_folder(folder, inputs) as work:
        (work / "a.txt").write_text(content)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(ValueError), atomic_file(tmp_path / "a.json") as partial:
        partial.write_text("half")
        raise ValueError
    assert read_json(tmp_path / "a.json") == 1 and len(list(tmp_path.iterdir())) == 1


def test_a_failed_folder_leaves_the_old_one_and_goes_on_with_its_own_files(tmp_path: Path) -> None:
    make(tmp_path / "a", {"v": 1})
    with pytest.raises(ValueError), atomic_folder(tmp_path / "a", {"v": 2}) as work:
        (work / "half.txt").write_text("half")
        raise ValueError
    manifest = read_manifest(tmp_path / "a")
    assert manifest is not None and manifest["inputs"] == {"v": 1} and manifest["files"] == {"a.txt": 1}
    with atomic_folder(tmp_path / "a", {"v": 2}) as work:
        assert (work / "half.txt").read_text() == "half"


def test_other_inputs_start_again_and_say_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="potstill")
    with pytest.raises(ValueError), atomic_folder(tmp_path / "a", {"v": 1}) as work:
        (work / "half.txt").write_text("half")
        raise ValueError
    with atomic_folder(tmp_path / "a", {"v": 2}) as work:
        assert not (work / "half.txt").exists()
    assert "was begun from other inputs: starting again" in caplog.text


def test_scratch_is_dropped_and_the_manifest_lists_the_rest(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "a", {}) as work:
        (work / ".scratch").mkdir()
        (work / "b").mkdir()
        (work / "b" / "c.txt").write_text("abc")
    manifest = read_manifest(tmp_path / "a") or {}
    assert manifest["files"] == {"b/c.txt": 3}
    assert manifest["hashes"] == {"b/c.txt": hash_file(tmp_path / "a" / "b" / "c.txt")}
    assert not (tmp_path / "a" / ".scratch").exists()


def test_a_folder_with_a_short_or_missing_file_is_not_complete(tmp_path: Path) -> None:
    make(tmp_path / "a", {}, "long")
    (tmp_path / "a" / "a.txt").write_text("lo")
    assert read_manifest(tmp_path / "a") is None
    (tmp_path / "a" / "a.txt").unlink()
    assert read_manifest(tmp_path / "a") is None


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path: Path) -> None:
    make(tmp_path / "a", {"v": 1})
    (tmp_path / "a").rename(tmp_path / ".a.replaced")
    assert (read_manifest(tmp_path / "a") or {})["inputs"] == {"v": 1}


def test_a_complete_replacement_that_a_kill_left_takes_its_place(tmp_path: Path) -> None:
    old, new = tmp_path / "a", tmp_path / ".a.partial"
    for stage in ("manifest", "renamed"):
        make(old, {"v": 1})
        make(tmp_path / "b", {"v": 2})
        (tmp_path / "b").rename(new)
        (new / ".scratch").mkdir()
        if stage == "renamed":
            old.rename(tmp_path / ".a.replaced")
        assert (read_manifest(old) or {})["inputs"] == {"v": 2}
        assert [path.name for path in tmp_path.iterdir()] == ["a"] and not (old / ".scratch").exists()


def test_the_replaced_folder_that_a_kill_left_is_removed(tmp_path: Path) -> None:
    make(tmp_path / "a", {"v": 2})
    make(tmp_path / ".a.replaced", {"v": 1})
    assert (read_manifest(tmp_path / "a") or {})["inputs"] == {"v": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("is_left", [False, True])
def test_a_folder_that_is_not_ours_is_not_replaced(is_left: bool, tmp_path: Path) -> None:
    if is_left:  # by a kill, complete
        make(tmp_path / "mine", {})
        (tmp_path / "mine").rename(tmp_path / ".mine.partial")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    assert read_manifest(tmp_path / "mine") is None
    with pytest.raises(PotstillError, match="exists and was not made by potstill"):
        make(tmp_path / "mine", {})
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PotstillError, match=r"file/a\.json: cannot write here \((Not a directory|File exists)\)"):
        write_json(tmp_path / "file" / "a.json", 1)
    with pytest.raises(PotstillError, match=r"file/a: cannot write here \((Not a directory|File exists)\)"):
        make(tmp_path / "file" / "a", {})


def test_a_full_disk_is_named_whoever_says_it(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match="No space left on device"), atomic_folder(tmp_path / "a", {}):
        raise RuntimeError("SafetensorError: I/O error: No space left on device (os error 28)")


def test_json_that_is_cut_short_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": ')
    with pytest.raises(PotstillError, match="not a JSON file"):
        read_json(tmp_path / "a.json")


def test_another_programs_manifest_does_not_make_a_folder_ours(tmp_path: Path) -> None:
    (tmp_path / "extension").mkdir()
    (tmp_path / "extension" / "manifest.json").write_text('{"name": "a browser extension"}')
    assert read_manifest(tmp_path / "extension") is None
    with pytest.raises(PotstillError, match="exists and was not made by potstill"):
        make(tmp_path / "extension", {})
    assert [path.name for path in (tmp_path / "extension").iterdir()] == ["manifest.json"]


def test_a_folder_where_a_file_is_wanted_is_named(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"cannot be read \(Is a directory\)"):
        read_json(tmp_path)


def test_a_manifest_has_the_number_of_its_format(tmp_path: Path) -> None:
    make(tmp_path / "a", {"v": 1})
    assert list(read_json(tmp_path / "a" / "manifest.json")) == ["format", "inputs", "files", "hashes"]
    assert read_json(tmp_path / "a" / "manifest.json")["format"] == FORMAT


@pytest.mark.parametrize(("numbers", "said"), [({}, "no format number"), ({"format": 99}, "format 99")])
def test_a_folder_of_another_format_is_one_line_and_stays(
    numbers: dict[str, int], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a"
    make(folder, {"v": 1})
    write_json(folder / "manifest.json", {"inputs": {"v": 1}, "files": {"a.txt": 1}} | numbers)
    complaint = (
        rf"/a: made by another version of potstill: its manifest\.json has {said}, this version reads format {FORMAT}; "
        "choose another --out or name, remove the folder, or install the version that made it"
    )
    with pytest.raises(PotstillError, match=complaint):
        read_manifest(folder)
    with pytest.raises(PotstillError, match=complaint):
        make(folder, {"v": 2}, "new")
    assert (folder / "a.txt").read_text() == "x"


def test_work_that_was_begun_in_another_format_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError), atomic_folder(tmp_path / "a", {"v": 1}) as work:
        (work / "half.txt").write_text("half")
        raise ValueError
    monkeypatch.setattr("potstill.artifacts.FORMAT", 99)
    with atomic_folder(tmp_path / "a", {"v": 1}) as work:
        assert not (work / "half.txt").exists()


def test_a_second_name_takes_the_place_of_an_older_one_and_of_itself(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("older")
    for _ in range(2):
        link_or_copy(tmp_path / "a", tmp_path / "b")
        assert (tmp_path / "b").read_text() == "a" and (tmp_path / "b").samefile(tmp_path / "a")


def test_two_at_once_never_write_into_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "_PATIENCE", 0.0)
    with atomic_file(tmp_path / "a.txt") as partial:
        partial.write_text("first")
        with pytest.raises(Locked, match=r"a\.txt: process \d+ on \S+ is working on it"):
            write_json(tmp_path / "a.txt", "second")
    assert (tmp_path / "a.txt").read_text() == "first"


def test_two_at_once_never_make_one_folder(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "a", {"v": 1}) as work:
        (work / "a.txt").write_text("first")
        with pytest.raises(Locked):
            make(tmp_path / "a", {"v": 2})
    assert (tmp_path / "a" / "a.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_replacement_is_finished_only_where_nobody_works_on_it(tmp_path: Path) -> None:
    make(tmp_path / "b", {"v": 1})
    (tmp_path / "b").rename(tmp_path / ".a.partial")
    with locked(tmp_path / "a"):
        assert read_manifest(tmp_path / "a") is None
    assert read_manifest(tmp_path / "a") is not None
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_lock_that_a_kill_has_left_is_removed(tmp_path: Path) -> None:
    make(tmp_path / "a", {"v": 1})
    (tmp_path / ".a.lock").write_text("process 1 on elsewhere")
    assert read_manifest(tmp_path / "a") is not None
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.fixture
def group_may_write() -> Iterator[None]:
    """A umask that no library has by itself."""
    before = os.umask(0o002)
    yield
    os.umask(before)


def write_privately(path: Path) -> None:
    """What safetensors does: a temporary file of its own, which only its owner may read, is renamed."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    os.close(descriptor)
    Path(name).replace(path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_that_a_library_wrote_privately_gets_the_usual_mode(group_may_write: None, tmp_path: Path) -> None:
    with atomic_file(tmp_path / "a") as partial:
        write_privately(partial)
    with atomic_folder(tmp_path / "b", {}) as work:
        (work / "c").mkdir()
        write_privately(work / "c" / "d")
    assert mode(tmp_path / "a") == mode(tmp_path / "b" / "c" / "d") == mode(tmp_path / "b" / "manifest.json") == 0o664
    assert len(list((tmp_path / "b").iterdir())) == 2


def test_the_umask_is_obeyed_where_it_is_strict(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_json(tmp_path / "a", 1)
        make(tmp_path / "b", {})
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == mode(tmp_path / "b" / "a.txt") == 0o600


def test_a_folder_in_the_place_of_a_file_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"cannot write here \(Is a directory\)"), atomic_file(tmp_path):
        pytest.fail("the work began")


@pytest.mark.parametrize("name", ["x" * 255, "한" * 85])
def test_a_name_as_long_as_names_may_be_is_written(name: str, tmp_path: Path) -> None:
    write_json(tmp_path / name, 1)
    make(tmp_path / f"{name[:-1]}y", {})
    assert read_json(tmp_path / name) == 1 and len(list(tmp_path.iterdir())) == 2


def test_a_file_that_was_read_for_what_is_written_is_named(tmp_path: Path) -> None:
    complaint = r"^/elsewhere/a: cannot be read or written \(Permission denied\)"
    with pytest.raises(PotstillError, match=complaint), atomic_file(tmp_path / "a"):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/elsewhere/a")
