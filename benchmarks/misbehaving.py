"""Clients that misbehave, and what the server should do about each.

Each has a connection of its own. Where the server should keep the connection open, a valid request follows over it,
whose response must be right: the bad bytes must not become a part of it.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from potstill.serving.header_limit import MAX_HEADER_BYTES
from potstill.serving.limits import Limits
from serving import PATIENCE, RequestCase, Tally, check, post, read_response

HUNG_UP = "hung up"
_CHUNK = 50_000  # bytes
_GARBAGE = 8  # pieces of it


@dataclass(frozen=True)
class Misbehaviour:
    """What a client does.

    :param parts: what it sends.
    :param expected: the status of the response and what happens to the connection, such as ``413, closed``; or
        :data:`HUNG_UP`, of a client that waits for no response.
    :param pause: seconds after each part.
    :param resets: it aborts the connection rather than closing it.
    """

    name: str
    parts: Sequence[bytes]
    expected: str
    pause: float = 0.0
    resets: bool = False


Outcomes = Counter[tuple[str, str, bool]]
"""How often a misbehaviour of a name had an outcome, and whether that was the expected one."""


def misbehaviours(limits: Limits, good: RequestCase) -> list[Misbehaviour]:
    """Each kind at least once.

    :param good: a valid request; some clients hang up before its response.
    """
    return [*_breaking_off(good), *_no_http(), *_oversize(limits), *_slow(limits), *_refused(limits)]


def _breaking_off(good: RequestCase) -> Iterator[Misbehaviour]:
    whole, head = good.request, good.request.index(b"\r\n\r\n") + 4
    for resets in (False, True):
        yield Misbehaviour("breaks off in the head", [whole[: head // 2]], HUNG_UP, 0.001, resets)
        yield Misbehaviour("breaks off in the body", [whole[: head + 5]], HUNG_UP, 0.001, resets)
        for pause in (0.0, 0.0005, 0.002):
            yield Misbehaviour("breaks off before the answer", [whole], HUNG_UP, pause, resets)


def _no_http() -> Iterator[Misbehaviour]:
    generator = np.random.default_rng(0)
    for _ in range(_GARBAGE):
        yield Misbehaviour("no HTTP", [b"\x16\x03\x01" + generator.bytes(200)], "400, closed")
        yield Misbehaviour("no HTTP", [b"GET " + generator.bytes(200)], "400, closed")
    yield Misbehaviour("no HTTP", [b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n"], "400, closed")


def _oversize(limits: Limits) -> Iterator[Misbehaviour]:
    body = b'{"text": "' + b"a" * limits.max_body + b'"}'
    parts = [body[start : start + _CHUNK] for start in range(0, len(body), _CHUNK)]
    yield Misbehaviour("too large", [post("/predict", body)], "413, closed")
    chunked = b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
    yield Misbehaviour("too large, in chunks", [chunked, *chunks, b"0\r\n\r\n"], "413, closed")
    waits = b"POST /predict HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9999999999\r\n\r\n"
    yield Misbehaviour("too large, asks first", [waits], "413, closed")
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\n"
    for headers in (b"long: " + b"a" * MAX_HEADER_BYTES, b"short: a\r\n" * (MAX_HEADER_BYTES // 10)):
        yield Misbehaviour("too large a head", [(head + headers)[: MAX_HEADER_BYTES + 1]], "431, closed")


def _slow(limits: Limits) -> Iterator[Misbehaviour]:
    n_parts = 40  # in twice the time that it has
    request = post("/predict", json.dumps({"text": "a" * 2 * n_parts}).encode())
    head = request.index(b"\r\n\r\n") + 4
    parts = [request[:head], *(request[i : i + 1] for i in range(head, head + n_parts))]
    yield Misbehaviour("slow body", parts, "408, closed", 2 * limits.body_seconds / n_parts)


def _refused(limits: Limits) -> Iterator[Misbehaviour]:
    bodies = {
        "broken JSON": [b'{"text": "a', b"nothing", b""],
        "wrong types": [b'{"text": 5}', b'{"texts": "a"}', b"[]", b"null", b'{"text": "a", "more": 1}'],
        "half a surrogate pair": [b'{"text": "a \\ud800"}'],
        "too many texts": [json.dumps({"texts": ["a"] * (limits.max_texts + 1)}).encode()],
        "too long a text": [json.dumps({"text": "a" * (limits.max_characters + 1)}).encode()],
        "empty text": [b'{"text": " "}', b'{"texts": ["a", ""]}', b'{"texts": []}'],
    }
    for name, variants in bodies.items():
        for body in variants:
            yield Misbehaviour(name, [post("/predict", body)], "422, open")
    yield Misbehaviour("not UTF-8", [post("/predict", b'{"text": "\xff\xfe"}')], "400, open")
    yield Misbehaviour("deep JSON", [post("/predict", b"[" * 100_000)], "400, open")
    yield Misbehaviour("unknown model", [post("/predict", b'{"text": "a", "model": "nobody"}')], "404, open")
    yield Misbehaviour("unknown path", [post("/nothing", b'{"text": "a"}')], "404, open")
    yield Misbehaviour("wrong method", [b"DELETE /predict HTTP/1.1\r\nhost: x\r\n\r\n"], "405, open")


async def misbehave(
    port: int, planned: Sequence[Misbehaviour], good: Sequence[RequestCase], *, rate: float, seconds: float
) -> Outcomes:
    """Run clients that misbehave, in turn.

    :param good: valid requests, to send over connections that should stay open.
    :param rate: clients a second.
    """
    outcomes: Outcomes = Counter()
    clock = asyncio.get_running_loop().time
    began = clock()

    async def run_client(misbehaviour: Misbehaviour, case: RequestCase) -> None:
        outcome = await _outcome(port, misbehaviour, case)
        outcomes[misbehaviour.name, outcome, outcome == misbehaviour.expected] += 1

    async with asyncio.TaskGroup() as clients:
        for number, (misbehaviour, case) in enumerate(zip(cycle(planned), cycle(good), strict=False)):
            if number / rate >= seconds:
                break
            await asyncio.sleep(max(0.0, began + number / rate - clock()))
            clients.create_task(run_client(misbehaviour, case))
    return outcomes


async def _outcome(port: int, misbehaviour: Misbehaviour, case: RequestCase) -> str:
    """What the server did about one client."""
    patience = PATIENCE + 2 * misbehaviour.pause * len(misbehaviour.parts)
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                return await _exchange(reader, writer, misbehaviour, case)
            finally:
                writer.transport.abort() if misbehaviour.resets else writer.close()
    except TimeoutError:
        return "hangs"
    except (OSError, asyncio.IncompleteReadError):
        return "closed without an answer"


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, misbehaviour: Misbehaviour, case: RequestCase
) -> str:
    if misbehaviour.expected == HUNG_UP:
        await _send(writer, misbehaviour)
        return HUNG_UP
    sending = asyncio.create_task(_send(writer, misbehaviour))
    try:
        status, _ = await read_response(reader)
    finally:
        sending.cancel()
    if misbehaviour.expected.endswith("closed"):
        return f"{status}, {'open' if await reader.read(1) else 'closed'}"
    writer.write(case.request)
    tally = Tally()
    check(*await read_response(reader), case, tally)
    return f"{status}, {'open' if tally.lost + tally.wrong == 0 else 'then wrong'}"


async def _send(writer: asyncio.StreamWriter, misbehaviour: Misbehaviour) -> None:
    with contextlib.suppress(ConnectionError):  # the server may respond and close before the end
        for part in misbehaviour.parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(misbehaviour.pause)
