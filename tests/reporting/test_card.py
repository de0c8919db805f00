"""The model card: metadata that the hub reads, figures of evaluation.json, no local paths."""

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

import potstill
from potstill.artifacts import read_json, read_manifest, write_json
from potstill.evaluation.results import read_evaluation
from potstill.reporting.card import as_code, find_language, write_card
from potstill.reporting.page import percent
from small_runs import LABELS


@pytest.fixture(scope="module")
def card(reported: Path) -> Any:
    return ModelCard.load(reported / "student" / "README.md")


def test_the_hub_reads_the_students_figures_from_it(card: Any, reported: Path) -> None:
    best = read_evaluation(reported).best
    data = card.data
    assert (data.library_name, data.pipeline_tag) == ("potstill", "text-classification")
    assert data.model_name == best.name and data.metrics == ["accuracy", "f1"]
    figures = {result.metric_type: result.metric_value for result in data.eval_results or []}
    assert figures == {"accuracy": best.accuracy, "f1": best.macro_f1}
    missing = ("license", "language", "base_model", "datasets")  # the user's, not known, not of the hub
    assert all(data.get(name) is None for name in missing)


def test_it_shows_teacher_student_and_baseline_and_how_to_use_them(card: Any, reported: Path) -> None:
    evaluation = read_evaluation(reported)
    rows = [line for line in card.text.splitlines() if line.startswith("| `")]
    names = [row.split("`")[1] for row in rows]
    assert names == [evaluation.teacher.name, evaluation.best.name, f"{evaluation.best.name}, gold labels alone"]
    assert f"| {percent(evaluation.best.accuracy)} | {percent(evaluation.best.macro_f1)} |" in rows[1]
    assert 'potstill.load("STUDENT")' in card.text and "import potstill.students" in card.text
    assert all(f"`{label}`" in card.text for label in LABELS.values())


def test_it_names_no_folder_of_this_machine(card: Any, reported: Path) -> None:
    assert str(reported.parent) not in card.content
    assert "--data data" in card.text


def test_it_is_one_of_the_students_files_which_load_as_before(reported: Path) -> None:
    manifest = read_manifest(reported / "student")
    assert manifest is not None and "README.md" in manifest["files"]
    assert potstill.load(reported / "student").predict(["the film is fine"])[0] in LABELS.values()


def test_names_on_the_hub_are_in_the_metadata(reported: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for part in ("data", "evaluation", "transfer"):
        (run / part).symlink_to(reported / part)
    record = read_json(reported / "run.json")
    record["config"] |= {"data": "stanfordnlp/sst2:plain", "teacher": "some/encoder", "analyzer": "mecab"}
    write_json(run / "run.json", record | {"data": {"train": "0", "test": "1"}})
    for name in ("config.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((reported / "student" / name).read_bytes())
    write_card(run, tmp_path)
    data: Any = ModelCard.load(tmp_path / "README.md").data
    assert (data.datasets, data.base_model, data.language) == (["stanfordnlp/sst2"], "some/encoder", "ko")


@pytest.mark.parametrize(
    ("analyzer", "changes", "language"),
    [
        ("kiwi", {}, "ko"),
        ("mecab", {"transfer": ["set"]}, "ko"),
        ("spacy", {}, "en"),
        ("spacy:de_core_news_sm", {}, "de"),
        ("spacy:./own", {}, None),
        ("spacy", {"augment": False}, None),
        ("spacy", {"transfer": ["set"]}, None),
        ("whitespace", {}, None),
    ],
)
def test_the_language_as_far_as_the_analyzer_tells(
    analyzer: str, changes: dict[str, Any], language: str | None
) -> None:
    assert find_language({"analyzer": analyzer, "augment": True, "transfer": []} | changes) == language


def test_a_code_span_holds_any_text() -> None:
    assert [as_code(text) for text in ("a", "a`b", "a\n``")] == ["`a`", "`` a`b ``", "``` a `` ```"]
