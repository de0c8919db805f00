"""Push: one commit on a hub that is a stand-in, and clear errors."""

from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from hubs import Hub
from potstill.cli import main
from potstill.commands.push import PushOptions, push
from potstill.errors import PotstillError


def test_a_runs_student_is_pushed_with_its_card_and_without_our_book_keeping(
    hub: Callable[..., Hub], reported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in = hub()
    main(["push", str(reported), "user/name", "--private"])
    assert capsys.readouterr().out == "user/name: https://hub/user/name/commit/1\n"
    assert stand_in.calls == [("user/name", {"private": True, "exist_ok": True})]
    assert {"README.md", "config.json", "model.onnx", "model.safetensors", "tokenizer.json"} <= stand_in.files
    assert "manifest.json" not in stand_in.files


def test_a_folder_that_is_no_model_is_not_pushed(hub: Callable[..., Hub], tmp_path: Path) -> None:
    stand_in = hub()
    with pytest.raises(PotstillError, match=r"no config\.json in it"):
        push(PushOptions(tmp_path, "user/name"))
    assert stand_in.calls == []


def test_without_a_token_it_says_how_to_give_one(reported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(PotstillError, match="hf auth login, or in the variable HF_TOKEN"):
        push(PushOptions(reported, "user/name"))


@pytest.mark.parametrize("error", [OfflineModeIsEnabled("offline"), HfHubHTTPError.__bases__[0]("no\nway")])
def test_an_error_of_the_hub_is_one_line(hub: Callable[..., Hub], reported: Path, error: Exception) -> None:
    hub(fails=error)
    with pytest.raises(PotstillError, match=r"user/name: the hub did not take it \((offline|no way)\)"):
        push(PushOptions(reported / "student", "user/name"))


def test_a_name_that_is_none_is_refused(reported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "a token")
    with pytest.raises(PotstillError, match="user/name/more: the hub did not take it"):
        push(PushOptions(reported, "user/name/more"))
