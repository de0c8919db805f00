"""Micro-batches: what waits is answered together, in bounded calls, and nobody's answer goes to another."""

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from potstill.serving import batcher as batcher_module
from potstill.serving.batcher import Batcher, Overloaded


class Model:
    """A stand-in: a text's answer is its number. Holds each call until it is let go."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.free = threading.Event()
        self.free.set()

    def __call__(self, texts: list[str]) -> NDArray[np.float32]:
        self.calls.append(texts)
        assert self.free.wait(30)
        return np.array([[float(text)] for text in texts], dtype=np.float32)


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_an_idle_model_starts_at_once_and_what_waits_is_answered_in_one_call() -> None:
    async def scenario() -> None:
        model, sizes = Model(), list[int]()
        batcher = Batcher(model, 8, sizes.append)
        model.free.clear()
        first = asyncio.create_task(batcher.answer(["0"]))
        await until(lambda: model.calls)  # it is not held back for others
        rest = [asyncio.create_task(batcher.answer([str(i), str(10 * i)])) for i in (1, 2, 3)]
        await asyncio.sleep(0)
        model.free.set()
        answers = [answer.ravel().tolist() for answer in await asyncio.gather(first, *rest)]
        assert answers == [[0], [1, 10], [2, 20], [3, 30]]
        assert model.calls == [["0"], ["1", "10", "2", "20", "3", "30"]] and sizes == [1, 6]
        batcher.close()

    asyncio.run(scenario())


def test_no_call_has_more_texts_than_allowed_and_the_order_is_kept() -> None:
    async def scenario() -> None:
        model, sizes = Model(), list[int]()
        batcher = Batcher(model, 4, sizes.append)
        model.free.clear()
        tasks = [asyncio.create_task(batcher.answer(["7"] * n)) for n in (1, 3, 2, 2, 4)]
        await until(lambda: model.calls)
        model.free.set()
        assert [len(answer) for answer in await asyncio.gather(*tasks)] == [1, 3, 2, 2, 4]
        assert sizes == [4, 4, 4]
        assert len(await batcher.answer_many([str(i) for i in range(10)])) == 10
        assert sizes[3:] == [4, 4, 2]
        batcher.close()

    asyncio.run(scenario())


def test_a_text_that_breaks_the_model_costs_no_other_its_answer() -> None:
    async def scenario() -> None:
        model = Model()
        batcher = Batcher(model, 8, lambda _: None)
        tasks = [asyncio.create_task(batcher.answer([text])) for text in ("1", "broken", "3")]
        one, broken, three = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(broken, ValueError)
        assert np.ravel([one, three]).tolist() == [1, 3]
        assert (await batcher.answer(["4"])).tolist() == [[4]]
        batcher.close()

    asyncio.run(scenario())


def test_more_than_can_be_answered_soon_is_refused_and_the_rest_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher_module, "MAX_WAITING", 3)

    async def scenario() -> None:
        model = Model()
        batcher = Batcher(model, 2, lambda _: None)
        model.free.clear()
        first = asyncio.create_task(batcher.answer(["0"]))
        await until(lambda: model.calls)
        waiting = [asyncio.create_task(batcher.answer(["1"])) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await batcher.answer(["2"])
        model.free.set()
        assert len(await asyncio.gather(first, *waiting)) == 4
        assert (await batcher.answer(["2"])).tolist() == [[2]]
        batcher.close()

    asyncio.run(scenario())


def test_one_who_has_hung_up_does_not_stop_the_others() -> None:
    async def scenario() -> None:
        model = Model()
        batcher = Batcher(model, 8, lambda _: None)
        model.free.clear()
        gone, stays = (asyncio.create_task(batcher.answer([text])) for text in ("1", "2"))
        await until(lambda: model.calls)
        gone.cancel()
        model.free.set()
        assert (await stays).tolist() == [[2]]
        batcher.close()

    asyncio.run(scenario())
