"""The load that a server holds: single sentences at a steady rate from a second process, on loopback.

    potstill serve runs/x/student                                                      # one process
    python benchmarks/serving.py --student runs/x/student --data DIR --rate 1000       # another

Requests are sent on schedule whether or not earlier ones have a response (an open loop: a slow server is not spared),
over connections that stay open. A request's time counts from when it was due, so that waiting for a connection counts
too. Every response is compared with the student's own predictions, made here without the server. With --rate 0 each
connection sends its next request after its last response: the server's capacity.
"""

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import numpy as np
import tyro

import potstill
from potstill import Classifier
from potstill.corpus.examples import read_examples
from potstill.corpus.splits import find_split

_WARM_UP = 200  # requests before the clock starts
PATIENCE = 10.0  # seconds after which a response counts as lost
_TOLERANCE = 1e-4  # of a probability: a larger error means another text's response


@dataclass(frozen=True)
class Options:
    """Load a running server with single sentences."""

    student: Path
    """The folder that the server was given first."""
    data: Path
    """Folder with a test file, whose sentences are sent."""
    port: int = 8000
    """The server's port on this machine."""
    rate: int = 1000
    """Requests a second; 0: as many as the server responds to."""
    seconds: float = 10.0
    """How long the load lasts."""
    connections: int = 32
    """Connections that stay open."""


@dataclass
class Tally:
    """The responses, counted.

    :param milliseconds: of each response, from when its request was due.
    :param lost: requests without a response, or refused.
    :param wrong: responses with another label than the student's own, or a probability too far from its.
    :param max_error: the largest difference of a probability from the student's own.
    """

    milliseconds: list[float] = field(default_factory=list)
    lost: int = 0
    wrong: int = 0
    max_error: float = 0.0


@dataclass(frozen=True)
class RequestCase:
    """A request as bytes, and the predictions that are right.

    :param labels: of each of its texts.
    :param probabilities: of each of its texts, by label.
    """

    request: bytes
    labels: list[str]
    probabilities: list[dict[str, float]]


def make_cases(classifier: Classifier, texts: Sequence[str], sizes: Sequence[int] = (1,)) -> list[RequestCase]:
    """Requests that together have each text once, in order.

    :param sizes: of the requests, in turn, in texts.
    """
    names: list[str] = classifier.classes_.tolist()
    rows = classifier.predict_proba(list(texts))
    cases, start = [], 0
    for size in cycle(sizes):
        part = slice(start, start + size)
        labels = [names[best] for best in rows[part].argmax(axis=1).tolist()]
        probabilities = [dict(zip(names, row, strict=True)) for row in rows[part].tolist()]
        cases.append(RequestCase(_request(texts[part]), labels, probabilities))
        start += size
        if start >= len(texts):
            return cases
    raise ValueError("no sizes")


def _request(texts: Sequence[str]) -> bytes:
    body = json.dumps({"text": texts[0]} if len(texts) == 1 else {"texts": list(texts)}).encode()
    return post("/predict", body)


def post(path: str, body: bytes) -> bytes:
    """A request with a body of JSON."""
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def read_response(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The status and the body of the next response."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length:")[2].split()[0])
    return int(head.split()[1]), await reader.readexactly(length)


async def _send_due(port: int, schedule: Iterator[tuple[float, RequestCase]], tally: Tally) -> None:
    """Send what is due over one connection, and check the responses."""
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = await asyncio.open_connection("127.0.0.1", port)
    for due, case in schedule:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        began = due or time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE):
                streams = streams or await asyncio.open_connection("127.0.0.1", port)
                streams[1].write(case.request)
                status, body = await read_response(streams[0])
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            tally.lost += 1
            if streams:
                streams[1].close()
            streams = None
            continue
        tally.milliseconds.append(1000 * (time.perf_counter() - began))
        check(status, body, case, tally)
    if streams:
        streams[1].close()


def check(status: int, body: bytes, case: RequestCase, tally: Tally) -> None:
    """Count a response that is lost or wrong."""
    if status != 200:
        tally.lost += 1
        return
    predictions = json.loads(body)["answers"]
    errors = [
        abs(prediction["probabilities"][label] - share)
        for prediction, probabilities in zip(predictions, case.probabilities, strict=False)
        for label, share in probabilities.items()
    ]
    tally.wrong += [prediction["label"] for prediction in predictions] != case.labels or max(errors) > _TOLERANCE
    tally.max_error = max([tally.max_error, *errors])


def _schedule(cases: Sequence[RequestCase], rate: float, seconds: float) -> Iterator[tuple[float, RequestCase]]:
    """Requests and when they are due; with rate 0, at once."""
    began = time.perf_counter()
    for number, case in enumerate(cycle(cases)):
        if (number / rate if rate else time.perf_counter() - began) >= seconds:
            return
        yield (began + number / rate if rate else 0.0), case


def processor_seconds(port: int) -> float:
    """The processor time that the server has used: what a request costs, however busy the machine is."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as response:
        lines = response.read().decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("process_cpu_seconds_total")))


async def load(
    port: int, cases: Sequence[RequestCase], *, rate: float, seconds: float, connections: int
) -> tuple[Tally, float]:
    """Send the requests; the responses, counted, and the seconds that they took."""
    warm = iter([(0.0, case) for case in cases[:_WARM_UP]])
    await _send_due(port, warm, Tally())
    tally, began = Tally(), time.perf_counter()
    schedule = _schedule(cases, rate, seconds)  # one schedule, which all connections share
    await asyncio.gather(*(_send_due(port, schedule, tally) for _ in range(connections)))
    return tally, time.perf_counter() - began


def main(options: Options) -> None:
    """Print what load the server held."""
    texts = [example.text for example in read_examples(find_split(options.data, "test"))]
    cases = make_cases(potstill.load(options.student, threads=1), texts)
    used = processor_seconds(options.port)
    tally, seconds = asyncio.run(
        load(options.port, cases, rate=options.rate, seconds=options.seconds, connections=options.connections)
    )
    used = processor_seconds(options.port) - used
    p50, p99, worst = np.percentile(tally.milliseconds, [50, 99, 100])
    wanted = f"{options.rate} a second" if options.rate else "as many as it answers"
    print(f"asked for      {wanted}, {options.connections} connections, {seconds:.1f} s")
    print(f"answered       {len(tally.milliseconds)}: {len(tally.milliseconds) / seconds:.0f} a second")
    print(f"milliseconds   p50 {p50:.2f}, p99 {p99:.2f}, largest {worst:.2f}")
    print(f"processor      {1000 * used / (len(tally.milliseconds) + _WARM_UP):.3f} ms of the server's a request")
    print(f"lost           {tally.lost}")
    print(f"wrong labels   {tally.wrong}; probabilities off by at most {tally.max_error:.1e}")


if __name__ == "__main__":
    main(tyro.cli(Options))
