"""Micro-batches: what waits is predicted together, in bounded calls, and no request gets another's result."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from potstill.serving import batcher as batcher_module
from potstill.serving.batcher import Batcher, Overloaded


class Model:
    """A stand-in: a text's probability is its number. Holds each call until it is released."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.free = threading.Event()
        self.free.set()

    def __call__(self, texts: list[Any]) -> NDArray[np.float32]:
        self.calls.append(texts)
        assert self.free.wait(30)
        return np.array([[float(text)] for text in texts], dtype=np.float32)


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_an_idle_model_starts_at_once_and_waiting_requests_share_one_call() -> None:
    async def scenario() -> None:
        model, sizes = Model(), list[int]()
        batcher = Batcher(model, 8, sizes.append)
        model.free.clear()
        first = asyncio.create_task(batcher.predict(["0"]))
        await until(lambda: model.calls)  # it is not held back for others
        rest = [asyncio.create_task(batcher.predict([str(i), str(10 * i)])) for i in (1, 2, 3)]
        await asyncio.sleep(0)
        model.free.set()
        results = [rows.ravel().tolist() for rows in await asyncio.gather(first, *rest)]
        assert results == [[0], [1, 10], [2, 20], [3, 30]]
        assert model.calls == [["0"], ["1", "10", "2", "20", "3", "30"]] and sizes == [1, 6]
        batcher.close()

    asyncio.run(scenario())


def test_no_call_has_more_texts_than_allowed_and_the_order_is_kept() -> None:
    async def scenario() -> None:
        model, sizes = Model(), list[int]()
        batcher = Batcher(model, 4, sizes.append)
        model.free.clear()
        tasks = [asyncio.create_task(batcher.predict(["7"] * n)) for n in (1, 3, 2, 2, 4)]
        await until(lambda: model.calls)
        model.free.set()
        assert [len(rows) for rows in await asyncio.gather(*tasks)] == [1, 3, 2, 2, 4]
        assert sizes == [4, 4, 4]
        assert len(await batcher.predict_many([str(i) for i in range(10)])) == 10
        assert sizes[3:] == [4, 4, 2]
        batcher.close()

    asyncio.run(scenario())


def test_a_text_that_breaks_the_model_fails_no_other_request() -> None:
    async def scenario() -> None:
        model = Model()
        batcher = Batcher(model, 8, lambda _: None)
        tasks = [asyncio.create_task(batcher.predict([text])) for text in ("1", "broken", "3")]
        first, broken, third = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(broken, ValueError)
        assert np.ravel([first, third]).tolist() == [1, 3]
        assert (await batcher.predict(["4"])).tolist() == [[4]]
        batcher.close()

    asyncio.run(scenario())


def test_more_than_can_be_predicted_soon_is_refused_and_the_rest_is_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher_module, "MAX_WAITING", 3)

    async def scenario() -> None:
        model = Model()
        batcher = Batcher(model, 2, lambda _: None)
        model.free.clear()
        first = asyncio.create_task(batcher.predict(["0"]))
        await until(lambda: model.calls)
        waiting = [asyncio.create_task(batcher.predict(["1"])) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await batcher.predict(["2"])
        model.free.set()
        assert len(await asyncio.gather(first, *waiting)) == 4
        assert (await batcher.predict(["2"])).tolist() == [[2]]
        batcher.close()

    asyncio.run(scenario())


def test_a_cancelled_request_does_not_stop_the_others() -> None:
    async def scenario() -> None:
        model = Model()
        batcher = Batcher(model, 8, lambda _: None)
        model.free.clear()
        gone, stays = (asyncio.create_task(batcher.predict([text])) for text in ("1", "2"))
        await until(lambda: model.calls)
        gone.cancel()
        model.free.set()
        assert (await stays).tolist() == [[2]]
        batcher.close()

    asyncio.run(scenario())
