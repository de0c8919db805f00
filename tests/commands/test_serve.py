"""The options that potstill serve refuses before it serves."""

import socket
from pathlib import Path

import pytest

from potstill.cli import parse
from potstill.commands.serve import ServeOptions, serve
from potstill.errors import PotstillError


def test_students_are_positional_and_limits_are_options() -> None:
    _, options, _ = parse(["serve", "a", "small=b", "--fallback=c", "--below=0.9", "--max-texts=3", "--port", "0"])
    assert options.student == ("a", "small=b") and options.limits.max_texts == 3
    assert (options.fallback, options.below, options.port) == ("c", 0.9, 0)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"student": ()}, "give the folder of a student"),
        ({"fallback": "b"}, "--fallback and --below belong together"),
        ({"below": 0.9}, "--fallback and --below belong together"),
        ({"port": 70_000}, "--port=70000: a port is a number from 0 to 65535"),
        ({"num_threads": 0}, "--num_threads=0: must be 1 or more"),
        ({"token": " "}, "--token is empty: anybody could ask"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(PotstillError, match=complaint):
        ServeOptions(**{"student": ("a",), **options})  # type: ignore[arg-type]


def test_a_secret_that_went_missing_does_not_open_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POTSTILL_TOKEN", "")
    with pytest.raises(PotstillError, match="POTSTILL_TOKEN is set, but empty: give it a value, or unset it"):
        serve(ServeOptions(("a",), port=0))


def test_the_token_stays_out_of_the_options_repr() -> None:
    assert "s3cret" not in repr(ServeOptions(("a",), token="s3cret"))


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"nowhere: no config\.json in it"):
        serve(ServeOptions((str(tmp_path / "nowhere"),), port=0))


def test_a_port_in_use_is_an_error_before_any_model_is_loaded(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(PotstillError, match="is in use"):
        serve(ServeOptions((str(tmp_path / "nowhere"),), port=listener.getsockname()[1]))


def test_without_the_extra_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("potstill.errors.importlib.util.find_spec", lambda name: None)
    with pytest.raises(PotstillError, match=r"fastapi, httptools, jinja2, uvicorn, .*pip install 'potstill\[serve\]'"):
        serve(ServeOptions(("a",)))
