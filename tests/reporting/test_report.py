"""The report: its figures are evaluation.json's, its command makes the run again, and data stays text."""

import json
import re
import shlex
import shutil
from dataclasses import asdict, replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from potstill.artifacts import read_json, write_json
from potstill.augment.sampling import Rules
from potstill.cli import main, parse
from potstill.errors import PotstillError
from potstill.evaluation.results import Evaluation, read_evaluation
from potstill.reporting.page import Confusion, confusions, cost, figures, find_differences, percent, render_page, short
from potstill.reporting.report import ReportOptions, report_runs
from potstill.reporting.run import RunReport, read_run, write_command
from potstill.runs.options import DistillOptions
from small_runs import LABELS, SCRIPT


@pytest.fixture(scope="module")
def evaluation(reported: Path) -> Evaluation:
    return read_evaluation(reported)


@pytest.fixture(scope="module")
def run(reported: Path) -> RunReport:
    return read_run(reported, "a run")


def cells(page: str, table: str) -> list[list[str]]:
    """The texts of the cells of each row of a table with a class."""
    body = page.partition(f'<table class="{table}">')[2].partition("</table>")[0]
    rows = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    return [[plain(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in rows]


def plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def test_a_finished_run_has_its_report(reported: Path) -> None:
    page = (reported / "report.html").read_text()
    assert page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")


def test_the_tables_figures_are_those_of_the_evaluation(run: RunReport, evaluation: Evaluation) -> None:
    *rows, reference = cells(render_page([run], price=0.1), "models")[1:]
    assert reference[0] == "TF-IDF + logistic regression"
    assert [row[0].removesuffix(" student/") for row in rows] == [score.name for score in evaluation.scores]
    for row, score in zip(rows, evaluation.scores, strict=True):
        assert row[1:3] == [percent(score.accuracy), percent(score.macro_f1)]
        assert row[3] == ("–" if score.agreement is None else percent(score.agreement))  # noqa: RUF001
        assert row[4:8] == [
            figures(score.p50_ms), figures(score.p95_ms), figures(score.megabytes), short(score.parameters)
        ]  # fmt: skip
        assert row[8] == f"{percent(score.uncalibrated_error)} → {percent(score.calibration_error)}"
        assert row[10] == figures(score.p50_ms * 1e6 / 1000 / 3600 * 0.1, 2)
    assert sum(row[0].endswith("student/") for row in rows) == 1


def test_a_million_predictions_at_a_price(run: RunReport) -> None:
    assert cost(3.6, 0.05) == pytest.approx(0.05)  # an hour
    assert "at 0.25 for an hour of one core" in plain(render_page([run], 0.25))


def test_each_kind_of_text_is_counted_and_shown_with_the_teachers_label(run: RunReport) -> None:
    kinds = [kind.title for kind in run.transfer_set.kinds]
    assert kinds == [
        "train's own texts", "words masked", "a run of words masked", "cut to a few words", "texts without labels"
    ]  # fmt: skip
    shown = plain(render_page([run], 0.05))
    for kind in run.transfer_set.kinds:
        assert f"{kind.title} {kind.n_texts:,} texts" in shown
        assert kind.samples and all(sample.label in LABELS.values() for sample in kind.samples)
        assert all("".join(piece.text for piece in sample.pieces) in shown for sample in kind.samples[:1])


def test_the_disagreements_are_shown(run: RunReport, evaluation: Evaluation) -> None:
    shown = plain(render_page([run], 0.05))
    for score in evaluation.students:
        assert len(score.disagreements) == 10
        assert all(" ".join(disagreement.text.split()) in shown for disagreement in score.disagreements)


def test_markup_in_data_stays_text(run: RunReport) -> None:
    page = render_page([replace(run, name="a run <b>")], 0.05)
    assert SCRIPT in plain(page) and "<i>bad</i>" in plain(page)
    assert "<script" not in page and "<i>" not in page and "run <b>" not in page


def test_the_page_needs_nothing_from_elsewhere(run: RunReport) -> None:
    page = render_page([run], 0.05)
    assert not re.findall(r'(?:src|href)="(?!#|data:)', page)
    assert "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-" in page


def test_its_command_makes_the_same_run(reported: Path) -> None:
    config = read_json(reported / "run.json")["config"]
    words = shlex.split(write_command(config).replace("\\\n", " "))
    assert words[:2] == ["potstill", "distill"] and "--teacher_lr" not in words
    _, command, _ = parse(words[1:])
    options = command.options
    assert (str(options.out), options.student, options.rules.p_window) == (str(reported), ("ngram", "cnn"), 0.2)
    assert json.loads(json.dumps(config))["gold_epochs"] == options.gold_epochs == 1


def test_flags_are_written_as_flags() -> None:
    options = DistillOptions(
        data="a b", out=Path("run"), teacher="encoder", augment=False, bf16=True, rules=Rules(lower=True)
    )
    config = json.loads(json.dumps(asdict(options), default=str))
    command = "potstill distill --out run --teacher encoder --data 'a b' --no-augment --lower --bf16"
    assert write_command(config).replace(" \\\n ", "") == command


def test_a_training_that_was_still_rising_is_said(run: RunReport) -> None:
    assert "was still rising" not in render_page([run], 0.05)
    curves = [replace(run.curves[0], is_rising=True), *run.curves[1:]]
    assert f"{run.curves[0].score.name} was still rising on valid" in render_page([replace(run, curves=curves)], 0.05)


def test_runs_side_by_side_say_where_they_differ(run: RunReport) -> None:
    other = replace(run, name="other", options=run.options | {"student_lr": "0.5"})
    assert find_differences([run, other]) == {"student_lr": [run.options["student_lr"], "0.5"]}
    page = render_page([run, other], 0.05)
    assert cells(page, "options")[1] == ["--student_lr", "default", "0.5"]
    assert len(cells(page, "models")) == 1 + 2 * (2 + len(run.evaluation.scores))
    assert "different data" not in page
    moved = replace(other, record=run.record | {"data": {"test.txt": "0"}})
    assert "different data" in render_page([run, moved], 0.05)


def test_many_labels_are_a_list_of_confusions(run: RunReport) -> None:
    score = replace(run.evaluation.scores[1], confusion={"a": {"a": 9, "b": 1}, "b": {"a": 3, "b": 2}})
    assert confusions(score) == [Confusion("b", "a", 3, 0.6), Confusion("a", "b", 1, 0.1)]
    many = replace(run, labels=[str(number) for number in range(13)])
    page = render_page([many], 0.05)
    assert 'class="matrix"' not in page and "the most frequent of 13 labels" in page
    assert 'class="matrix"' in render_page([run], 0.05)


def test_a_given_transfer_set_and_a_fine_tuned_teacher_leave_their_parts_out(reported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(reported, tmp_path / "given", ignore=shutil.ignore_patterns("augmented"))
    (folder / "teacher" / "training.json").unlink()
    run = read_run(folder, "given")
    assert run.transfer_set.is_given and {"train's own texts", "other texts"} <= {
        kind.title for kind in run.transfer_set.kinds
    }
    shown = plain(render_page([run], 0.05))
    assert "The set came labelled" in shown and "used as it is: it has no curve" in shown


def test_the_command_writes_into_the_run_or_to_the_path_of_its_option(
    reported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(reported, tmp_path / "copy")
    (copy / "report.html").unlink()
    main(["report", str(copy), "--quiet"])
    assert (copy / "report.html").is_file()
    assert capsys.readouterr().out == f"{copy / 'report.html'}: 1 run; open it in a browser\n"
    main(["report", str(copy), str(reported), f"--out={tmp_path / 'both.html'}", "--price=1"])
    assert "2 runs" in capsys.readouterr().out
    assert "for an hour" in (tmp_path / "both.html").read_text()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"runs": ()}, "give the folder of a run"),
        ({"runs": (Path("a"), Path("b"))}, "say where to write it with --out"),
        ({"runs": (Path("a"),), "price": -1.0}, "--price=-1: must not be negative"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PotstillError, match=complaint):
        ReportOptions(**options)


def test_an_unfinished_run_is_refused_with_the_fix(reported: Path, tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"no run\.json in it"):
        report_runs(ReportOptions((tmp_path,)))
    begun = tmp_path / "begun"
    write_json(begun / "run.json", {})
    with pytest.raises(PotstillError, match="give the folder of a run that has finished"):
        report_runs(ReportOptions((begun,)))
    shutil.copytree(reported / "evaluation", begun / "evaluation")
    manifest = read_json(begun / "evaluation" / "manifest.json")
    write_json(begun / "evaluation" / "manifest.json", manifest | {"format": 0})
    with pytest.raises(PotstillError, match=r"evaluation: made by another version of potstill: .* has format 0"):
        report_runs(ReportOptions((begun,)))
    (begun / "evaluation" / "manifest.json").unlink()
    with pytest.raises(PotstillError, match="give the folder of a run that has finished"):
        report_runs(ReportOptions((begun,)))
