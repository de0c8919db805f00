"""What a language model's answer says: read from the server's JSON, and made into scores of labels. Sends nothing."""

import json
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAST_MASS = 0.01  # probability that the options must have together: below it the model means to say something else
_FLOOR = 1e-9  # of a probability: nothing is impossible, and a logit must be finite

Scores = NDArray[np.float64]


class HalfAnswerError(Exception):
    """The server's JSON is cut short, or is no answer of this API."""


class NoLabelError(Exception):
    """An answer that names no label; the message is the reason."""


@dataclass(frozen=True)
class Answer:
    """What of an answer is kept: all that scores are made of, so that another version need not ask again.

    :param text: what the model said.
    :param top: the likeliest first tokens with their log-probabilities; None where the server gave none.
    :param stop: why it stopped.
    :param refusal: the server's own word for it.
    :param tokens_in: of the prompt; None where the server does not say.
    :param seconds: that the request took; 0 where an earlier version kept the answer.
    """

    text: str
    top: list[tuple[str, float]] | None = None
    stop: str = ""
    refusal: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Its JSON form."""
        return dict(vars(self))  # dataclasses.asdict copies every token

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Answer":
        """The answer of a JSON form."""
        top = value["top"]
        return Answer(**(value | {"top": None if top is None else [(token, prob) for token, prob in top]}))


def read_answer(payload: object) -> Answer:
    """Read what the server sent.

    :param payload: its JSON, of a chat or a completion.
    :raises HalfAnswerError: when it has no answer.
    """
    try:
        choice = payload["choices"][0]  # type: ignore[index]
        message = choice.get("message") or {}
        text = message.get("content") if "message" in choice else choice["text"]
        usage = payload.get("usage") or {}  # type: ignore[attr-defined]
        return Answer(
            text=text if isinstance(text, str) else "",
            top=_read_top(choice.get("logprobs")),
            stop=str(choice.get("finish_reason") or ""),
            refusal=str(message.get("refusal") or ""),
            tokens_in=_count(usage.get("prompt_tokens")),
            tokens_out=_count(usage.get("completion_tokens")),
        )
    except (TypeError, KeyError, IndexError, AttributeError, ValueError) as error:
        raise HalfAnswerError(f"no answer in what it sent ({type(error).__name__})") from None


def _read_top(logprobs: Any) -> list[tuple[str, float]] | None:
    """The likeliest first tokens, in either form that servers have for them."""
    if not logprobs:
        return None
    if logprobs.get("content"):
        listed = logprobs["content"][0].get("top_logprobs") or []
        pairs = [(each["token"], each["logprob"]) for each in listed]
    else:
        listed = logprobs.get("top_logprobs") or []
        pairs = list((listed[0] or {}).items()) if listed else []
    top = [(str(token), float(value)) for token, value in pairs if value is not None and not math.isnan(value)]
    return top or None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def scores_of_options(answer: Answer, options: Sequence[str]) -> Scores:
    """The log-probabilities of options.

    Tokens that are one option, or the beginning of that one alone, but for spaces are added up. An option that is not
    listed gets what the least likely listed token has, or its share of what the listed ones leave, whichever is less.

    :param options: none is the beginning of another.

    :return: float64 ``[len(options)]``, normalised over the options.
    :raises NoLabelError: when the model meant to say something else.
    """
    if answer.top is None:
        raise NoLabelError("no logprobs")
    probs = dict.fromkeys(options, 0.0)
    longest = max(map(len, options))
    listed = [(token.strip(), math.exp(min(value, 0.0))) for token, value in answer.top]
    for token, prob in listed:
        if token in probs:
            probs[token] += prob
        elif 0 < len(token) < longest:
            begun = [option for option in options if option.startswith(token)]
            if len(begun) == 1:
                probs[begun[0]] += prob
    if sum(probs.values()) < _LEAST_MASS:
        raise NoLabelError(why_no_label(answer))
    n_unlisted = sum(not prob for prob in probs.values())
    if n_unlisted:
        rest = max(1.0 - sum(prob for _, prob in listed), 0.0)
        unlisted = min(min(prob for _, prob in listed), rest / n_unlisted)
        probs = {option: prob or unlisted for option, prob in probs.items()}
    values = np.maximum(np.array([probs[option] for option in options]), _FLOOR)
    normalised: Scores = np.log(values / values.sum())
    return normalised


def label_of_text(answer: Answer, names: Sequence[str]) -> int:
    """The label that an answer names, as JSON or alone.

    :return: its index in ``names``.
    :raises NoLabelError: when it names none of them.
    """
    text = answer.text.strip().removeprefix("```json").strip("`").strip()
    said: object = text
    begin, end = text.find("{"), text.rfind("}")
    if 0 <= begin < end:
        try:
            said = json.loads(text[begin : end + 1]).get("label")
        except (ValueError, RecursionError):
            raise NoLabelError(why_no_label(answer)) from None
    elif "\n" in text:  # of a base model, which goes on with a text of its own
        said = text.partition("\n")[0]
    if isinstance(said, str | int | float):  # no label is null
        spoken = unicodedata.normalize("NFC", str(said).strip()).casefold()
        for form in (spoken, spoken.strip("\"'").rstrip(".")):
            for index, name in enumerate(names):
                if name.casefold() == form:
                    return index
    raise NoLabelError(why_no_label(answer))


def why_no_label(answer: Answer) -> str:
    """The reason why an answer names no label, as short as can be."""
    if answer.refusal or answer.stop == "content_filter":
        return f"refused: {_short(answer.refusal or answer.text or 'by the filter of the server')}"
    if not answer.text.strip():
        return "empty answer"
    return f"no label in the answer: {_short(answer.text)}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:100]} ..."


def shares(labels: Sequence[int], n_labels: int, smoothing: float) -> Scores:
    """The log-probabilities of labels from samples of answers.

    :param labels: a sample each.
    :param smoothing: the share of probability that is spread evenly over all labels.
    :return: float64 ``[n_labels]``.
    """
    counts = np.bincount(np.asarray(labels), minlength=n_labels)
    log_probs: Scores = np.log((1 - smoothing) * counts / counts.sum() + smoothing / n_labels)
    return log_probs


def average(scores: Sequence[Scores]) -> Scores:
    """The mean of log-probabilities, normalised again: a geometric mean."""
    mean = np.mean(scores, axis=0)
    averaged: Scores = mean - np.logaddexp.reduce(mean)
    return averaged


def distance(first: Scores, second: Scores) -> float:
    """How far two answers are apart: half the sum of the differences of their probabilities, 0 to 1."""
    return float(np.abs(np.exp(first) - np.exp(second)).sum() / 2)
