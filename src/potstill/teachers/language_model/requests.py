"""The requests of a text: their bodies, the names of their answers in the cache, and scores of their answers."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from potstill.artifacts import hash_json
from potstill.corpus.texts import Text
from potstill.teachers.language_model.answers import (
    Answer,
    Scores,
    average,
    distance,
    label_of_text,
    scores_of_options,
    shares,
)
from potstill.teachers.language_model.dialect import Dialect, label_schema
from potstill.teachers.language_model.options import LanguageModelOptions
from potstill.teachers.language_model.prompts import Messages, Mode, Prompt
from potstill.teachers.language_model.usage import estimate_tokens, most_tokens

Slot = tuple[int, int]
"""A request of a text: the order of the labels, and the sample."""

_WARM = 1.0  # the temperature where more than one answer is wanted, or another one


@dataclass(frozen=True)
class Comparison:
    """A text that was asked in several orders: whether they name one label, and how far they are apart."""

    agrees: bool
    distance: float


class Requests:
    """Makes the requests of texts, and scores of what comes back."""

    def __init__(self, model: str, prompt: Prompt, options: LanguageModelOptions) -> None:
        self._model = model
        self._prompt = prompt
        self._options = options
        self._beginning = cache(prompt.beginning)
        self._prefix = cache(self._key_prefix)
        self._options_of = cache(prompt.options)
        names = prompt.labels.names
        self._n_labels = len(names)
        self._schema = label_schema(names)
        self._longest = {"logprobs": 1, "json": 32 + max(len(name.encode()) for name in names)}

    def slots(self, mode: Mode) -> list[Slot]:
        """The requests of each text."""
        n_orders = min(self._options.teacher_orders, len(self._prompt.orders))
        if mode == "logprobs":
            return [(order, 0) for order in range(n_orders)]
        return [(sample % n_orders, sample) for sample in range(self._options.teacher_samples)]

    def _temperature(self, mode: Mode, attempt: int) -> float:
        # A greedy answer would be the same again.
        return _WARM if attempt or (mode == "json" and self._options.teacher_samples > 1) else 0.0

    def key(self, text: Text, slot: Slot, attempt: int, mode: Mode) -> str:
        """The name of an answer in the cache: by all of its request but the server's address."""
        order, sample = slot
        joined = text if isinstance(text, str) else "\0".join(text)
        return f"{self._prefix(order, mode)} {self._temperature(mode, attempt)} {sample} {attempt} {joined}"

    def _key_prefix(self, order: int, mode: Mode) -> str:
        prompt = hash_json([self._model, self._prompt.api, mode, self._beginning(order, mode)])
        return hashlib.sha256(prompt.encode()).hexdigest()[:32]

    def body(self, text: Text, slot: Slot, attempt: int, dialect: Dialect) -> dict[str, Any]:
        """A request as JSON.

        :param attempt: counts the answers that named no label.
        """
        order, sample = slot
        mode = dialect.mode
        fields = dialect.fields(
            longest=self._longest[mode],
            schema=self._schema,
            temperature=self._temperature(mode, attempt),
            seed=1000 * attempt + sample,
        )
        return {"model": self._model, **self._prompt.body(self._beginning(order, mode), text), **fields}

    def tokens(self, text: Text, slot: Slot, mode: Mode) -> tuple[int, int, int]:
        """About how many tokens a prompt has, the most that it may have, and the most of its answer."""
        n_bytes, n_messages = self._size(slot[0], mode)
        n_bytes += len((text if isinstance(text, str) else "".join(text)).encode(errors="replace"))
        return estimate_tokens(n_bytes, n_messages), most_tokens(n_bytes, n_messages), self._longest[mode]

    def _size(self, order: int, mode: Mode) -> tuple[int, int]:
        beginning: Messages = self._beginning(order, mode)
        return sum(len(message["content"].encode()) for message in beginning) + 12, len(beginning) + 1

    def score(self, answer: Answer, slot: Slot, mode: Mode) -> Scores | int:
        """What an answer says: log-probabilities in the order of the labels, or in JSON mode a label.

        :raises NoLabelError: when it names none.
        """
        if mode == "json":
            return label_of_text(answer, self._prompt.labels.names)
        scores = scores_of_options(answer, self._options_of(slot[0]))
        in_order = scores.copy()
        in_order[self._prompt.orders[slot[0]]] = scores
        return in_order

    def combine(self, scores: Mapping[Slot, Scores | int], mode: Mode) -> tuple[Scores, Comparison | None]:
        """The logits of a text from its answers.

        :return: float64 ``[n_labels]``, and how the orders compare, where there are several.
        """
        if mode == "json":
            labels = [label for label in scores.values() if isinstance(label, int)]
            return shares(labels, self._n_labels, self._options.teacher_smoothing), None
        given = [scores[slot] for slot in sorted(scores)]
        arrays = [each for each in given if not isinstance(each, int)]
        if len(arrays) == 1:
            return arrays[0], None
        apart = sum(distance(arrays[0], other) for other in arrays[1:]) / (len(arrays) - 1)
        agrees = len({int(each.argmax()) for each in arrays}) == 1
        return average(arrays), Comparison(agrees, apart)

    def describe(self, dialect: Dialect) -> str:
        """How answers become scores, in words."""
        n = len(self.slots(dialect.mode))
        if dialect.mode == "logprobs":
            what = "of the labels' names" if self._prompt.has_names else "of letters"
            return f"{dialect} {what}, the mean over {n} order{'s' if n > 1 else ''} of the labels"
        what = "one hard label" if n == 1 else f"shares of {n} samples"
        return f"{dialect}, {what}, smoothed by {self._options.teacher_smoothing:g}"
