"""What a text becomes, and the examples in it."""

from collections import Counter

import pytest

from potstill.corpus.label_file import LabelDescription, LabelFile, from_names
from potstill.teachers.language_model.options import Api
from potstill.teachers.language_model.prompts import Prompt
from potstill.teachers.language_model.shots import draw_shots

LABELS = LabelFile((LabelDescription("good", "likes it", ("fine",)), LabelDescription("bad")), "Good or bad?")


def test_a_chat_has_the_task_the_examples_and_the_text() -> None:
    assert Prompt(LABELS, [("dull", "bad")], "chat").shown("a film", "logprobs") == (
        "[system]\nGood or bad?\n\nA) good: likes it\nB) bad\n\nAnswer with one letter, A to B, and nothing else.\n\n"
        "[user]\nText: fine\n\n[assistant]\nA\n\n[user]\nText: dull\n\n[assistant]\nB\n\n[user]\nText: a film"
    )


def test_a_completion_is_one_text_that_ends_where_the_answer_begins() -> None:
    assert Prompt(LABELS, [("dull", "bad")], "completions").shown("a\n film", "logprobs") == (
        "Good or bad?\n\n- good: likes it\n- bad\n\nText: fine\nAnswer: good\n\nText: dull\nAnswer: bad\n\n"
        "Text: a\nfilm\nAnswer:"
    )


@pytest.mark.parametrize("names", [["very good", "very bad"], ["good", "goodish"], ["good", "good for nothing"]])
def test_labels_that_begin_alike_have_letters_in_a_completion_too(names: list[str]) -> None:
    prompt = Prompt(from_names(names), [("dull", names[1])], "completions")
    assert prompt.options(1) == ["A", "B"] and f"A) {names[0]}" in prompt.shown("a film", "logprobs")
    assert Prompt(from_names(["good", "bad"]), [], "completions").options(1) == ["bad", "good"]


def test_in_json_labels_are_asked_for_by_their_names() -> None:
    shown = Prompt(LABELS, [], "chat").shown("a film", "json")
    assert '- good: likes it\n- bad\n\nAnswer with the name of the label as JSON, {"label": "NAME"}' in shown
    assert '[assistant]\n{"label": "good"}' in shown


def test_both_texts_of_a_pair_are_there() -> None:
    assert Prompt(LABELS, [], "chat").shown(("one", "two"), "logprobs").endswith("Text 1: one\nText 2: two")


def test_examples_of_pairs_are_pairs() -> None:
    labels = LabelFile((LabelDescription("yes", "", (("a", "b"),)), LabelDescription("no")))
    shots = draw_shots([("one", "two"), ("c", "d")], ["no", "no"], 1, seed=1)
    shown = Prompt(labels, shots, "chat", of_pairs=True).shown(("e", "f"), "logprobs")
    assert shown.startswith("[system]\nRead the two texts and decide which")
    assert "[user]\nText 1: a\nText 2: b\n\n[assistant]\nA" in shown and shown.count("Text 2: ") == 3
    assert Prompt(labels, [], "chat").hash != Prompt(labels, [], "chat", of_pairs=True).hash


@pytest.mark.parametrize(("n_labels", "n_orders"), [(2, 2), (3, 6), (5, 10)])
def test_orders_are_as_given_reversed_and_all_rotations(n_labels: int, n_orders: int) -> None:
    orders = Prompt(from_names([f"label {number}" for number in range(n_labels)]), [], "chat").orders
    given = list(range(n_labels))
    assert orders[:2] == [given, given[::-1]]
    assert len(orders) == len(set(map(tuple, orders))) == n_orders
    assert all(sorted(order) == given for order in orders)


def test_an_order_changes_the_letters_of_the_examples_too() -> None:
    messages = Prompt(LABELS, [], "chat").beginning(1, "logprobs")
    assert "A) bad\nB) good" in messages[0]["content"] and messages[-1]["content"] == "B"


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_the_hash_has_all_but_the_text(api: Api) -> None:
    prompts = [
        Prompt(LABELS, [], api),
        Prompt(LABELS, [("dull", "bad")], api),
        Prompt(from_names(["good", "bad"]), [], api),
        Prompt(LABELS.ordered(["bad", "good"]), [], api),
    ]
    assert len({prompt.hash for prompt in prompts}) == 4
    assert Prompt(LABELS, [], api).hash == prompts[0].hash


def test_examples_are_balanced_and_the_same_for_a_seed() -> None:
    texts = [f"text {number}" for number in range(40)] + ["long " * 200]
    labels = ["a"] * 30 + ["b"] * 8 + ["c"] * 3
    shots = draw_shots(texts, labels, 7, seed=1)
    assert sorted(Counter(label for _, label in shots).values()) == [2, 2, 3]
    assert all(labels[texts.index(text)] == label for text, label in shots)
    assert draw_shots(texts, labels, 7, seed=1) == shots != draw_shots(texts, labels, 7, seed=2)
    assert "long " * 200 not in dict(shots)  # it costs money with every text
    assert len(draw_shots(texts, labels, 100, seed=1)) == 41
