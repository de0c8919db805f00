"""A language model behind an API as a :class:`~potstill.teachers.Teacher`: a prompt a text, answers to logits.

Of its files, ``connection`` alone imports the ``openai`` client, within functions.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.cache import Cache, open_cache
from potstill.corpus.label_file import LabelFile
from potstill.corpus.streams import distinct
from potstill.corpus.texts import Text, joined
from potstill.errors import PotstillError, require, shown
from potstill.progress import Bar, Progress, silent
from potstill.teachers.language_model.asking import BUDGET, Asker, Question
from potstill.teachers.language_model.connection import connected
from potstill.teachers.language_model.dialect import Dialect
from potstill.teachers.language_model.options import LanguageModelOptions
from potstill.teachers.language_model.prompts import LETTERS, Mode, Prompt
from potstill.teachers.language_model.requests import Requests
from potstill.teachers.language_model.session import Session
from potstill.teachers.language_model.shots import draw_shots
from potstill.teachers.language_model.usage import Ledger, RequestPlan, Usage
from potstill.teachers.left_out import LeftOut

__all__ = ["PREFIX", "LanguageModelTeacher", "draw_shots", "open_language_model"]

PREFIX = "openai:"
_LONGEST_NAME = 100  # of a model in the cache's name; what is in the cache is told apart by the whole of it
_CACHE_VERSION = "1"  # of the form of answers in the cache
_CHECKED = 8  # texts that are tried until one has an answer


def open_language_model(
    model: str,
    labels: LabelFile,
    options: LanguageModelOptions,
    *,
    shots: Sequence[tuple[Text, str]] = (),
    of_pairs: bool = False,
) -> "LanguageModelTeacher":
    """A language model that is ready to label; no request is sent.

    :param model: its name on the server, with or without the prefix ``openai:``.
    :param labels: what is to be told apart, in the order of the logits.
    :param of_pairs: whether the texts are pairs.
    :param shots: texts with their labels that every prompt shows; see :func:`draw_shots`.
    :raises PotstillError: when the client is not installed, there is no key, or a shot has a label that there is not.
    """
    model = model.removeprefix(PREFIX)
    if not model:
        raise PotstillError(f"the teacher has no name after {PREFIX}; give one, such as {PREFIX}gpt-4o-mini")
    require("llm", "openai", "aiohttp")
    for text, label in shots:
        if label not in labels.names:
            raise PotstillError(
                f"the example '{shown(joined(text), 60)}' has the label '{shown(label)}', which is none of the labels "
                f"{shown(', '.join(labels.names))}"
            )
    if options.teacher_answers == "logprobs" and len(labels.names) > len(LETTERS):
        raise PotstillError(
            f"{len(labels.names)} labels: logprobs are of one letter a label, at most {len(LETTERS)}; "
            "give --teacher_answers json"
        )
    return LanguageModelTeacher(model, Prompt(labels, shots, options.teacher_api, of_pairs=of_pairs), options)


class LanguageModelTeacher:
    """A language model behind an API.

    :ivar left_out: the texts of the last call that have no answer; their logits are NaN.
    """

    def __init__(self, model: str, prompt: Prompt, options: LanguageModelOptions) -> None:
        self._model = model
        self._prompt = prompt
        self._options = options
        self._ledger = Ledger(options)
        self._dialect: Dialect | None = None
        self._used: Dialect | None = None  # by the last call, whose answers may all have come from the cache
        self.left_out: list[LeftOut] = []

    @property
    def labels(self) -> list[str]:
        """The label of each logit."""
        return self._prompt.labels.names

    @cached_property
    def identity(self) -> str:
        """The model's name, the hash of its prompts, how answers become scores, and the budget, which decides how many
        texts have none; not the server's address."""
        options = self._options
        answers = f"{options.teacher_answers} {options.teacher_orders} {options.teacher_samples}"
        budget = f"{options.max_requests} {options.max_cost}"
        how = f"{options.teacher_api} {answers} {options.teacher_smoothing} {budget}"
        return f"{PREFIX}{self._model} {self._prompt.hash} {how}"

    @property
    def usage(self) -> Usage:
        """What was asked and paid for by this object, and how answers became scores."""
        return self._ledger.usage(self._requests.describe(self._used or self._first_dialect(None)))

    def start_account(self) -> None:
        """Count anew what :attr:`usage` tells."""
        self._ledger.start_account()

    @cached_property
    def _requests(self) -> Requests:
        return Requests(self._model, self._prompt, self._options)

    def __getstate__(self) -> dict[str, Any]:
        """Its state, without what each process makes for itself."""
        return {name: value for name, value in vars(self).items() if name != "_requests"}

    def show_prompt(self, text: Text) -> str:
        """What a text becomes, in the first order of the labels; nothing is sent."""
        return self._prompt.shown(text, self._first_dialect(None).mode)

    def check(self, texts: Sequence[Text]) -> None:
        """Ask about the first text, or the next ones where it has no answer: what is wrong shows at once.

        :raises PotstillError: when the server is not there or refuses, or none of these texts has an answer.
        """
        reasons: list[str] = []
        for text in dict.fromkeys(texts[:_CHECKED]):
            if np.isfinite(self([text])).all():
                reasons.clear()
                break
            reasons += [each.reason for each in self.left_out]
        self._ledger.forget_texts()
        if len(reasons) == _CHECKED and BUDGET not in reasons:
            raise PotstillError(
                f"the teacher has no answer to any of the first {_CHECKED} texts, such as: {reasons[0]}; see what it "
                "is asked with potstill label --show_prompt; a model that thinks first needs --teacher_answers json"
            )

    def plan(self, texts: Iterable[Text]) -> RequestPlan:
        """What labelling texts would take; no request is sent."""
        n_texts = n_requests = n_cached = tokens_in = tokens_out = 0
        with self._answers() as cache:
            mode = self._first_dialect(self._remembered(cache)).mode
            for text in distinct(texts):
                n_texts += 1
                keys = {self._requests.key(text, slot, 0, mode): slot for slot in self._requests.slots(mode)}
                found = cache.look_up(keys)
                n_cached += len(found)
                for slot in (slot for key, slot in keys.items() if key not in found):
                    about, _, longest = self._requests.tokens(text, slot, mode)
                    n_requests, tokens_in, tokens_out = n_requests + 1, tokens_in + about, tokens_out + longest
        cost = self._options.cost(tokens_in, tokens_out)
        return RequestPlan(n_texts, n_requests, n_cached, tokens_in, tokens_out, cost)

    def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
        """The logits of texts, float32 ``[len(texts), n_labels]``; NaN where a text has no answer.

        :raises PotstillError: when no request would have an answer; the answers that came are kept.
        """
        questions = {text: Question(text) for text in texts}  # a text that comes twice is asked about once
        self.left_out = []
        with progress("asking", len(questions)) as bar:
            self._ask(list(questions.values()), bar)
        self.left_out = [LeftOut(each.text, each.reason) for each in questions.values() if each.reason]
        logits = np.full((len(texts), len(self.labels)), np.nan, np.float32)
        for row, text in enumerate(texts):
            found = questions[text].logits
            if found is not None:
                logits[row] = found
        return logits

    def _ask(self, questions: list[Question], bar: Bar) -> None:
        asker: Asker | None = None
        n_shown = 0

        async def work(on_stop: Callable[[Callable[[], None]], None]) -> None:
            nonlocal asker
            with self._answers() as cache:
                dialect = self._dialect or self._first_dialect(self._remembered(cache))
                is_known = self._dialect is not None
                async with connected(self._model, self._options, has_answered=is_known) as connection:
                    asker = Asker(
                        connection,
                        cache,
                        self._requests,
                        self._ledger,
                        dialect,
                        is_dialect_known=is_known,
                        memory=self._memory,
                        concurrency=self._options.teacher_concurrency,
                    )
                    on_stop(asker.stop)
                    await asker.ask(questions)
                self._used = asker.dialect
                if asker.is_dialect_known:
                    self._dialect = asker.dialect

        def look() -> None:
            nonlocal n_shown
            if asker is not None and asker.n_settled > n_shown:
                bar.note(self._ledger.note)
                bar.update(asker.n_settled - n_shown)
                n_shown = asker.n_settled

        Session(work).run(look)

    def _answers(self) -> AbstractContextManager[Cache]:
        """The cache of this model's answers."""
        return open_cache(f"{PREFIX}{self._model}"[:_LONGEST_NAME], _CACHE_VERSION, paid=True)

    @property
    def _memory(self) -> str:
        """The name in the cache of the mode that was found for this teacher.

        What a server gives may change, as when it is started with other options; a transfer set may not, half way.
        """
        return f"mode {self._model} {self._prompt.hash} {self._prompt.api}"

    def _remembered(self, cache: Cache) -> Mode | None:
        mode: Mode | None = cache.look_up([self._memory]).get(self._memory)
        return mode

    def _first_dialect(self, remembered: Mode | None) -> Dialect:
        """How the server is asked first.

        :param remembered: how earlier answers of this teacher came about, if there are any.
        """
        asked = self._options.teacher_answers
        if not self._prompt.has_letters:
            mode: Mode = "json"
        elif asked == "auto":
            mode = remembered or "logprobs"
        else:
            mode = asked
        is_free = asked == "auto" and remembered is None
        return Dialect(mode, is_free, api=self._options.teacher_api)
