"""What a function answers becomes logits; anything else is one line."""

from typing import Any

import numpy as np
import pytest
import torch

from potstill.errors import PotstillError
from potstill.teachers.answers import FLOOR, Answers, label_name, read_answers

pandas = pytest.importorskip("pandas")

TEXTS = ["a fine film", "dull", "no end"]
LABELS = ["bad", "good"]
LOGITS = [[0.5, -2.0], [3.0, 1.0], [0.0, 0.25]]
PROBABILITIES = [[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]]


def read(given: Any, labels: list[str] = LABELS, **settings: Any) -> Answers:
    return read_answers(given, TEXTS, labels, name="f", **settings)


@pytest.mark.parametrize(
    "given",
    [
        LOGITS,
        [tuple(row) for row in LOGITS],
        [np.array(row) for row in LOGITS],
        np.array(LOGITS, dtype=np.float32),
        np.array(LOGITS, dtype=object),
        torch.tensor(LOGITS, dtype=torch.bfloat16, requires_grad=True),
        list(torch.tensor(LOGITS)),
        pandas.DataFrame(LOGITS),
    ],
    ids=["lists", "tuples", "arrays", "float32", "object", "bfloat16", "tensors", "table"],
)
def test_logits_are_taken_as_they_are(given: Any) -> None:
    answers = read(given)
    assert answers.kind == "logits" and answers.logits.dtype == np.float32
    np.testing.assert_array_equal(answers.logits, np.array(LOGITS, dtype=np.float32))


def test_whole_numbers_are_scores_too() -> None:
    assert read([[1, 2], [3, 4], [5, 6]]).logits.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_probabilities_become_their_logarithms_and_zero_a_small_one() -> None:
    answers = read(PROBABILITIES)
    assert answers.kind == "probabilities"
    np.testing.assert_allclose(np.exp(answers.logits), PROBABILITIES, atol=2 * FLOOR)
    assert answers.logits.min() == pytest.approx(np.log(FLOOR), rel=1e-3)


def test_rounded_probabilities_are_made_to_add_up_to_one() -> None:
    answers = read([[0.33, 0.33, 0.33], [0.67, 0.17, 0.17], [0, 0, 1]], ["a", "b", "c"])
    assert answers.kind == "probabilities"
    np.testing.assert_allclose(np.exp(answers.logits).sum(axis=1), 1, atol=1e-6)


def test_one_row_of_another_sum_makes_them_logits() -> None:
    assert read([[0.25, 0.75], [0.5, 0.5], [0.5, 0.6]]).kind == "logits"


def test_after_logits_a_batch_that_happens_to_add_up_to_one_is_logits() -> None:
    answers = read(PROBABILITIES, kind="logits")
    np.testing.assert_allclose(answers.logits, PROBABILITIES)


def test_after_probabilities_another_sum_is_one_line() -> None:
    with pytest.raises(PotstillError, match=r"f: gave probabilities for other texts, and 2, 3, .* for 'dull'"):
        read([[0.5, 0.5], [2, 3], [0.5, 0.5]], kind="probabilities")


@pytest.mark.parametrize(
    "given", [["good", "bad", "good"], [1, 0, 1], np.array([1, 0, 1]), np.array(["good", "bad", "good"]), [True, 0, 1]]
)
def test_labels_become_smoothed_logits(given: Any) -> None:
    answers = read(given)
    assert answers.kind == "labels"
    np.testing.assert_allclose(np.exp(answers.logits), [[0.05, 0.95], [0.95, 0.05], [0.05, 0.95]], rtol=1e-5)


@pytest.mark.parametrize("given", [["4", "1", "4"], [4, 1, 4], np.array([4.0, 1.0, 4.0])])
def test_where_labels_are_numbers_a_number_is_a_name(given: Any) -> None:
    assert read(given, ["1", "4"]).logits.argmax(axis=1).tolist() == [1, 0, 1]


@pytest.mark.parametrize("given", [[[0.5, -2.0], None, [0.0, 0.25]], [[0.5, -2.0], [None, None], [0.0, 0.25]]])
def test_a_row_of_none_is_no_answer(given: Any) -> None:
    logits = read(given).logits
    assert np.isnan(logits).tolist() == [[False, False], [True, True], [False, False]]


def test_none_among_labels_is_no_answer() -> None:
    assert np.isnan(read(["good", None, "bad"]).logits).any(axis=1).tolist() == [False, True, False]


def test_nothing_but_none_says_nothing_of_the_kind() -> None:
    answers = read([None, None, None])
    assert answers.kind is None and np.isnan(answers.logits).all()
    assert read([None, None, None], kind="logits").kind == "logits"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "f: gave None, not a list: it must take a list of texts"),
        (0.5, "f: gave a float, not a list"),
        ("good", "f: gave a str, not a list"),
        ({"good": 0.5}, "f: gave a dict, not a list"),
        (np.array(1.0), "f: gave a ndarray, not a list"),
        (LOGITS[:2], "f: gave 2 rows for 3 texts: it must give one for each"),
        ([[1, 2, 3]] * 3, "f: gave 3 scores for 'a fine film': give 2 scores a text, one for each of bad, good"),
        ([[1, 2], [1], [1, 2]], "f: gave 1 scores for 'dull'"),
        ([[[1, 2]]] * 3, "f: gave 1 scores for 'a fine film'"),
        ([[[1], [2]]] * 3, r"f: gave \[\[1\], \[2\]\] for 'a fine film'"),
        ([["x", "y"]] * 3, r"f: gave \['x', 'y'\] for 'a fine film'"),
        ([{"good": 1}] * 3, "f: gave a dict for 'a fine film'"),
        ([[1, 2], [float("nan"), 1], [1, 2]], "f: gave nan, 1 for 'dull': scores must be finite"),
        ([[1, 2], [1, None], [1, 2]], "f: gave 1, nan for 'dull'"),
        ([[1, 2], [1, 2], [float("inf"), 1]], "f: gave inf, 1 for 'no end'"),
        ([[1, 2], [1, 2], [1e300, 1]], r"f: gave 1e\+300, 1 for 'no end'"),
        ([0.25, 0.5, 0.75], r"f: gave one number a text \(0.25 for 'a fine film'\): give a score for each of the 2"),
        (["good", "fine", "bad"], "f: gave the label 'fine' for 'dull'; the data's labels are bad, good"),
        ([0, 1, 2], "f: gave the label '2' for 'no end'"),
        ([0, 1, -1], "f: gave the label '-1' for 'no end'"),
        (["good", [1, 2], "bad"], "f: gave labels for some texts and scores for others"),
    ],
)
def test_anything_else_is_one_line(given: Any, message: str) -> None:
    with pytest.raises(PotstillError, match=message) as raised:
        read(given)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("kind", "given"), [("labels", LOGITS), ("logits", ["good"] * 3)])
def test_another_kind_than_before_is_one_line(kind: Any, given: Any) -> None:
    with pytest.raises(PotstillError, match=f"f: gave {kind} for other texts, and"):
        read(given, kind=kind)


@pytest.mark.parametrize(
    ("value", "name"), [(1, "1"), (1.0, "1"), (np.int64(1), "1"), (1.5, "1.5"), (True, "True"), ("e\u0301", "\u00e9")]
)
def test_a_label_has_the_name_that_the_datas_files_give_it(value: object, name: str) -> None:
    assert label_name(value) == name
