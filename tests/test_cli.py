"""The command line: how it parses, what it prints and how it exits."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from potstill import __version__
from potstill.cli import VERBS, main, overview, parse

CONFIGS = Path(__file__).parents[1] / "configs"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    level = logging.getLogger("potstill").level
    yield
    logging.getLogger("potstill").setLevel(level)


def failing(command: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """The exit status of a command that fails, and what it printed on standard error."""
    with pytest.raises(SystemExit) as raised:
        main(command)
    printed = capsys.readouterr()
    assert printed.out == ""
    return raised.value.code, printed.err


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"potstill {__version__}\n"


def test_python_runs_the_package_too() -> None:
    done = subprocess.run([sys.executable, "-m", "potstill", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"potstill {__version__}\n"


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main([flag])
    assert raised.value.code == 0
    assert capsys.readouterr().out == overview() + "\n"
    assert all(f"  {verb} " in overview() for verb in VERBS)


def test_no_command_at_all_prints_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main([])
    assert raised.value.code == 2 and "usage: potstill COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_each_command_has_a_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main([verb, "--help"])
    printed = capsys.readouterr().out
    assert raised.value.code == 0
    assert f"usage: potstill {verb}" in printed and "--threads" in printed and "--quiet" in printed


def test_underscores_and_hyphens_are_both_accepted_in_commands_and_options() -> None:
    underscores = parse(["augment_data", "--input=a", "--output=b", "--n_iter=3", "--preserve_label"])
    assert parse(["augment-data", "--input", "a", "--output", "b", "--n-iter", "3", "--preserve-label"]) == underscores
    assert underscores[1].rules.n_iter == 3 and underscores[1].preserve_label


@pytest.mark.parametrize("option", ["--gold_epochs", "--gold-epochs", "--baseline_epochs", "--baseline-epochs"])
@pytest.mark.parametrize("joined", [False, True])
def test_the_epochs_of_the_baseline_have_two_names(option: str, joined: bool) -> None:
    words = [f"{option}=0"] if joined else [option, "0"]
    _, command, _ = parse(["distill", "--data=d", "--out=o", "--teacher=t", *words])
    assert command.options.gold_epochs == 0 and not command.options.has_baseline


def test_options_of_every_command_come_in_addition_to_its_own() -> None:
    verb, options, general = parse(["train", "--threads=3", "--lr=2e-5", "--bert_do_lower_case"])
    assert (verb, general.threads, general.quiet) == ("train", 3, False)
    assert options.optimisation.lr == 2e-5 and options.bert_do_lower_case


@pytest.mark.parametrize("verb", VERBS)
def test_each_commands_results_print_themselves(verb: str) -> None:
    result = get_type_hints(VERBS[verb].run)["return"]
    assert all("__str__" in vars(kind) for kind in get_args(result) or (result,))


def test_an_unknown_command_lists_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    status, printed = failing(["distil"], capsys)
    assert status == 2
    assert (
        printed.startswith("potstill: no command 'distil': choose one of demo, distill, ") and printed.count("\n") == 1
    )


@pytest.mark.parametrize("command", [["train", "--lrr=1"], ["train", "--lr=fast"], ["augment_data"]])
def test_an_option_that_does_not_parse_is_named_and_fails(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, printed = failing(command, capsys)
    assert status == 2 and ("--lr" in printed or "--input" in printed) and "Traceback" not in printed


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("train --warmup_epoch=3 --epoch=9", "--warmup_epoch is AdamW's: give --use_transformers_optimizer too"),
        ("train --weight_decay=0.1", "--weight_decay is AdamW's"),
        ("train --use_transformers_optimizer --lr_decay_rate=0.9", "give one of them"),
        ("train --seed=-1", "--seed=-1: must not be negative"),
        ("augment_data --input=a.txt --output=b --p_mask=0.9 --p_pos=0.9", "together must not exceed 1"),
        ("augment_data --input=none.txt --output=b", "none.txt: no such file"),
        ("evaluate --config=.", ".: cannot be read (Is a directory)"),
    ],
)
def test_a_users_error_is_one_line_and_status_2(
    command: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, printed = failing(command.split(), capsys)
    assert status == 2
    assert printed.startswith("potstill: ") and complaint in printed and printed.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_interrupted_it_says_how_to_go_on_and_exits_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(vars(VERBS["train"]), "run", interrupted)
    status, printed = failing(["train"], capsys)
    assert status == 130 and "interrupted; the same command resumes from here" in printed


def test_results_go_to_standard_output_and_quiet_keeps_progress_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("a fine film\tgood\na dull film\tbad\n")
    command = ["augment_data", f"--input={tmp_path / 'a.txt'}", f"--output={tmp_path / 'b.raw'}"]
    main([*command, "--analyzer=whitespace", "--quiet"])
    printed = capsys.readouterr()
    assert printed.err == "" and printed.out.startswith(f"{tmp_path / 'b.raw'}: ")
    main([*command, "--analyzer=whitespace"])
    assert "sampling" in capsys.readouterr().err


def test_a_failed_command_leaves_earlier_files_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("a fine film\tgood\nno label\n")
    (tmp_path / "b.raw").write_text("made before")
    status, printed = failing(
        ["augment_data", f"--input={tmp_path / 'a.txt'}", f"--output={tmp_path / 'b.raw'}"], capsys
    )
    assert status == 2 and "a.txt:2: no label" in printed
    assert (tmp_path / "b.raw").read_text() == "made before"


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIGS.glob("*.json")))
def test_every_configuration_of_the_folder_can_be_read(name: str) -> None:
    from potstill.recipe.configs import read_model_config

    assert read_model_config(CONFIGS / name).n_ctx == 100
