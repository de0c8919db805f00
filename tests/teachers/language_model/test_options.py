"""The options of a language model: values that cannot be are one line."""

from typing import Any

import pytest

from potstill.errors import PotstillError
from potstill.teachers.language_model.options import LanguageModelOptions


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"teacher_url": "localhost:80"}, "'localhost:80' is no address; give one such as http://"),
        ({"teacher_concurrency": 0}, "teacher_concurrency is 0; give 1 to 1000"),
        ({"teacher_timeout": 0.0}, "give seconds above 0"),
        ({"teacher_orders": 0}, "teacher_orders is 0; give 1 or more"),
        ({"teacher_samples": -1}, "teacher_samples is -1"),
        ({"teacher_smoothing": 0.0}, "teacher_smoothing is 0.0; give a number between 0 and 1"),
        ({"teacher_shots": -1}, "teacher_shots is -1"),
        ({"price_in": -1.0, "price_out": 1.0}, "price_in is -1.0"),
        ({"price_in": 1.0}, "belong together"),
        ({"max_requests": 0}, "max_requests is 0: nothing could be asked"),
        ({"max_cost": 0.0, "price_in": 1.0, "price_out": 1.0}, "max_cost is 0.0: nothing could be asked"),
        ({"max_cost": 1.0}, "max_cost needs prices"),
    ],
)
def test_what_cannot_be_is_one_line(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PotstillError, match=complaint):
        LanguageModelOptions(**options)


def test_examples_are_two_a_label_but_not_many() -> None:
    assert [LanguageModelOptions().n_shots(n) for n in (2, 5, 50)] == [4, 10, 16]
    assert LanguageModelOptions(teacher_shots=0).n_shots(2) == 0


def test_tokens_cost_what_the_prices_say() -> None:
    assert LanguageModelOptions().cost(5, 5) is None
    assert LanguageModelOptions(price_in=2, price_out=10).cost(1_000_000, 500_000) == 7
