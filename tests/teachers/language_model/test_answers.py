"""Answers as servers send them, made into scores."""

import math
from typing import Any

import numpy as np
import pytest

from potstill.teachers.language_model.answers import (
    Answer,
    HalfAnswerError,
    NoLabelError,
    average,
    distance,
    label_of_text,
    read_answer,
    scores_of_options,
    shares,
)
from stand_in_server import said


def top(**probs: float) -> Answer:
    return Answer("", top=[(token.replace("_", " "), math.log(prob)) for token, prob in probs.items()])


def test_both_forms_of_logprobs_are_read() -> None:
    probs = {"A": 0.75, " B": 0.25}
    chat, completion = read_answer(said("A", probs)), read_answer(said("A", probs, chat=False))
    assert chat.top == completion.top == [("A", math.log(0.75)), (" B", math.log(0.25))]
    assert (chat.text, chat.tokens_in, chat.tokens_out, chat.stop) == ("A", 50, 1, "stop")
    assert Answer.from_json(chat.as_json()) == chat


def test_without_logprobs_there_are_none() -> None:
    assert read_answer(said("A")).top is None
    empty: dict[str, Any] = said("A")
    empty["choices"][0]["logprobs"] = {"content": []}
    assert read_answer(empty).top is None


@pytest.mark.parametrize(
    "payload",
    [None, "text", [], {}, {"choices": []}, {"choices": [{}]}, {"choices": [3]}, {"choices": [{"message": "text"}]}],
)
def test_what_is_no_answer_is_half_a_one(payload: Any) -> None:
    with pytest.raises(HalfAnswerError):
        read_answer(payload)


def test_tokens_of_one_option_are_added_up() -> None:
    np.testing.assert_allclose(np.exp(scores_of_options(top(A=0.5, _A=0.1, B=0.2, The=0.2), "AB")), [0.75, 0.25])


def test_tokens_that_begin_one_option_alone_are_added_up() -> None:
    answer = top(good=0.3, _go=0.1, b=0.1, _=0.2, goodness=0.1, g=0.2)
    np.testing.assert_allclose(np.exp(scores_of_options(answer, ["good", "bad"])), [0.6 / 0.7, 0.1 / 0.7])
    with pytest.raises(NoLabelError):
        scores_of_options(top(very=1.0), ["very good", "very bad"])


def test_an_option_that_is_not_listed_gets_what_it_can_have_at_most() -> None:
    # Less is left than the least likely token has: 0.02 for two options
    np.testing.assert_allclose(np.exp(scores_of_options(top(A=0.9, x=0.08), "ABC")), np.array([0.9, 0.01, 0.01]) / 0.92)
    # More is left, but the token that is listed last is likelier than any that is not
    np.testing.assert_allclose(np.exp(scores_of_options(top(A=0.5, x=0.01), "ABC")), np.array([0.5, 0.01, 0.01]) / 0.52)
    assert np.isfinite(scores_of_options(top(A=1.0), "AB")).all()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (top(I=0.9, Sorry=0.09), "empty answer"),
        (Answer("I cannot", top=[("I", -0.1)]), "no label in the answer: I cannot"),
        (Answer("", top=[("I", -0.1)], refusal="I can't help with that"), "refused: I can't help"),
        (Answer("", stop="content_filter", top=[("I", -0.1)]), "refused: by the filter"),
        (Answer("A"), "no logprobs"),
    ],
)
def test_a_model_that_says_something_else_names_no_label(answer: Answer, why: str) -> None:
    with pytest.raises(NoLabelError, match=why):
        scores_of_options(answer, "AB")


@pytest.mark.parametrize(
    "text",
    ['{"label": "Très bon"}', '```json\n{"label": "très bon"}\n```', "Très bon.", ' "Très bon"\nText: x', "Très bon"],
)
def test_a_label_is_found_however_it_is_said(text: str) -> None:
    assert label_of_text(Answer(text), ["bad", "Très bon"]) == 1


@pytest.mark.parametrize(
    "text", ["", "好", '{"label": "terrible"}', '{"label": 1}', "{'label': 'bad'}", '{"x": "bad"}']
)
def test_another_label_or_language_is_none(text: str) -> None:
    with pytest.raises(NoLabelError):
        label_of_text(Answer(text), ["bad", "good"])


def test_shares_of_samples_are_smoothed() -> None:
    np.testing.assert_allclose(np.exp(shares([1, 1, 0, 1], 3, 0.3)), [0.7 / 4 + 0.1, 0.7 * 3 / 4 + 0.1, 0.1])
    np.testing.assert_allclose(np.exp(shares([1], 2, 0.1)), [0.05, 0.95])


def test_orders_are_averaged_and_compared() -> None:
    first, second = np.log([0.9, 0.1]), np.log([0.5, 0.5])
    np.testing.assert_allclose(np.exp(average([first, second])), [0.75, 0.25])
    assert distance(first, second) == pytest.approx(0.4) and distance(first, first) == 0


def test_no_label_is_null_and_a_label_may_end_in_a_full_stop() -> None:
    with pytest.raises(NoLabelError):
        label_of_text(Answer('{"label": null}'), ["none", "some"])
    with pytest.raises(NoLabelError):
        label_of_text(Answer('{"answer": "some"}'), ["none", "some"])
    assert label_of_text(Answer('{"label": "U.S."}'), ["U.K.", "U.S."]) == 1
