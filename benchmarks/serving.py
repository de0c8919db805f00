"""What a server holds: single sentences at a steady rate from a second process, on loopback.

    potstill serve runs/x/student                                                      # one process
    python benchmarks/serving.py --student runs/x/student --data DIR --rate 1000       # another

Requests are sent at their times whether or not earlier ones are answered (an open loop: a slow server is not spared),
over connections that stay open. A request's time counts from when it was due, so that waiting for a connection is
waiting too. Every answer is compared with the student's own, made here without the server. With --rate 0 each
connection sends its next request when the last is answered: the most that the server does.
"""

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import numpy as np
import tyro

import potstill
from potstill.corpus.examples import read_examples
from potstill.corpus.splits import find_split

_WARM_UP = 200  # questions before the clock starts
_PATIENCE = 10.0  # seconds after which an answer counts as lost


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
    """Requests a second; 0: as many as the server answers."""
    seconds: float = 10.0
    """How long."""
    connections: int = 32
    """Connections that stay open."""


@dataclass
class Tally:
    """What came back.

    :param milliseconds: of each answer, from when its question was due.
    :param lost: questions without an answer, or with a refusal.
    :param wrong: answers with another label than the student's own.
    :param off: the largest difference of a probability from the student's own.
    """

    milliseconds: list[float] = field(default_factory=list)
    lost: int = 0
    wrong: int = 0
    off: float = 0.0


@dataclass(frozen=True)
class Question:
    """A request as bytes, and the answer that is right."""

    request: bytes
    label: str
    probabilities: dict[str, float]


def questions(options: Options) -> list[Question]:
    """A question for each sentence of the test file."""
    classifier = potstill.load(options.student, threads=1)
    texts = [example.text for example in read_examples(find_split(options.data, "test"))]
    labels = classifier.classes_.tolist()
    return [
        Question(_request(text), labels[int(row.argmax())], dict(zip(labels, row.tolist(), strict=True)))
        for text, row in zip(texts, classifier.predict_proba(texts), strict=True)
    ]


def _request(text: str) -> bytes:
    body = json.dumps({"text": text}).encode()
    head = f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length:")[2].split()[0])
    return int(head.split()[1]), await reader.readexactly(length)


async def _connection(port: int, due: Iterator[tuple[float, Question]], tally: Tally) -> None:
    """Ask what is due over one connection, and check what comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for when, question in due:
        await asyncio.sleep(max(0.0, when - time.perf_counter()))
        asked = when or time.perf_counter()
        writer.write(question.request)
        try:
            async with asyncio.timeout(_PATIENCE):
                status, body = await _answer(reader)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            tally.lost += 1
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            continue
        tally.milliseconds.append(1000 * (time.perf_counter() - asked))
        _check(status, body, question, tally)
    writer.close()


def _check(status: int, body: bytes, question: Question, tally: Tally) -> None:
    if status != 200:
        tally.lost += 1
        return
    answer = json.loads(body)["answers"][0]
    tally.wrong += answer["label"] != question.label
    differences = [abs(answer["probabilities"][label] - share) for label, share in question.probabilities.items()]
    tally.off = max(tally.off, *differences)


def _due(asked: list[Question], rate: int, seconds: float) -> Iterator[tuple[float, Question]]:
    """Questions and when they are due; at no rate, at once."""
    began = time.perf_counter()
    for number, question in enumerate(cycle(asked)):
        if (number / rate if rate else time.perf_counter() - began) >= seconds:
            return
        yield (began + number / rate if rate else 0.0), question


def processor_seconds(port: int) -> float:
    """The processor time that the server has used: what a request costs, however busy the machine is."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_PATIENCE) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("process_cpu_seconds_total")))


async def load(options: Options, asked: list[Question]) -> tuple[Tally, float]:
    """Put the load on; what came back, and in how many seconds."""
    warm = iter([(0.0, question) for question in asked[:_WARM_UP]])
    await _connection(options.port, warm, Tally())
    tally, began = Tally(), time.perf_counter()
    due = _due(asked, options.rate, options.seconds)  # one schedule, which all connections share
    await asyncio.gather(*(_connection(options.port, due, tally) for _ in range(options.connections)))
    return tally, time.perf_counter() - began


def main(options: Options) -> None:
    """Print what the server held."""
    asked = questions(options)
    used = processor_seconds(options.port)
    tally, seconds = asyncio.run(load(options, asked))
    used = processor_seconds(options.port) - used
    p50, p99, worst = np.percentile(tally.milliseconds, [50, 99, 100])
    wanted = f"{options.rate} a second" if options.rate else "as many as it answers"
    print(f"asked for      {wanted}, {options.connections} connections, {seconds:.1f} s")
    print(f"answered       {len(tally.milliseconds)}: {len(tally.milliseconds) / seconds:.0f} a second")
    print(f"milliseconds   p50 {p50:.2f}, p99 {p99:.2f}, largest {worst:.2f}")
    print(f"processor      {1000 * used / (len(tally.milliseconds) + _WARM_UP):.3f} ms of the server's a request")
    print(f"lost           {tally.lost}")
    print(f"wrong labels   {tally.wrong}; probabilities off by at most {tally.off:.1e}")


if __name__ == "__main__":
    main(tyro.cli(Options))
