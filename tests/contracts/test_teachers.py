"""What every kind of teacher must do, on one small teacher of each kind."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from potstill.corpus.streams import in_parts
from potstill.corpus.words import MASK
from potstill.errors import PotstillError
from potstill.teachers import TEACHERS, Teacher, open_teacher

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


@pytest.fixture(scope="module")
def makers(classifier_folder: Callable[[dict[int, str]], Path]) -> dict[str, Make]:
    folder = str(classifier_folder({0: "0", 1: "1"}))
    return {"transformer": lambda labels: open_teacher(folder, labels)}


@pytest.fixture(params=TEACHERS)
def make(request: pytest.FixtureRequest, makers: dict[str, Make]) -> Iterator[Make]:
    yield makers[request.param]


def test_every_kind_is_tested(makers: dict[str, Make]) -> None:
    assert set(makers) == set(TEACHERS)


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


def test_other_labels_are_one_line(make: Make) -> None:
    with pytest.raises(PotstillError, match="its labels are 0, 1, the data's are no, yes, perhaps"):
        make(["no", "yes", "perhaps"])


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
