"""The report, the card, sizes of int8 and the check of a run whose texts have several labels, or none."""

import re
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

import potstill
from potstill.artifacts import read_json, write_json, write_manifest
from potstill.commands.verify import VerifyOptions, verify
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.results import Evaluation, LabelFigures, read_evaluation
from potstill.reporting.page import figures, percent, render_page, worst_first
from potstill.reporting.run import RunReport, read_run
from potstill.runs.contents import read_split
from potstill.tasks import NONE, shown_label
from small_runs import WORDS


@pytest.fixture(scope="module")
def evaluation(several: Path) -> Evaluation:
    return read_evaluation(several)


@pytest.fixture(scope="module")
def run(several: Path) -> RunReport:
    return read_run(several, "a run")


@pytest.fixture(scope="module")
def page(run: RunReport) -> str:
    return render_page([run], 0.05)


def section(page: str, name: str) -> str:
    """The text of a section."""
    return plain(page.partition(f'<section id="{name}">')[2].partition("</section>")[0])


def plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_the_figures_a_label_are_counted_on_test(evaluation: Evaluation, several: Path) -> None:
    test = Labelled.of(read_split(several, "test"))
    predicted = potstill.load(several / "student").predict(test.texts).tolist()
    for label, threshold in zip(evaluation.best.by_label, read_json(several / "student" / "config.json")[
        "label_thresholds"
    ], strict=True):  # fmt: skip
        both = sum(
            label.label in gold and label.label in found for gold, found in zip(test.labels, predicted, strict=True)
        )
        given = sum(label.label in found for found in predicted)
        assert label.texts == sum(label.label in gold for gold in test.labels) > 0
        assert (label.precision, label.recall) == (both / given, both / label.texts)
        assert label.f1 == pytest.approx(2 * both / (given + label.texts)) and label.threshold == threshold
    assert evaluation.best.confusion == {}


def test_the_table_begins_with_macro_f1(page: str, evaluation: Evaluation) -> None:
    best, models = evaluation.best, section(page, "models")
    assert "model macro F1 % micro F1 % average precision % exact match % as the teacher % p50" in models
    shares = (best.macro_f1, best.micro_f1, best.average_precision, best.accuracy, best.agreement)
    assert " ".join(map(percent, shares)) in models
    assert "macro F1 on test, percent" in models and "accuracy" not in models
    assert f"with a macro F1 of {percent(best.macro_f1)} % on test" in plain(page)
    reference = evaluation.reference
    assert reference is not None and reference.micro_f1 is not None
    assert f"{percent(reference.macro_f1)} {percent(reference.micro_f1)} – {percent(reference.accuracy)}" in models  # noqa: RUF001


def test_each_label_has_its_figures_and_threshold_in_place_of_confusions(page: str, evaluation: Evaluation) -> None:
    labels = section(page, "labels")
    for score in (evaluation.teacher, *evaluation.students):
        rows = [
            f"{label.label} {label.texts} {percent(label.precision)} {percent(label.recall)} {percent(label.f1)} "
            f"{figures(label.threshold)}"
            for label in worst_first(score)
        ]
        assert f"{score.name}, label by label label texts precision, % recall, % F1, % from probability " in labels
        assert " ".join(rows) in labels
    assert "taken for" not in labels and 'class="matrix"' not in page


def test_training_and_cascade_tell_what_they_show(page: str) -> None:
    training, cascade = section(page, "training"), section(page, "cascade")
    assert "macro F1 on valid, %" in training and "accuracy" not in training
    assert "exact match, %" in cascade and "exact match on test, percent" in cascade and "accuracy" not in cascade


def test_the_curve_of_confidence_and_its_area_are_shown(page: str, evaluation: Evaluation) -> None:
    confidence = section(page, "confidence")
    for score in (evaluation.teacher, *evaluation.students):
        assert 1 < len(score.risk_coverage.points) <= 50
        last = score.risk_coverage.points[-1]
        assert last.coverage == 1 and last.risk == pytest.approx(1 - score.accuracy)
        assert f"{score.name}, area {figures(100 * score.risk_coverage.area)}" in confidence
        assert f"{last.at_least:.4f} 100.0 {percent(last.risk)}" in confidence
    assert "percent of these answers that are wrong" in confidence


def test_texts_are_shown_with_all_of_their_labels(page: str, run: RunReport, evaluation: Evaluation) -> None:
    known = {shown_label(tuple(sorted(labels))) for labels in _subsets(sorted(WORDS))}
    samples = {sample.label for kind in run.transfer_set.kinds for sample in kind.samples}
    assert samples <= known and len(samples) > 1
    for score in evaluation.students:
        assert {text.label for text in score.disagreements} | {
            text.teacher_label for text in score.disagreements
        } <= known
    assert NONE in known and evaluation.students[0].disagreements[0].text in section(page, "disagreements")


def _subsets(names: list[str]) -> list[list[str]]:
    return [[]] if not names else [each for rest in _subsets(names[1:]) for each in (rest, [names[0], *rest])]


def test_runs_of_both_kinds_stand_on_one_page(run: RunReport, several: Path, finished: Path) -> None:
    single = read_run(finished, "one label")
    for runs in ([run, single], [single, run]):
        page = render_page(runs, 0.05)
        assert f"{runs[0].evaluation.headline.title} on test, percent" in section(page, "models")


def test_labels_that_no_text_of_test_has_are_the_last(evaluation: Evaluation) -> None:
    labels = [LabelFigures(name, n, f1, f1, f1, None) for name, n, f1 in (("a", 4, 0.9), ("b", 0, 0.0), ("c", 2, 0.1))]
    assert [label.label for label in worst_first(replace(evaluation.best, by_label=labels))] == ["c", "a", "b"]


def test_a_label_that_is_never_given_is_named(run: RunReport) -> None:
    first, *rest = run.evaluation.scores
    scores = [replace(first, never_predicted=["<i>rare</i>"]), *rest]
    page = render_page([replace(run, evaluation=replace(run.evaluation, scores=scores))], 0.05)
    assert f"{first.name} gives <i>rare</i> to no text of valid, though texts there have it." in section(page, "labels")
    assert "<i>rare" not in page


def test_the_card_shows_lists_of_labels_and_their_figures(several: Path, evaluation: Evaluation) -> None:
    card: Any = ModelCard.load(several / "student" / "README.md")
    best = evaluation.best
    assert "a list of labels a text" in card.text and "Labels, of which a text may have several or none" in card.text
    assert '"STUDENT", top_k=None' in card.text and "a temperature a label" in card.text
    assert "| | macro F1 | micro F1 | average precision | exact match | as the teacher |" in card.text
    assert f"| {percent(best.macro_f1)} | {percent(best.micro_f1)} | {percent(best.average_precision)} |" in card.text
    results = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert results == {"macro F1": best.macro_f1, "micro F1": best.micro_f1, "exact match": best.accuracy}


def test_verify_measures_the_figures_of_each_label_again(several: Path, tmp_path: Path) -> None:
    assert verify(VerifyOptions(several)).faults == []
    run = tmp_path / "run"
    shutil.copytree(several, run)
    table = read_json(run / "evaluation" / "evaluation.json")
    table["scores"][0]["by_label"][1]["recall"] -= 0.01
    write_json(run / "evaluation" / "evaluation.json", table)
    write_manifest(run / "evaluation", read_json(run / "evaluation" / "manifest.json")["inputs"])
    faults = verify(VerifyOptions(run)).faults
    assert faults == [f"{run}/teacher: measured again, by_label is not as in evaluation.json"]


def test_verify_compares_figures_within_lists_and_objects() -> None:
    from potstill.commands.verify import _is_same

    assert _is_same({"a": [{"f1": 0.1 + 0.2}]}, {"a": [{"f1": 0.3}]})
    assert not _is_same({"a": [{"f1": 0.31}]}, {"a": [{"f1": 0.3}]})
    assert not _is_same([0.3], [0.3, 0.3]) and not _is_same({"a": 1}, {"b": 1})


def test_where_the_loss_picks_checkpoints_macro_f1_picks_the_best_student(several: Path) -> None:
    evaluation = read_evaluation(several)
    exact = replace(evaluation.best, name="exact", valid={"accuracy": 0.9, "macro_f1": 0.2})
    right = replace(evaluation.best, name="right", valid={"accuracy": 0.1, "macro_f1": 0.8})
    assert replace(evaluation, measure="loss", scores=[evaluation.teacher, exact, right]).best.name == "right"
