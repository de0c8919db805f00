"""A server under load with clients that misbehave: the short form of ``benchmarks/stress.py``."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import potstill
import stress
from misbehaving import Misbehaviour, misbehave, misbehaviours
from potstill.progress import silent
from potstill.serving.app import create_app
from potstill.serving.limits import Limits
from potstill.serving.metrics import Metrics
from potstill.serving.models import Loader
from servers import running
from serving import RequestCase, Tally, load, make_cases, post

TEXTS = [" ".join(words) for words in product("abcdef", repeat=3)]
NARROW = Limits(max_texts=64, max_characters=1000, max_body=100_000, body_seconds=1.0)


@pytest.mark.skipif(sys.platform != "linux", reason="the benchmark needs Linux")
def test_nothing_is_lost_mixed_up_or_left_over(student: Path) -> None:
    options = stress.Options(
        student=student, data=student, seconds=2.0, capacity_seconds=0.5, share=0.3, connections=8, misbehaving=40.0,
        limits=NARROW,
    )  # fmt: skip
    result = stress.measure(options, TEXTS)
    assert result.faults(growth=50.0) == []
    assert result.tally.milliseconds and result.tally.max_error < 1e-5
    planned = {misbehaviour.name for misbehaviour in misbehaviours(NARROW, good(student))}
    assert {name for name, _, _ in result.outcomes} == planned
    printed = "\n".join(stress.table(result))
    assert "exit status 0" in printed and all(name in printed for name in planned)


def good(student: Path) -> RequestCase:
    return make_cases(potstill.load(student, threads=1), TEXTS[:1])[0]


Spoil = Callable[[Any], Any]


class Spoiled:
    """The application with spoiled responses."""

    def __init__(self, app: ASGIApp, spoil: Spoil) -> None:
        self._app, self._spoil = app, spoil

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: list[Message] = []

        async def spoiled(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.append(message)
                return
            if message["type"] != "http.response.body":
                await send(message)
                return
            body = json.dumps(self._spoil(json.loads(message["body"]))).encode()
            headers = [(name, value) for name, value in start[0]["headers"] if name != b"content-length"]
            headers.append((b"content-length", b"%d" % len(body)))
            await send({**start[0], "headers": headers})
            await send({**message, "body": body})

        await self._app(scope, receive, spoiled if scope["type"] == "http" else send)


def application(student: Path) -> ASGIApp:
    metrics = Metrics()
    return create_app(Loader(1, NARROW, metrics, silent).open([f"one={student}"], None, None), NARROW, metrics, None)


def send(port: int, cases: list[RequestCase]) -> Tally:
    return asyncio.run(load(port, cases, rate=0, seconds=0.2, connections=2))[0]


def reverse(body: Any) -> Any:
    return {**body, "answers": body["answers"][::-1]}


def drop(body: Any) -> Any:
    return {**body, "answers": body["answers"][1:]}


def shift(body: Any) -> Any:
    """The right label, but another text's probabilities."""
    predictions = [
        {**prediction, "probabilities": {label: share / 2 for label, share in prediction["probabilities"].items()}}
        for prediction in body["answers"]
    ]
    return {**body, "answers": predictions}


@pytest.mark.parametrize("spoil", [reverse, drop, shift])
def test_mixed_up_predictions_are_noticed(student: Path, spoil: Spoil) -> None:
    cases = make_cases(potstill.load(student, threads=1), TEXTS, [8])
    with running(Spoiled(application(student), spoil)) as client:
        tally = send(client.port, cases)
    assert tally.wrong == len(tally.milliseconds) > 0 and not tally.lost


def test_cases_hold_each_text_once_and_in_order(student: Path) -> None:
    cases = make_cases(potstill.load(student, threads=1), TEXTS, [1, 5])
    assert [len(case.labels) for case in cases[:3]] == [1, 5, 1]
    assert sum(len(case.labels) for case in cases) == len(TEXTS)
    labels = [label for case in cases for label in case.labels]
    assert labels == potstill.load(student, threads=1).predict(TEXTS).tolist()


@pytest.mark.parametrize("expected", ["404, open", "422, closed"])
def test_unexpected_responses_are_counted(student: Path, expected: str) -> None:
    twice = Misbehaviour("broken JSON", [post("/predict", b"{")] * 2, expected)
    with running(application(student)) as client:
        outcomes = asyncio.run(misbehave(client.port, [twice], [good(student)], rate=50, seconds=0.1))
    assert sum(outcomes.values()) == 5 and not any(right for _, _, right in outcomes)


def test_a_connection_that_goes_on_with_another_response_is_noticed(student: Path) -> None:
    refused = next(kind for kind in misbehaviours(NARROW, good(student)) if kind.name == "broken JSON")
    other = replace(good(student), labels=["nobody's"])
    with running(application(student)) as client:
        outcomes = asyncio.run(misbehave(client.port, [refused], [other], rate=50, seconds=0.1))
    assert set(outcomes) == {("broken JSON", "422, then wrong", False)}
