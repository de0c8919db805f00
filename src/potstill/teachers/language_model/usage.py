"""What asking a language model took: requests, tokens, money, time; and what it would take. Sends nothing."""

from collections import Counter, deque
from dataclasses import dataclass, field
from statistics import median

from potstill.teachers.language_model.options import LanguageModelOptions

_TIMED = 1000  # the requests whose times are remembered


@dataclass(frozen=True)
class Usage:
    """What a teacher's answers took, and how its scores came about.

    :param n_requests: that were sent, those that failed too.
    :param n_cached: answers that were paid for before.
    :param tokens_in: of the prompts that were sent; where the server does not say, an estimate.
    :param cost: in the currency of the prices; None without prices.
    :param seconds: a request, the median of the last answers, those of the cache too; 0 where that is not known.
    :param n_texts: that have an answer.
    :param used_in: tokens of the prompts of all answers that were used, those of the cache too; ``used_out`` of these
        answers.
    :param text_cost: what such a text costs, with all its requests; None without prices.
    :param n_compared: texts that were asked in more than one order of the labels.
    :param disagreement: the share of these with another label in another order; None where there are none.
    :param distance: half the sum of the differences of two orders' probabilities, the mean over these texts.
    :param answers: how answers became scores.
    :param left_out: texts without an answer, by reason.
    """

    n_requests: int
    n_cached: int
    tokens_in: int
    tokens_out: int
    cost: float | None
    seconds: float
    n_texts: int
    used_in: int
    used_out: int
    text_cost: float | None
    n_compared: int
    disagreement: float | None
    distance: float | None
    answers: str
    left_out: dict[str, int]

    def __str__(self) -> str:
        parts = [f"{self.n_requests} requests sent, {self.n_cached} answers from the cache"]
        parts.append(f"{self.tokens_in} tokens in, {self.tokens_out} out")
        if self.cost is not None:
            parts.append(f"cost {self.cost:.4g}")
        if self.n_requests:
            parts.append(f"{self.seconds:.2g} s a request")
        if self.disagreement is not None:
            parts.append(f"two orders of the labels disagree on {100 * self.disagreement:.1f}% of the texts")
        return ", ".join([*parts, f"scores from {self.answers}"])


@dataclass(frozen=True)
class RequestPlan:
    """What labelling texts would take; nothing was sent.

    :param n_texts: different ones.
    :param n_requests: to be sent, if none fails.
    :param n_cached: answers that are there already.
    :param tokens_in: an estimate, by the length of the prompts.
    :param tokens_out: the most that answers may have.
    :param cost: of these tokens; None without prices.
    """

    n_texts: int
    n_requests: int
    n_cached: int
    tokens_in: int
    tokens_out: int
    cost: float | None

    def __str__(self) -> str:
        tokens = f"about {self.tokens_in} tokens in and at most {self.tokens_out} out"
        money = "give --price_in and --price_out for their cost" if self.cost is None else f"cost about {self.cost:.4g}"
        return (
            f"{self.n_texts} different texts: {self.n_requests} requests to be sent, {self.n_cached} answers are in "
            f"the cache; {tokens} (an estimate, by length); {money}"
        )


@dataclass
class Ledger:
    """The running account of a teacher: it stops before a budget is exceeded."""

    options: LanguageModelOptions
    n_requests: int = 0
    n_cached: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    n_texts: int = 0
    used_in: int = 0  # tokens of all answers that were used, those of the cache too
    used_out: int = 0
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_TIMED))
    n_compared: int = 0
    n_disagreeing: int = 0
    distances: float = 0.0
    left_out: Counter[str] = field(default_factory=Counter)
    reserved: float = 0.0
    is_told: bool = False  # that the budget is used up
    before: tuple[int, int, int] = (0, 0, 0)  # requests and tokens of the accounts before this one

    @property
    def cost(self) -> float | None:
        """What was spent; None without prices."""
        return self.options.cost(self.tokens_in, self.tokens_out)

    def reserve(self, cost: float) -> bool:
        """Take money for a request that is to be sent, if there is so much left of the budget.

        :param cost: the most that it may cost.
        """
        options = self.options
        if options.max_requests is not None and self.n_requests >= options.max_requests:
            return False
        if options.max_cost is not None and (self.cost or 0.0) + self.reserved + cost > options.max_cost:
            return False
        self.n_requests += 1
        self.reserved += cost
        return True

    def use(self, tokens_in: int, tokens_out: int, seconds: float) -> None:
        """Count an answer of which scores are made, whether it was sent for now or before."""
        self.used_in += tokens_in
        self.used_out += tokens_out
        if seconds:
            self.seconds.append(seconds)

    def free(self, cost: float) -> None:
        """Give back what was reserved for a request that has ended."""
        self.reserved -= cost

    def start_account(self) -> None:
        """Begin another account: what was sent before is not in it, but counts for the budget."""
        self.before = (self.n_requests, self.tokens_in, self.tokens_out)
        self.forget_texts()

    def forget_texts(self) -> None:
        """Forget what was counted by text, which is to be asked about again; money stays."""
        self.n_cached = self.n_compared = self.n_disagreeing = self.n_texts = self.used_in = self.used_out = 0
        self.distances = 0.0
        self.left_out.clear()

    @property
    def note(self) -> str:
        """The money spent so far, or the tokens, for a progress bar."""
        if self.cost is not None:
            return f"cost {self.cost:.4g}"
        return f"{self.tokens_in + self.tokens_out} tokens"

    @property
    def _text_cost(self) -> float | None:
        cost = self.options.cost(self.used_in, self.used_out)
        return None if cost is None or not self.n_texts else cost / self.n_texts

    def usage(self, answers: str) -> Usage:
        """The account as it stands.

        :param answers: how answers became scores.
        """
        n_requests, tokens_in, tokens_out = self.before
        sent = (self.tokens_in - tokens_in, self.tokens_out - tokens_out)
        return Usage(
            n_requests=self.n_requests - n_requests,
            n_cached=self.n_cached,
            tokens_in=sent[0],
            tokens_out=sent[1],
            cost=self.options.cost(*sent),
            seconds=median(self.seconds) if self.seconds else 0.0,
            n_texts=self.n_texts,
            used_in=self.used_in,
            used_out=self.used_out,
            text_cost=self._text_cost,
            n_compared=self.n_compared,
            disagreement=self.n_disagreeing / self.n_compared if self.n_compared else None,
            distance=self.distances / self.n_compared if self.n_compared else None,
            answers=answers,
            left_out=dict(self.left_out),
        )


def estimate_tokens(n_bytes: int, n_messages: int) -> int:
    """About how many tokens a prompt has: four bytes each, as of English, and what divides messages."""
    return n_bytes // 4 + 6 * n_messages


def most_tokens(n_bytes: int, n_messages: int) -> int:
    """How many tokens a prompt may have at most: a byte each, and what divides messages."""
    return n_bytes + 12 * n_messages
