"""What ``DistilledClassifier`` is given: bad texts, labels and parameters are one line; how texts are split."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from potstill import DistilledClassifier, PotstillError
from potstill.estimator import split
from standins import sentences

ROWS = sentences(90, 0)
TEXTS, LABELS = [text for text, _ in ROWS], [("bad", "good")[int(label)] for _, label in ROWS]


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        ("a text", ["a"], r"fit takes a list of texts: write \[text\] for one"),
        ([["a"], ["b"]], ["a", "b"], "text 1 is not a string, but a value of type list"),
        (["a", "b", ""], ["a", "b", "a"], "text 3 is empty"),
        (["a", 5], ["a", "b"], "text 2 is not a string, but 5"),
        (["a", ("b", "c")], ["a", "b"], "text 2 is a pair and text 1 a single text"),
        ([("a", "b", "c")], ["a"], "text 1 is not a string, but a value of type tuple"),
        (np.array([["a"], ["b"]]), ["a", "b"], r"fit takes a list of texts, not an array of shape \(2, 1\)"),
        ([], [], "fit: no texts"),
        (["a", "b"], None, "fit requires y to be passed"),
        (["a", "b"], ["x"], r"inconsistent numbers of samples: \[2, 1\]"),
        (["a", "b"], ["x", "x"], r"fit: y has one class only \('x'\)"),
        (["a", "b"], ["x", ""], "fit: the label '' in y is empty"),
        (["a", "b"], ["x", "y\tz"], r"fit: the label 'y\\tz' in y is empty, or has a tab"),
        (["a", "b"], ["x", "x "], "fit: two labels in y are written 'x'"),
        (["a", "b", "c"], [0.5, 1.5, 2.5], "Unknown label type"),
        (["a", "b"], [1.0, float("nan")], "y contains NaN"),
    ],
)
def test_bad_texts_and_labels_are_one_line_and_value_errors(
    quick: list[dict[str, Any]], texts: Any, labels: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        DistilledClassifier().fit(texts, labels)
    assert quick == []


def test_bad_texts_to_predict_are_ours_and_value_errors(quick: list[dict[str, Any]]) -> None:
    model = DistilledClassifier(threads=1).fit(TEXTS, LABELS)
    for kind in (ValueError, PotstillError):
        with pytest.raises(kind, match="text 2 is empty"):
            model.predict(["a", " "])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"options": {"data": "x"}}, "options: data: a parameter of DistilledClassifier, or what fit gives"),
        ({"options": {"student": ("cnn",), "teacher": "x"}}, "options: student, teacher: a parameter"),
        ({"options": {"studnt": 1}}, r"there is no option 'studnt': did you mean 'student'\?"),
        ({"options": {"own_share": 2}}, "--own_share=2: a share from 0"),
        ({"effort": "most"}, "there is no effort 'most': choose one of best, normal, quick"),
    ],
)
def test_bad_parameters_are_one_line_when_it_is_fitted(
    quick: list[dict[str, Any]], parameters: dict[str, Any], message: str
) -> None:
    model = DistilledClassifier(**parameters)
    with pytest.raises(PotstillError, match=message) as raised:
        model.fit(TEXTS, LABELS)
    assert isinstance(raised.value, ValueError) and "\n" not in str(raised.value)


def test_it_stays_fitted_when_it_cannot_be_fitted_again(quick: list[dict[str, Any]]) -> None:
    model = DistilledClassifier(threads=1).fit(TEXTS, LABELS)
    before = model.predict_proba(TEXTS)
    with pytest.raises(PotstillError):
        model.set_params(options={"own_share": 2}).fit(TEXTS, [label == "good" for label in LABELS])
    assert model.classes_.tolist() == ["bad", "good"]
    np.testing.assert_array_equal(model.predict_proba(TEXTS), before)


def test_the_split_holds_out_a_tenth_of_each_label() -> None:
    rows = [(f"text {index}", "abc"[index % 3]) for index in range(300)]
    train, valid = split(rows, 0)
    assert sorted(train + valid) == sorted(rows)
    assert Counter(label for _, label in valid) == {"a": 10, "b": 10, "c": 10}
    assert split(rows, 0) == (train, valid) != split(rows, 1)


@pytest.mark.parametrize(
    ("rows", "n_train", "n_valid"),
    [
        ([("a", "x"), ("b", "y")], 2, 2),  # valid is train
        ([("a", "x"), ("b", "x"), ("c", "y")], 2, 1),
        ([("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")], 2, 2),
        ([("a", "x"), ("a", "x"), ("a", "x"), ("b", "y")], 4, 4),  # one text three times
        ([("a", "x"), ("a", "y"), ("b", "x"), ("c", "y")], 2, 2),  # a text of two labels is in train
        ([("a", "x"), ("a", "y")], 2, 2),
    ],
)
def test_the_split_of_few_texts_has_every_label_in_train(
    rows: list[tuple[str, str]], n_train: int, n_valid: int
) -> None:
    train, valid = split(rows, 0)
    assert (len(train), len(valid)) == (n_train, n_valid)
    assert {label for _, label in train} == {"x", "y"}
    if train != valid:
        assert not {text for text, _ in train} & {text for text, _ in valid}
