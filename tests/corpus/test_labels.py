"""The labels of a data set."""

from potstill.corpus.examples import Example
from potstill.corpus.labels import collect_labels, encode_labels


def test_whole_numbers_are_sorted_by_value_unless_one_is_no_number_that_python_reads() -> None:
    short = [Example("a", label) for label in ("10", "9", "1")]
    assert collect_labels(short, "a.txt") == ["1", "9", "10"]
    long = "1" * 5000
    assert collect_labels([*short, Example("a", long)], "a.txt") == ["1", "10", long, "9"]


def test_labels_that_look_the_same_are_the_same() -> None:
    examples = [Example("a", "e\u0301te"), Example("b", "\u00e9te")]
    assert encode_labels(examples, ["hiver", "e\u0301te"], "a.txt").tolist() == [1, 1]
