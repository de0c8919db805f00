"""The options of a language model as the teacher. Knows no client and no prompt."""

import math
from dataclasses import dataclass
from typing import Literal

from potstill.errors import PotstillError, shown

Api = Literal["chat", "completions"]
Answers = Literal["auto", "logprobs", "json"]

_MOST_REQUESTS_AT_ONCE = 1000  # what the client's pool of connections holds


@dataclass(frozen=True)
class LanguageModelOptions:
    """How a language model behind an API is asked."""

    teacher_url: str = ""
    """The server of a language model as the teacher (openai:MODEL), such as http://127.0.0.1:8080/v1; default:
    OpenAI's. The key comes from the variable OPENAI_API_KEY."""
    teacher_concurrency: int = 16
    """Requests to the language model at the same time."""
    teacher_timeout: float = 60.0
    """Seconds until a request counts as failed and is sent again."""
    teacher_orders: int = 2
    """In how many orders of the labels each text is asked; the answers are averaged. A request each."""
    teacher_answers: Answers = "auto"
    """What becomes scores: logprobs, the probabilities of one-letter answers; or json, the label that an answer names.
    auto: logprobs where the server gives them."""
    teacher_samples: int = 1
    """With json: answers a text; their shares are its probabilities. A request each."""
    teacher_smoothing: float = 0.1
    """With json: the share of probability that is spread evenly over all labels."""
    teacher_shots: int | None = None
    """Examples in the prompt that are drawn from train, where there is one: the same for all texts. Default: two a
    label, at most 16."""
    teacher_api: Api = "chat"
    """completions: for base models, which continue a text and were not taught to chat."""
    price_in: float | None = None
    """What a million tokens of prompt cost, in any currency."""
    price_out: float | None = None
    """What a million tokens of answer cost."""
    max_requests: int | None = None
    """Send no more requests than this in one command; what is labelled then is a usable transfer set."""
    max_cost: float | None = None
    """Spend no more than this in one command, in the currency of the prices."""

    def __post_init__(self) -> None:
        if self.teacher_url and not self.teacher_url.startswith(("http://", "https://")):
            raise PotstillError(
                f"teacher_url '{shown(self.teacher_url)}' is no address; give one such as http://127.0.0.1:8080/v1"
            )
        if "@" in self.teacher_url.partition("//")[2].partition("/")[0]:  # it would stand in run.json
            raise PotstillError(
                "teacher_url has a name or password in it; leave it out: the key comes from OPENAI_API_KEY"
            )
        if not 1 <= self.teacher_concurrency <= _MOST_REQUESTS_AT_ONCE:
            raise PotstillError(
                f"teacher_concurrency is {self.teacher_concurrency}; give 1 to {_MOST_REQUESTS_AT_ONCE}"
            )
        if not 0 < self.teacher_timeout < math.inf:
            raise PotstillError(f"teacher_timeout is {self.teacher_timeout}; give seconds above 0")
        for name in ("teacher_orders", "teacher_samples"):
            if getattr(self, name) < 1:
                raise PotstillError(f"{name} is {getattr(self, name)}; give 1 or more")
        if not 0 < self.teacher_smoothing < 1:
            raise PotstillError(f"teacher_smoothing is {self.teacher_smoothing}; give a number between 0 and 1")
        if self.teacher_shots is not None and self.teacher_shots < 0:
            raise PotstillError(f"teacher_shots is {self.teacher_shots}; give 0 or more")
        self._check_money()

    def _check_money(self) -> None:
        for name in ("price_in", "price_out"):
            price = getattr(self, name)
            if price is not None and not 0 <= price < math.inf:
                raise PotstillError(f"{name} is {price}; give what a million tokens cost")
        if (self.price_in is None) != (self.price_out is None):
            raise PotstillError("price_in and price_out belong together: give both (0 is a price)")
        for name in ("max_requests", "max_cost"):
            most = getattr(self, name)
            if most is not None and not 0 < most < math.inf:
                raise PotstillError(
                    f"{name} is {most}: nothing could be asked; give more, or leave it out for no limit"
                )
        if self.max_cost is not None and not self.price_in and not self.price_out:
            raise PotstillError("max_cost needs prices: give price_in and price_out, a million tokens each")

    @property
    def is_limited(self) -> bool:
        """Whether there is a budget."""
        return self.max_requests is not None or self.max_cost is not None

    def n_shots(self, n_labels: int) -> int:
        """How many examples are drawn from train, for a task of so many labels."""
        return min(2 * n_labels, 16) if self.teacher_shots is None else self.teacher_shots

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """What so many tokens cost; None where no price is given."""
        if self.price_in is None or self.price_out is None:
            return None
        return (self.price_in * tokens_in + self.price_out * tokens_out) / 1e6
