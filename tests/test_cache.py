"""What is kept on disk by content."""

import sqlite3
from pathlib import Path

import pytest

from potstill.cache import open_cache
from potstill.errors import PotstillError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_entry_is_looked_up_by_its_text_alone(folder: Path) -> None:
    with open_cache("kiwi", "1") as cache:
        cache.store({"좋다": [["좋", "VA", 0, 1]], "fine": []})
    with open_cache("kiwi", "1") as cache:
        assert cache.look_up(["fine", "other", "좋다"]) == {"fine": [], "좋다": [["좋", "VA", 0, 1]]}


def test_another_version_and_another_analyzer_have_files_of_their_own(folder: Path) -> None:
    with open_cache("spacy:en", "1") as cache:
        cache.store({"fine": 1})
    for kind, version in (("spacy:en", "2"), ("spacy:de", "1")):
        with open_cache(kind, version) as cache:
            assert cache.look_up(["fine"]) == {}
    assert len(list(folder.glob("*.sqlite"))) == 3


def test_without_a_version_nothing_is_stored_and_no_file_written(folder: Path) -> None:
    with open_cache("whitespace", None) as cache:
        cache.store({"fine": 1})
        assert cache.look_up(["fine"]) == {}
    assert not folder.exists()


def test_a_store_that_is_cut_short_leaves_nothing(folder: Path) -> None:
    with open_cache("kiwi", "1") as cache, pytest.raises(TypeError, match="not JSON serializable"):
        cache.store({"fine": 1, "dull": object()})
    path = next(folder.glob("*.sqlite"))
    writer = sqlite3.connect(path)  # a command that is killed before its transaction ends
    writer.execute("INSERT INTO findings VALUES (?, ?)", (b"key", "1"))
    writer.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM findings").fetchone() == (0,)
    connection.close()


def test_two_commands_may_write_at_once(folder: Path) -> None:
    with open_cache("kiwi", "1") as first, open_cache("kiwi", "1") as second:
        first.store({"fine": 1})
        second.store({"fine": 1, "dull": 2})
        assert first.look_up(["fine", "dull"]) == {"fine": 1, "dull": 2}


def test_a_damaged_file_is_named_and_the_work_goes_on(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder.mkdir()
    (folder / "kiwi-1.sqlite").write_bytes(b"not a data base, but long enough to be taken for one" * 40)
    with open_cache("kiwi", "1") as cache:
        cache.store({"fine": 1})
        assert cache.look_up(["fine"]) == {}
    assert caplog.text.count("kiwi-1.sqlite: not used") == 1 and "POTSTILL_CACHE" in caplog.text


def test_a_file_that_breaks_later_is_given_up(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open_cache("kiwi", "1") as cache:
        with sqlite3.connect(folder / "kiwi-1.sqlite") as connection:
            connection.execute("DROP TABLE findings")
        connection.close()
        assert cache.look_up(["fine"]) == {}
        cache.store({"fine": 1})
    assert caplog.text.count("not used (no such table") == 1


def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path / "file"))
    with open_cache("kiwi", "1") as cache:
        assert cache.look_up(["fine"]) == {}
    assert "not used" in caplog.text


def test_a_user_without_a_home_has_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POTSTILL_CACHE")

    def no_home(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", no_home)
    with open_cache("kiwi", "1") as cache:
        cache.store({"fine": 1})
        assert cache.look_up(["fine"]) == {}
    assert not list(tmp_path.iterdir())


def test_what_was_paid_for_is_on_the_disk_when_it_is_stored(folder: Path) -> None:
    with open_cache("openai:small", "1", paid=True) as cache:
        cache.store({"fine \udc80": 1})
        with open_cache("openai:small", "1", paid=True) as other:  # as after a kill
            assert other.look_up(["fine \udc80", "dull"]) == {"fine \udc80": 1}


def test_an_error_is_not_passed_over_where_results_were_paid_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_cache("openai:small", "1", paid=True) as cache:
        with sqlite3.connect(folder / "openai-small-1.sqlite") as connection:
            connection.execute("DROP TABLE findings")
        connection.close()
        with pytest.raises(PotstillError, match=r"answers cannot be kept here \(no such table"):
            cache.store({"fine": 1})
    (folder / "file").write_text("")
    monkeypatch.setenv("POTSTILL_CACHE", str(folder / "file"))
    with (
        pytest.raises(PotstillError, match=r"answers cannot be kept here .*: free the place, or name a folder in"),
        open_cache("openai:small", "1", paid=True),
    ):
        pass
