"""Asks a language model about texts, many at the same time, until each has an answer or is left out.

Each answer is in the cache before anything is made of it. A request that failed waits for its next turn beside the
others and takes the place of none.
"""

import asyncio
import heapq
import itertools
import logging
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from potstill.cache import Cache
from potstill.corpus.streams import in_parts
from potstill.corpus.texts import Text
from potstill.errors import PotstillError
from potstill.teachers.language_model.answers import Answer, NoLabelError, Scores
from potstill.teachers.language_model.connection import BusyError, Connection, NoAnswerError, UnsupportedError
from potstill.teachers.language_model.dialect import Dialect
from potstill.teachers.language_model.keeping import Keeper
from potstill.teachers.language_model.requests import Requests, Slot
from potstill.teachers.language_model.usage import Ledger

logger = logging.getLogger(__name__)

TRIES = 6  # times that a request is sent that fails
# Seconds at most before it is sent again, three times as long each time. The first is short: the last texts of a shard
# that fail are waited for by nobody else, and twelve seconds in all are enough for a server that starts again.
FIRST_WAIT, LONGEST_WAIT = 0.1, 30.0
PATIENCE = 120.0  # seconds without any answer, until "too many requests" counts as a failure of the text
ASKED_AGAIN = 2  # times, where an answer names no label
MOST_FAILURES = 50  # texts in a row that are left out as requests fail: the server is gone
BUDGET = "budget"
_LAST_FAILURES = 5  # the same, where no other text was answered after them
_LONGEST_PAUSE = 600.0  # seconds that a server may ask to wait
GRACE = 5.0  # seconds for answers that are under way when nothing more is to be sent
_BLOCK = 256  # texts that are asked about in one order of the labels, then in the next one
_TURN = 64  # answers of the cache in a row
_DIALECTS = 6  # changes of a request until a server takes it
_LONG = 5.0  # seconds of waiting that are worth a line


@dataclass
class Question:
    """A text under way.

    :ivar scores: of its answers so far.
    :ivar logits: float64 ``[n_labels]``, when all are there.
    :ivar reason: why it is left out; empty while it is not.
    """

    text: Text
    scores: dict[Slot, Scores | int] = field(default_factory=dict)
    logits: Scores | None = None
    reason: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is to be asked."""
        return self.logits is not None or bool(self.reason)


@dataclass
class _Item:
    """A request that is to be made.

    :ivar attempt: counts the answers that named no label.
    :ivar failures: counts the times that it failed since; waits those that it was put off.
    """

    question: Question
    slot: Slot
    attempt: int = 0
    failures: int = 0
    waits: int = 0


class Asker:
    """Asks about the texts of one call.

    :param dialect: what is known of the server; :attr:`dialect` is what was found.
    :param memory: the name under which the cache keeps the mode that was found.
    """

    def __init__(
        self,
        connection: Connection,
        cache: Cache,
        requests: Requests,
        ledger: Ledger,
        dialect: Dialect,
        *,
        is_dialect_known: bool,
        memory: str,
        concurrency: int,
    ) -> None:
        self.dialect = dialect
        self.is_dialect_known = is_dialect_known
        self.n_settled = 0
        self._connection = connection
        self._keeper = Keeper(cache, self._fail_all)
        self._memory = memory
        self._requests = requests
        self._ledger = ledger
        self._concurrency = concurrency
        self._again: list[tuple[float, int, _Item]] = []  # by the time when they are due
        self._counter = itertools.count()
        self._pause_until = 0.0
        self._answered_at = time.monotonic()
        self._n_failed_in_a_row = 0
        self._last_failure = ""
        self._n_in_flight = 0
        self._landed = asyncio.Event()
        self._stop = asyncio.Event()
        self._error: Exception | None = None
        self._workers: list[asyncio.Task[None]] = []
        self._is_exhausted = False

    def stop(self) -> None:
        """Send nothing more; what is under way may end, within a grace."""
        if not self._stop.is_set():
            self._stop.set()
            asyncio.get_running_loop().call_later(GRACE, self._cancel)

    def _cancel(self) -> None:
        for worker in self._workers:
            worker.cancel()

    async def ask(self, questions: Sequence[Question]) -> None:
        """Settle all questions, or those that can be until :meth:`stop`.

        :raises PotstillError: when no request would have an answer.
        """
        items = self._items(questions)
        # One at a time until it is known what the server understands; answers in the cache need none.
        try:
            while not self.is_dialect_known and (item := await self._next(items)) is not None:
                await self._take(item)
            self._workers = [asyncio.create_task(self._work(items)) for _ in range(self._concurrency)]
            await asyncio.gather(*self._workers, return_exceptions=True)  # what was raised is in _error
        finally:
            self._keeper.flush()
        if self._error is not None:
            raise self._error
        if self._n_failed_in_a_row >= _LAST_FAILURES:  # the server went away near the end: nothing came after these
            raise self._gone(self._n_failed_in_a_row, self._last_failure)

    def _items(self, questions: Sequence[Question]) -> Iterator[_Item]:
        # One order of the labels after the other: a server that keeps the beginning of the last prompt reads it once a
        # block. With a budget one text after the other: half a text's answers are worth nothing.
        for block in in_parts(questions, 1 if self._ledger.options.is_limited else _BLOCK):
            number = 0  # the first request is the same in each mode; it may show which one it is
            while number < len(slots := self._requests.slots(self.dialect.mode)):
                for question in block:
                    yield _Item(question, slots[number])
                number += 1

    async def _work(self, items: Iterator[_Item]) -> None:
        while (item := await self._next(items)) is not None:
            await self._take(item)

    async def _next(self, items: Iterator[_Item]) -> _Item | None:
        """The next request whose time has come; None when there are no more."""
        while not self._stop.is_set():
            now = time.monotonic()
            if now < self._pause_until:
                await self._wait(self._pause_until - now)
            elif self._again and self._again[0][0] <= now:
                return heapq.heappop(self._again)[2]
            elif (item := next(items, None)) is not None:
                return item
            elif self._again:
                await self._wait(self._again[0][0] - now)
            else:
                return None
        return None

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def _take(self, item: _Item) -> None:
        """Make a request, unless its answer is in the cache, and see what it says."""
        if item.question.is_settled:
            return
        try:
            key = self._key(item)
            answer = self._keeper.find(key)
            if answer is not None:
                self._ledger.n_cached += 1
                if self._ledger.n_cached % _TURN == 0:
                    await asyncio.sleep(0)  # what arrives meanwhile is seen to
            else:
                answer = await self._answer(item, key)
            if answer is not None:
                self._ledger.use(*self._tokens_of(item, answer), answer.seconds)
                self._read(item, answer)
        except Exception as error:
            self._fail_all(error)

    def _fail_all(self, error: Exception) -> None:
        """End with an error, when what is under way has ended."""
        self._error = self._error or error
        self.stop()

    def _key(self, item: _Item) -> str:
        return self._requests.key(item.question.text, item.slot, item.attempt, self.dialect.mode)

    async def _answer(self, item: _Item, key: str) -> Answer | None:
        """Send a request, and keep what comes back; None where there is nothing (yet).

        :param key: of the answer in the cache.
        """
        cost = self._most_cost(item)
        if not await self._reserve(cost):
            if not self._stop.is_set():
                self._leave_out(item, BUDGET)
            return None
        self._n_in_flight += 1
        try:
            answer = await self._send(item, key)
        except BusyError as error:
            self._fail(item, error)
            return None
        except NoAnswerError as error:
            self._leave_out(item, str(error))
            return None
        except UnsupportedError as error:
            self._refused(item, error)
            return None
        finally:
            self._ledger.free(cost)
            self._n_in_flight -= 1
            self._landed.set()
        self._n_failed_in_a_row = 0
        self._answered_at = time.monotonic()
        return answer

    def _most_cost(self, item: _Item) -> float:
        """What a request costs at most; 0 where there is no limit to it."""
        if self._ledger.options.max_cost is None:
            return 0.0
        _, most, longest = self._requests.tokens(item.question.text, item.slot, self.dialect.mode)
        return self._ledger.options.cost(most, longest) or 0.0

    async def _reserve(self, cost: float) -> bool:
        """Take money for a request; what those under way will leave of theirs is waited for."""
        while not self._is_exhausted and not self._stop.is_set():
            if self._ledger.reserve(cost):
                return True
            if not self._n_in_flight:
                self._is_exhausted = True
                if not self._ledger.is_told:
                    self._ledger.is_told = True
                    logger.info("the budget is used up (%s): what is left is left out", self._ledger.note)
                break
            self._landed.clear()
            await self._landed.wait()
        return False

    async def _send(self, item: _Item, key: str) -> Answer:
        body = self._requests.body(item.question.text, item.slot, item.attempt, self.dialect)
        begin = time.perf_counter()
        answer = await self._connection.send(body)
        answer = replace(answer, seconds=round(time.perf_counter() - begin, 6))
        is_said = answer.text.strip() and not answer.refusal and answer.stop != "content_filter"
        has_scores = self.dialect.mode == "json" or answer.top is not None
        if not self.is_dialect_known and not has_scores and is_said:
            self._count(item, answer)
            raise UnsupportedError("")
        # First of all: it was paid for.
        self._keeper.keep(key, answer.as_json())
        self._count(item, answer)
        if not self.is_dialect_known and has_scores:  # an empty answer or a refusal shows nothing
            self.is_dialect_known = True
            if self.dialect.is_free:  # a mode that the user chose says nothing of what the server can
                self._keeper.keep(self._memory, self.dialect.mode)
            logger.info("the teacher's scores: %s", self._requests.describe(self.dialect))
        return answer

    def _count(self, item: _Item, answer: Answer) -> None:
        tokens_in, tokens_out = self._tokens_of(item, answer)
        self._ledger.tokens_in += tokens_in
        self._ledger.tokens_out += tokens_out

    def _tokens_of(self, item: _Item, answer: Answer) -> tuple[int, int]:
        """Of prompt and answer; where the server does not say, an estimate."""
        if answer.tokens_in is not None and answer.tokens_out is not None:
            return answer.tokens_in, answer.tokens_out
        about, _, longest = self._requests.tokens(item.question.text, item.slot, self.dialect.mode)
        return answer.tokens_in or about, answer.tokens_out or longest

    def _refused(self, item: _Item, error: UnsupportedError) -> None:
        """The server does not take the request: another dialect, as long as none is known; else it is of the text."""
        if self.is_dialect_known:
            self._leave_out(item, f"refused by the server: {error.why}", is_failure=True)
            return
        item.failures += 1
        if item.failures > _DIALECTS:
            raise PotstillError(f"the teacher's server refuses the request: {error.why}")
        self.dialect = self.dialect.adapted(error.why) if error.why else self.dialect.without_logprobs()
        self._put_back(item, 0.0)

    def _fail(self, item: _Item, error: BusyError) -> None:
        """Send a request again later; with ``Retry-After`` nothing else is sent before that either."""
        if error.wait is not None:
            if error.wait > _LONGEST_PAUSE:
                raise PotstillError(
                    f"the teacher's server asks to wait {error.wait:.0f} s ({error}): give the same command again "
                    "then; the answers that came are kept"
                )
            if error.wait >= _LONG and time.monotonic() > self._pause_until:
                logger.info("the teacher's server asks to wait %.0f s (%s)", error.wait, error)
            self._pause_until = max(self._pause_until, time.monotonic() + error.wait)
        # At a limit the requests beside it are answered: it is no fault of this text, however often it comes.
        is_limited = error.is_limit and self.is_dialect_known
        if not is_limited or time.monotonic() - self._answered_at > PATIENCE:
            item.failures += 1
        item.waits += 1
        if item.failures < TRIES:
            # With jitter: what failed together is not sent together again.
            longest = min(FIRST_WAIT * 3 ** (item.waits - 1), LONGEST_WAIT)
            self._put_back(item, (error.wait or 0.0) + longest * random.uniform(0.1, 1.0))
        elif not self.is_dialect_known:
            raise PotstillError(f"the teacher's server gives no answer: {error}; {TRIES} requests were sent")
        else:
            self._leave_out(item, f"failed {TRIES} times: {error}", is_failure=True)

    def _put_back(self, item: _Item, seconds: float) -> None:
        heapq.heappush(self._again, (time.monotonic() + seconds, next(self._counter), item))

    def _read(self, item: _Item, answer: Answer) -> None:
        """Make scores of an answer; one that names no label is asked for again."""
        question, mode = item.question, self.dialect.mode
        if question.is_settled:
            return
        try:
            question.scores[item.slot] = self._requests.score(answer, item.slot, mode)
        except NoLabelError as error:
            if item.attempt < ASKED_AGAIN:
                self._put_back(_Item(question, item.slot, item.attempt + 1), 0.0)
            else:
                self._leave_out(item, str(error))
            return
        if len(question.scores) == len(self._requests.slots(mode)):
            question.logits, comparison = self._requests.combine(question.scores, mode)
            question.scores.clear()
            self.n_settled += 1
            self._ledger.n_texts += 1
            if comparison is not None:
                self._ledger.n_compared += 1
                self._ledger.n_disagreeing += not comparison.agrees
                self._ledger.distances += comparison.distance

    def _leave_out(self, item: _Item, reason: str, *, is_failure: bool = False) -> None:
        """Settle a question without an answer.

        :param is_failure: of the server, which may be gone.
        """
        if item.question.is_settled:
            return
        item.question.reason = reason
        self.n_settled += 1
        self._ledger.left_out[reason.partition(":")[0]] += 1
        self._n_failed_in_a_row += is_failure
        if is_failure:
            self._last_failure = reason
        if self._n_failed_in_a_row >= MOST_FAILURES:
            raise self._gone(MOST_FAILURES, reason)

    def _gone(self, n_texts: int, reason: str) -> PotstillError:
        return PotstillError(
            f"the teacher's server has failed for {n_texts} texts in a row, the last time: {reason}; the answers that "
            "came are kept: the same command goes on after them"
        )
