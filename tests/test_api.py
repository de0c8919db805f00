"""``potstill.distill`` from Python: a function as the teacher, with and without gold labels."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import potstill
from potstill.api import make_options
from potstill.artifacts import read_json, write_json
from potstill.commands.sample import SampleOptions, sample
from potstill.commands.verify import VerifyOptions, verify
from potstill.errors import PotstillError
from potstill.evaluation.measuring import NO_ANSWER
from potstill.evaluation.results import read_evaluation
from potstill.model_folder import ModelFolder
from potstill.runtime.classifier import load
from standins import POSITIVE, sentences

TEXTS = [text for text, _ in sentences(120, 0)]
GOLD = [int(label) for _, label in sentences(120, 0)]


def by_words(texts: Sequence[str]) -> NDArray[np.float64]:
    """A teacher that knows the grammar: scores of 0 and 1."""
    positive = np.array([0.9 if set(POSITIVE) & set(text.split()) else 0.1 for text in texts])
    return np.stack([1 - positive, positive], axis=1)


def small(vectors: Path, **changes: Any) -> dict[str, Any]:
    """Options of a run that takes a second."""
    options: dict[str, Any] = {
        "student": ["cnn"],
        "analyzer": "whitespace",
        "n_iter": 1,
        "embedding_path": str(vectors),
        "n_frequent": 50,
        "student_steps": 10,
        "student_batch_size": 16,
        "gold_epochs": 1,
        "processes": 1,
        "reference_row": False,
        "progress": False,
    }
    return options | changes


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory, tiny_vectors: Path) -> potstill.Distillation:
    """A run on gold labels whose teacher is a function. Read it only."""
    out = tmp_path_factory.mktemp("api") / "run"
    return potstill.distill(TEXTS, GOLD, teacher=by_words, out=out, **small(tiny_vectors))


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory, tiny_vectors: Path) -> potstill.Distillation:
    """A run without gold labels. Read it only."""
    out = tmp_path_factory.mktemp("api") / "run"
    names = ["no", "yes"]
    return potstill.distill(
        TEXTS, teacher=by_words, label_names=names, out=out, **small(tiny_vectors, gold_epochs=None)
    )


def test_the_table_has_teacher_student_and_baseline(labelled: potstill.Distillation) -> None:
    table = labelled.table
    assert table["model"] == ["teacher (python:by_words)", "cnn", "cnn, gold labels alone"]
    assert table["role"] == ["teacher", "student", "baseline"]
    assert table["accuracy"][0] == 1.0 and 0 <= table["accuracy"][1] <= 1
    assert table["megabytes"][0] is None and table["megabytes"][1] > 0
    assert {len(column) for column in table.values()} == {3}
    assert labelled.is_gold


def test_the_student_predicts_the_data_s_labels(labelled: potstill.Distillation) -> None:
    assert set(labelled.student.predict(TEXTS[:20])) <= {"0", "1"}


def test_it_shows_itself_as_a_table(labelled: potstill.Distillation) -> None:
    assert "teacher (python:by_words)" in repr(labelled) and "accuracy" in repr(labelled)
    html = labelled._repr_html_()
    assert html.count("<tr>") == 4 and "<td>100.00</td>" in html
    assert labelled.report().read_text().count("Made from Python by objects") == 1


def test_it_can_be_saved_once(labelled: potstill.Distillation, tmp_path: Path) -> None:
    saved = labelled.save(tmp_path / "kept")
    np.testing.assert_array_equal(load(saved / "student").predict(TEXTS[:5]), labelled.student.predict(TEXTS[:5]))
    with pytest.raises(PotstillError, match="kept: exists: choose another name"):
        labelled.save(tmp_path / "kept")


def test_a_finished_run_is_verified_with_its_teacher_s_answers(
    labelled: potstill.Distillation, unlabelled: potstill.Distillation
) -> None:
    for run in (labelled, unlabelled):
        assert verify(VerifyOptions(run.folder)).faults == []


def test_the_teacher_s_folder_is_no_model(labelled: potstill.Distillation) -> None:
    with pytest.raises(PotstillError, match="it has a teacher's answers, not a model"):
        load(labelled.folder / "teacher")
    assert ModelFolder(labelled.folder / "teacher").labels == ["0", "1"]


def test_called_again_it_asks_no_teacher(tmp_path: Path, tiny_vectors: Path) -> None:
    asked: list[int] = []

    def counting(texts: Sequence[str]) -> NDArray[np.float64]:
        asked.append(len(texts))
        return by_words(texts)

    options = small(tiny_vectors, out=tmp_path / "run", gold_epochs=0)
    potstill.distill(TEXTS, GOLD, teacher=counting, **options)
    first = sum(asked)
    asked.clear()
    potstill.distill(TEXTS, GOLD, teacher=counting, **options)
    assert first > 120 and sum(asked) == 32  # texts that tell one version of a function from another


def test_without_gold_labels_accuracy_is_called_agreement(unlabelled: potstill.Distillation) -> None:
    assert not unlabelled.is_gold
    assert "as the teacher" in repr(unlabelled) and "potstill sample" in repr(unlabelled)
    assert unlabelled.table["accuracy"][0] == 1.0
    assert unlabelled.table["role"] == ["teacher", "student"]  # a baseline on its own labels says nothing
    assert "Nobody but the teacher labelled this data" in unlabelled.report().read_text()
    card = (unlabelled.folder / "student" / "README.md").read_text()
    assert "right below is what the teacher says" in card and card.count("as the teacher") == 1
    assert set(unlabelled.student.classes_) == {"no", "yes"}


def test_a_sample_becomes_test(unlabelled: potstill.Distillation, tmp_path: Path, tiny_vectors: Path) -> None:
    check = tmp_path / "check.csv"
    sampled = sample(SampleOptions(unlabelled.folder, check, n=30))
    with check.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(sampled.counts.values()) == 30 == len({row["text"] for row in rows})
    assert sampled.counts["random"] > 0 and all(row["label"] == "" for row in rows)
    with pytest.raises(PotstillError, match=r"check\.csv: no row has a label yet"):
        again(unlabelled, check, tiny_vectors, tmp_path)
    write(check, [row | {"label": "yes" if index < 20 else ""} for index, row in enumerate(rows)])
    finished = again(unlabelled, check, tiny_vectors, tmp_path)
    assert finished.is_gold and "accuracy" in repr(finished)
    teacher = read_evaluation(finished.folder).teacher
    assert teacher.total == 20
    assert teacher.correct == sum(row["teacher"] == "yes" for row in rows[:20])
    rest = sample(SampleOptions(finished.folder, tmp_path / "next.csv", n=1000))
    assert sum(rest.counts.values()) == len(set(TEXTS)) - 20


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def again(run: potstill.Distillation, check: Path, vectors: Path, tmp_path: Path) -> potstill.Distillation:
    copy = tmp_path / "again"
    if not copy.exists():
        run.save(copy)
    names = ["no", "yes"]
    return potstill.distill(
        TEXTS, teacher=by_words, label_names=names, gold=check, **small(vectors, out=copy, gold_epochs=None)
    )


def test_a_sample_of_a_run_with_gold_labels_needs_texts_without(
    labelled: potstill.Distillation, tmp_path: Path
) -> None:
    with pytest.raises(PotstillError, match="all of its own texts have gold labels"):
        sample(SampleOptions(labelled.folder, tmp_path / "check.csv"))
    with pytest.raises(PotstillError, match="no finished run"):
        sample(SampleOptions(tmp_path, tmp_path / "check.csv"))


def test_a_run_that_is_half_made_again_is_not_sampled(unlabelled: potstill.Distillation, tmp_path: Path) -> None:
    run = unlabelled.save(tmp_path / "half")
    manifest = read_json(run / "labelled" / "manifest.json")
    write_json(run / "labelled" / "manifest.json", manifest | {"inputs": {"texts": "others"}})
    with pytest.raises(PotstillError, match="half made again"):
        sample(SampleOptions(run, tmp_path / "check.csv"))


def test_texts_without_an_answer_are_left_out_and_count_as_wrong(tmp_path: Path, tiny_vectors: Path) -> None:
    def hesitant(texts: Sequence[str]) -> list[Any]:
        return [None if "story" in text else row for text, row in zip(texts, by_words(texts).tolist(), strict=True)]

    options = small(tiny_vectors, gold_epochs=0)
    finished = potstill.distill(TEXTS, GOLD, teacher=hesitant, out=tmp_path / "run", **options)
    teacher = read_evaluation(finished.folder).teacher
    n_silent = sum(row.get(NO_ANSWER, 0) for row in teacher.confusion.values())
    assert n_silent > 0 and teacher.correct == teacher.total - n_silent
    from potstill.corpus.transfer import read_transfer

    assert not any("story" in text for text in read_transfer(finished.folder / "transfer").texts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": TEXTS[:3], "label_names": ["a", "b"]}, "3 different texts are too few"),
        ({"texts": TEXTS, "labels": GOLD[:-1]}, "120 texts and 119 labels"),
        ({"texts": TEXTS, "labels": GOLD, "stepz": 3}, "there is no option 'stepz'"),
        ({"texts": TEXTS, "labels": GOLD, "n_itr": 3}, "did you mean 'n_iter'"),
        (
            {"texts": TEXTS, "labels": GOLD, "effort": "huge"},
            "no value of effort 'huge': choose one of best,",
        ),
        ({"texts": TEXTS, "labels": GOLD, "seed": "a"}, "seed='a': a value of another type"),
        ({"texts": TEXTS, "labels": GOLD, "transfer": "nosuch"}, "nosuch: no such transfer set"),
        ({"texts": None}, "no text to learn from"),
        ({"texts": TEXTS, "teacher": "bert-base-uncased"}, "is fine-tuned on labelled text: give --data"),
        ({"texts": TEXTS, "labels": GOLD, "gold": Path(__file__)}, "has a test split already"),
        ({"texts": TEXTS, "labels": GOLD, "ensemble": ["another"]}, "--ensemble: is for transformers"),
        ({"texts": TEXTS, "labels": GOLD, "student": ["teacher"]}, "is no transformer: give another student"),
        ({"texts": TEXTS, "labels": GOLD, "embedding_path": "teacher"}, "has no word vectors"),
        (
            {"texts": TEXTS, "label_names": ["a", "b"], "valid": (TEXTS, GOLD)},
            "valid and test go with texts and labels",
        ),
    ],
)
def test_bad_input_is_one_line(arguments: dict[str, Any], message: str, tmp_path: Path, tiny_vectors: Path) -> None:
    given = small(tiny_vectors, out=tmp_path / "run", teacher=by_words) | arguments
    with pytest.raises(PotstillError, match=message) as raised:
        potstill.distill(given.pop("texts"), given.pop("labels", None), **given)
    assert "\n" not in str(raised.value) and not (tmp_path / "run").exists()


def test_a_teacher_that_gives_one_label_is_told(tmp_path: Path, tiny_vectors: Path) -> None:
    def same(texts: Sequence[str]) -> list[str]:
        return ["yes"] * len(texts)

    with pytest.raises(PotstillError, match="gave every text the label 'yes'"):
        potstill.distill(TEXTS, teacher=same, label_names=["no", "yes"], **small(tiny_vectors, out=tmp_path / "run"))


def test_a_name_alone_is_a_list_of_one() -> None:
    made = make_options(
        {"out": "run", "teacher": "t", "data": "d", "student": "cnn", "unlabelled": [__file__], "n_iter": 2}
    )
    assert made.student == ("cnn",) and made.unlabelled == (Path(__file__),) and made.out == Path("run")
    assert made.rules.n_iter == 2


def test_given_splits_are_taken_as_they_are(tmp_path: Path, tiny_vectors: Path) -> None:
    held: dict[str, Any] = {"valid": (TEXTS[:10], GOLD[:10]), "test": (TEXTS[10:25], GOLD[10:25])}
    options = small(tiny_vectors, out=tmp_path / "run", gold_epochs=0)
    finished = potstill.distill(TEXTS[25:], GOLD[25:], teacher=by_words, **held, **options)
    assert read_evaluation(finished.folder).teacher.total == 15
    assert list(read_json(finished.folder / "run.json")["data"]) == ["texts"]


def test_a_temporary_run_lives_as_long_as_its_result(tiny_vectors: Path) -> None:
    finished = potstill.distill(TEXTS, GOLD, teacher=by_words, **small(tiny_vectors, gold_epochs=0))
    folder = finished.folder
    assert (folder / "student").is_dir()
    del finished
    assert not folder.exists()


def test_several_labels_are_lists_or_a_matrix(tmp_path: Path, tiny_encoder: Path, tiny_vectors: Path) -> None:
    texts = [f"film {number} {'happy' * (number % 2)} {'scared' * (number % 3 == 0)}" for number in range(60)]
    lists = [["joy"] * (number % 2) + ["fear"] * (number % 3 == 0) for number in range(60)]
    matrix = np.array([["fear" in own, "joy" in own] for own in lists]).astype(int)
    options = small(tiny_vectors, teacher_epochs=1)
    result = potstill.distill(texts, lists, teacher=str(tiny_encoder), out=tmp_path / "run", **options)
    assert result.student.task.takes_several and result.student.classes_.tolist() == ["fear", "joy"]
    assert all(isinstance(labels, list) for labels in result.student.predict(texts[:4]))
    assert result.table["micro_f1"][0] is not None and "macro F1" in result._repr_html_()
    numbered = potstill.distill(texts, matrix, teacher=str(tiny_encoder), out=tmp_path / "other", **options)
    assert numbered.student.classes_.tolist() == ["0", "1"]
    for wrong, message in (([["joy"], "fear"] * 30, "some texts have a list"), (matrix * 2, "with 1 or 0")):
        with pytest.raises(PotstillError, match=message):
            potstill.distill(texts, wrong, teacher=str(tiny_encoder), out=tmp_path / "wrong", **options)


def test_a_black_box_gives_one_label_a_text(tmp_path: Path, tiny_vectors: Path) -> None:
    lists = [["good"] if label else ["bad", "dull"] for label in GOLD]
    with pytest.raises(PotstillError, match=r"gives one label a text, and the data has several"):
        potstill.distill(TEXTS, lists, teacher=by_words, out=tmp_path / "run", **small(tiny_vectors))
