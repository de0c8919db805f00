"""What every kind of teacher must do, on one small teacher of each kind."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from other_teachers import fit_pipeline, write_headed, write_nli, write_skops
from potstill.corpus.streams import in_parts
from potstill.corpus.words import MASK
from potstill.errors import PotstillError
from potstill.teachers import TEACHERS, Teacher, open_teacher
from potstill.teachers.function import FunctionTeacher
from potstill.teachers.head import open_head
from potstill.teachers.nli import open_nli
from potstill.teachers.skops_file import open_skops
from standins import sentences

TEXTS = [
    "a fine film",
    "dull",
    "the story is warm , a clever plot and it doesn't end",
    f"a {MASK} cast",
    "the film is fine and the plot is dull",
]
TOLERANCE = 1e-4

Make = Callable[[list[str] | None], Teacher]
"""Opens a small teacher of the labels 0 and 1, for the given order of labels."""


KINDS = (*TEACHERS, "function", "estimator", "skops", "head", "nli")
OPEN_LABELS = {"function", "nli"}  # whatever labels they are given


def count_letters(texts: list[str]) -> list[list[float]]:
    """A user's function: scores of two labels."""
    return [[text.count("e") - 3.0, len(text) / 10] for text in texts]


def count_other_letters(texts: list[str]) -> list[list[float]]:
    """The same scores in the other order."""
    return [row[::-1] for row in count_letters(texts)]


@pytest.fixture(scope="module")
def makers(
    classifier_folder: Callable[[dict[int, str]], Path], tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path
) -> dict[str, Make]:
    folder = str(classifier_folder({0: "0", 1: "1"}))
    scratch = tmp_path_factory.mktemp("teachers")
    pipeline = fit_pipeline()
    skops = write_skops(scratch / "model.skops", pipeline)
    head = write_headed(scratch / "head", tiny_encoder)
    nli = str(write_nli(scratch / "nli", tiny_encoder))

    def make_nli(labels: list[str] | None) -> Teacher:
        names = {"0": "a bad film", "1": "a good story"}
        return open_nli(nli, [(label, names.get(label, label)) for label in labels or names])

    def make_function(labels: list[str] | None) -> Teacher:
        function = count_other_letters if labels == ["1", "0"] else count_letters
        return FunctionTeacher(function, labels or ["0", "1"])

    return {
        "transformer": lambda labels: open_teacher(folder, labels),
        "function": make_function,
        "estimator": lambda labels: FunctionTeacher(pipeline, labels),
        "skops": lambda labels: open_skops(skops, labels),
        "head": lambda labels: open_head(head, labels),
        "nli": make_nli,
    }


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, makers: dict[str, Make]) -> Iterator[Make]:
    yield makers[request.param]


def test_every_kind_is_tested(makers: dict[str, Make]) -> None:
    assert set(makers) == set(KINDS)


def test_it_gives_a_logit_a_label(make: Make) -> None:
    teacher = make(None)
    teacher.check(TEXTS)
    logits = teacher(TEXTS)
    assert logits.dtype == np.float32 and logits.shape == (len(TEXTS), len(teacher.labels))
    assert np.isfinite(logits).all()


def test_its_logits_come_in_the_order_of_the_labels(make: Make) -> None:
    teacher, turned = make(["0", "1"]), make(["1", "0"])
    assert (teacher.labels, turned.labels) == (["0", "1"], ["1", "0"])
    np.testing.assert_allclose(turned(TEXTS), teacher(TEXTS)[:, ::-1], atol=TOLERANCE)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - OPEN_LABELS))
def test_other_labels_are_one_line(kind: str, makers: dict[str, Make]) -> None:
    with pytest.raises(PotstillError, match="its labels are 0, 1, the data's are no, yes, perhaps"):
        makers[kind](["no", "yes", "perhaps"])


def test_checked_it_gives_the_same_logits(make: Make) -> None:
    checked, other = make(None), make(None)
    checked.check(TEXTS[:3])
    np.testing.assert_allclose(checked(TEXTS), other(TEXTS), atol=TOLERANCE)
    sent = pickle.loads(pickle.dumps(checked))
    np.testing.assert_array_equal(sent(TEXTS), checked(TEXTS))
    assert sent.identity == checked.identity


def test_its_identity_is_the_same_when_it_is_checked_again_with_the_same_texts(make: Make) -> None:
    texts = [text for text, _ in sentences(40, 0)]
    first, second = make(None), make(None)
    first.check(texts)
    second.check(texts)
    second.check(texts[10:])
    assert first.identity == second.identity


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_shard_boundaries_change_nothing(make: Make, rows: int) -> None:
    teacher = make(None)
    parts = [teacher(part) for part in in_parts(TEXTS, rows)]
    np.testing.assert_allclose(np.concatenate(parts), teacher(TEXTS), atol=TOLERANCE)


def test_the_order_of_the_texts_changes_nothing(make: Make) -> None:
    teacher = make(None)
    np.testing.assert_allclose(teacher(TEXTS[::-1])[::-1], teacher(TEXTS), atol=TOLERANCE)


def test_texts_are_distinguished(make: Make) -> None:
    logits = make(None)(TEXTS)
    assert len(np.unique(logits, axis=0)) == len(TEXTS)


def test_pickled_it_gives_the_same_logits_before_and_after_its_first_call(make: Make) -> None:
    teacher = make(None)
    sent = pickle.loads(pickle.dumps(teacher))
    expected = teacher(TEXTS)
    for other in (sent, pickle.loads(pickle.dumps(teacher))):
        np.testing.assert_array_equal(other(TEXTS), expected)
        assert (other.labels, other.identity) == (teacher.labels, teacher.identity)


def test_its_identity_is_the_same_when_it_is_opened_again(make: Make) -> None:
    assert make(None).identity == make(None).identity != ""


def test_its_identity_has_the_order_of_its_labels(make: Make) -> None:
    assert make(["0", "1"]).identity != make(["1", "0"]).identity
