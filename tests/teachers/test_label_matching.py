"""Which of a classifier's labels is which of the data's, and what valid says of it."""

import numpy as np
import pytest
from transformers import BertConfig

from potstill.errors import PotstillError
from potstill.teachers.label_matching import LabelMatch, check_match, match_labels


def config_of(*names: str) -> BertConfig:
    return BertConfig(id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)})


@pytest.mark.parametrize(
    ("names", "labels", "order", "how"),
    [
        (("negative", "positive"), ["negative", "positive"], [0, 1], "by name"),
        (("NEGATIVE", "POSITIVE"), ["negative", "positive"], [0, 1], "by name, whatever its case"),
        (("POSITIVE", "NEGATIVE"), ["negative", "positive"], [1, 0], "by name, whatever its case"),
        (("NEGATIVE", "POSITIVE"), ["0", "1"], [0, 1], "by position"),
        (("LABEL_0", "LABEL_1"), ["no", "yes"], [0, 1], "by position"),
        (("1", "0"), ["0", "1"], [1, 0], "by name"),
        (("Yes", "yes"), ["yes", "Yes"], [1, 0], "by name"),
    ],
)
def test_labels_match_by_name_or_by_position(
    names: tuple[str, ...], labels: list[str], order: list[int], how: str
) -> None:
    assert match_labels(config_of(*names), labels) == LabelMatch(list(names), labels, order, how)


@pytest.mark.parametrize(
    ("names", "labels"),
    [(("a", "b"), ["no", "yes"]), (("a", "b", "c"), ["0", "1"]), (("yes", "yes"), ["Yes", "YES"])],
)
def test_other_labels_do_not_match(names: tuple[str, ...], labels: list[str]) -> None:
    assert match_labels(config_of(*names), labels) is None


def checked(names: tuple[str, ...], labels: list[str], decisions: list[int], gold: list[int]) -> str:
    match = match_labels(config_of(*names), labels)
    assert match is not None
    return str(check_match(match, np.array(decisions), np.array(gold), "T"))


def test_a_good_match_is_told_with_how_it_was_found() -> None:
    said = checked(("LABEL_0", "LABEL_1"), ["bad", "good"], [0, 1, 1, 1], [0, 1, 1, 0])
    assert said == "T: 75.0% of valid is right; its labels were matched by position: LABEL_0 is bad, LABEL_1 is good"


def test_labels_the_wrong_way_round_are_refused_with_the_mapping_to_try() -> None:
    gold = [0, 1] * 10
    with pytest.raises(PotstillError) as raised:
        checked(("LABEL_0", "LABEL_1"), ["bad", "good"], [1 - label for label in gold], gold)
    assert "0.0% of valid is right" in str(raised.value) and "LABEL_0 is bad" in str(raised.value)
    assert 'with {"0": "good", "1": "bad"} in the id2label of its config.json it would be 100.0%' in str(raised.value)
    match = match_labels(config_of("good", "bad"), ["bad", "good"])
    assert match is not None and match.order == [1, 0], "what the line says works"


def test_some_labels_in_the_wrong_order_are_told_where_the_teacher_is_above_chance() -> None:
    gold = [0, 1, 2, 3] * 10
    decisions = [[0, 1, 3, 2][label] for label in gold]
    said = checked(("LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3"), ["a", "b", "c", "d"], decisions, gold)
    assert 'with {"0": "a", "1": "b", "2": "d", "3": "c"} in the id2label' in said and "100.0%" in said


def test_an_accuracy_near_chance_on_few_texts_is_no_reason_to_stop() -> None:
    assert "it would be" not in checked(("a", "b"), ["a", "b"], [0, 1] * 10, [0] * 11 + [1] * 9)
