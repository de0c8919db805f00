"""What a server does under stress: most of what it can hold, and beside it clients that misbehave. Linux.

    python benchmarks/stress.py --student runs/x/student --data DIR --core 1

1. Starts ``potstill serve`` and finds its capacity: requests a second where each connection sends its next one when the
   last is answered. Nine requests of ten have one text, the tenth has some.
2. Sends ``--share`` of that rate for ``--seconds`` in an open loop (see serving.py). Labels and probabilities of every
   answer are compared, text by text, with the student's own, made here without the server: another text's answer is
   wrong. Meanwhile ``--misbehaving`` clients a second do one thing each that misbehaving.py lists, in turn; the server
   should do about it what stands there. Each second its memory, open files and threads are looked at.
3. Once all have gone it should be healthy, have no open file more than before, no traceback in its log, and have
   counted no 5xx. It is told to stop (SIGTERM) while it is asked: it should answer that, and exit with 0.

Memory is the median of the second tenth of the time (warm: every kind of client has come by), of the middle and of the
last. The client is one process, and needs a processor of its own (``--core``). How busy it was and how late its clock
ran are printed: that lateness is a part of the milliseconds, and not the server's. The exit status is 1 when anything
was not as it should be.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import tyro

import potstill
from misbehaving import Outcomes, misbehave, misbehaviours
from potstill.artifacts import write_json
from potstill.corpus.examples import read_examples
from potstill.corpus.splits import find_split
from potstill.serving.limits import Limits
from server_process import Sample, ServerProcess, serving
from serving import Question, Tally, check, load, processor_seconds, questions, read_answer

_SIZES = [*[1] * 9, 32, *[1] * 9, 2, *[1] * 9, 12]  # texts of the requests, in turn
_AT_THE_END = 32  # questions under way when the server is told to stop


@dataclass(frozen=True)
class Options:
    """Put a server of a student under stress."""

    student: Path
    """The student's folder."""
    data: Path
    """Folder with a test file, whose sentences are sent."""
    core: int | None = None
    """The processor that the server is kept to, and the client kept from; none: both go where they like."""
    seconds: float = 600.0
    """How long the stress lasts."""
    share: float = 0.8
    """Of the capacity, what is asked for."""
    capacity_seconds: float = 10.0
    """How long the capacity is measured."""
    connections: int = 32
    """Connections of the good clients."""
    misbehaving: float = 20.0
    """Clients that misbehave, a second."""
    growth: float = 5.0
    """Megabytes that the server's memory may grow by from warm to the end."""
    limits: Limits = field(default_factory=lambda: Limits(body_seconds=2.0))
    """The server's."""
    out: Path | None = None
    """A file for the figures, as JSON."""


@dataclass
class Found:
    """What was found.

    :param capacity: requests a second.
    :param asked_for: requests a second under stress.
    :param client_share: of a processor, what the client used under stress.
    :param client_late_ms: by how much its clock ran late, the 99th percentile.
    :param left_open: files that the server had open once all clients had gone, beyond those before.
    :param failed: requests that the server counted as 5xx.
    :param at_the_end: what came back of what was under way when the server was told to stop.
    :param under_way: how much that was.
    :param exit_status: the server's; None where it did not end.
    """

    capacity: float
    asked_for: float
    tally: Tally
    seconds: float
    server_share: float
    client_share: float
    client_late_ms: float
    outcomes: Outcomes
    samples: list[Sample]
    left_open: int
    failed: int
    tracebacks: int
    is_healthy: bool
    at_the_end: Tally
    under_way: int
    exit_status: int | None

    def resident_mb(self) -> dict[str, float]:
        """The server's memory when it was warm, in the middle, at the end, and at most."""
        parts = {"warm": (0.1, 0.2), "middle": (0.45, 0.55), "end": (0.9, 1.0)}
        found = {
            name: statistics.median(sample.resident_mb for sample in _between(self.samples, *part))
            for name, part in parts.items()
        }
        return {**found, "largest": max(sample.resident_mb for sample in self.samples)}

    def faults(self, growth: float) -> list[str]:
        """What was not as it should be.

        :param growth: megabytes that the memory may grow by.
        """
        grown = self.resident_mb()["end"] - self.resident_mb()["warm"]
        unexpected = sum(count for (_, _, expected), count in self.outcomes.items() if not expected)
        faults = {
            f"{self.tally.lost} answers were lost": self.tally.lost,
            f"{self.tally.wrong} answers were wrong": self.tally.wrong,
            f"{unexpected} clients were met with something else than expected": unexpected,
            f"the server's memory grew by {grown:.1f} MB": grown > growth,
            f"{self.left_open} files were left open": self.left_open > 0,
            f"{self.failed} requests failed with 5xx": self.failed,
            f"{self.tracebacks} tracebacks are in the log": self.tracebacks,
            "the server is not healthy": not self.is_healthy,
            f"{self.at_the_end.lost} answers were lost at the end": self.at_the_end.lost,
            f"{self.at_the_end.wrong} answers were wrong at the end": self.at_the_end.wrong,
            f"the exit status is {self.exit_status}": self.exit_status != 0,
        }
        return [fault for fault, is_so in faults.items() if is_so]


def _between(samples: list[Sample], begin: float, end: float) -> list[Sample]:
    """Those of a part of the time; one at least."""
    first = min(int(begin * len(samples)), len(samples) - 1)
    return samples[first : max(first + 1, int(end * len(samples)))]


def measure(options: Options, texts: Sequence[str]) -> Found:
    """Put a server under stress with some texts."""
    asked = questions(potstill.load(options.student, threads=1), texts, _SIZES)
    with serving(options.student, _arguments(options.limits), options.core) as server:
        before = server.sample().descriptors
        best, took = asyncio.run(
            load(server.port, asked, rate=0, seconds=options.capacity_seconds, connections=options.connections)
        )
        capacity = len(best.milliseconds) / took
        used, own = processor_seconds(server.port), time.process_time()
        tally, seconds, outcomes, samples, late = asyncio.run(_stress(options, server, asked, options.share * capacity))
        used, own = processor_seconds(server.port) - used, time.process_time() - own
        left_open = server.settle(before).descriptors - before
        failed, is_healthy = server.n_failed(), server.is_healthy()
        at_the_end, under_way = asyncio.run(_stop(server, asked))
        return Found(
            capacity, options.share * capacity, tally, seconds, used / seconds, own / seconds, late, outcomes, samples,
            left_open, failed, server.n_tracebacks(), is_healthy, at_the_end, under_way, server.status(),
        )  # fmt: skip


def _arguments(limits: Limits) -> list[str]:
    return [f"--{name}={value}" for name, value in asdict(limits).items()]


async def _stress(
    options: Options, server: ServerProcess, asked: list[Question], rate: float
) -> tuple[Tally, float, Outcomes, list[Sample], float]:
    """Good and bad clients side by side, and looks at the server."""
    planned = misbehaviours(options.limits, asked[0])
    looks: list[Sample] = []
    late: list[float] = []
    watching = asyncio.create_task(_watch(server, looks, late))
    (tally, seconds), outcomes = await asyncio.gather(
        load(server.port, asked, rate=rate, seconds=options.seconds, connections=options.connections),
        misbehave(server.port, planned, asked, rate=options.misbehaving, seconds=options.seconds),
    )
    watching.cancel()
    return tally, seconds, outcomes, looks, float(np.percentile(late, 99))


async def _watch(server: ServerProcess, looks: list[Sample], late: list[float]) -> None:
    """A look at the server each second, and at this client's clock a hundred times as often."""
    while True:
        looks.append(server.sample())
        for _ in range(100):
            began = time.perf_counter()
            await asyncio.sleep(0.01)
            late.append(1000 * (time.perf_counter() - began - 0.01))


async def _stop(server: ServerProcess, asked: list[Question]) -> tuple[Tally, int]:
    """Tell the server to stop while it is asked; what came back, and how much had not when it was told."""
    tally = Tally()
    largest = sorted(asked, key=lambda question: -len(question.labels))[:_AT_THE_END]
    lines = [await asyncio.open_connection("127.0.0.1", server.port) for _ in largest]

    async def answer(reader: asyncio.StreamReader, question: Question) -> None:
        try:
            check(*await read_answer(reader), question, tally)
        except (OSError, asyncio.IncompleteReadError):
            tally.lost += 1

    for (_, writer), question in zip(lines, largest, strict=True):
        writer.write(question.request)
    answers = [
        asyncio.create_task(answer(reader, question)) for (reader, _), question in zip(lines, largest, strict=True)
    ]
    await asyncio.to_thread(server.is_healthy)  # by now it has begun to read them all
    under_way = sum(not answer.done() for answer in answers)
    server.tell_to_stop()
    await asyncio.gather(*answers)
    for _, writer in lines:
        writer.close()
    return tally, under_way


def table(found: Found) -> Iterator[str]:
    """The figures, line by line."""
    tally, memory = found.tally, found.resident_mb()
    p50, p99, worst = np.percentile(tally.milliseconds or [np.nan], [50, 99, 100])
    yield f"capacity       {found.capacity:.0f} requests a second"
    yield f"asked for      {found.asked_for:.0f} a second, for {found.seconds:.0f} s"
    yield f"answered       {len(tally.milliseconds)}: {len(tally.milliseconds) / found.seconds:.0f} a second"
    yield f"milliseconds   p50 {p50:.2f}, p99 {p99:.2f}, largest {worst:.2f}"
    yield f"lost           {tally.lost}"
    yield f"wrong          {tally.wrong}; probabilities off by at most {tally.off:.1e}"
    yield f"processor      server {found.server_share:.0%}, client {found.client_share:.0%}"
    yield f"client's clock late by {found.client_late_ms:.2f} ms (p99)"
    yield "memory, MB     " + ", ".join(f"{name} {value:.1f}" for name, value in memory.items())
    files, threads = ([getattr(sample, name) for sample in found.samples] for name in ("descriptors", "threads"))
    yield f"open files     at most {max(files)}; {found.left_open} left over"
    yield f"threads        {min(threads)} to {max(threads)}"
    yield f"5xx counted    {found.failed}; tracebacks in the log {found.tracebacks}"
    yield f"at the end     {found.under_way} under way, lost {found.at_the_end.lost}; exit status {found.exit_status}"
    yield ""
    yield f"{'clients that misbehave':<42}{'as expected':>12}  otherwise"
    for name in dict.fromkeys(name for name, _, _ in found.outcomes):
        met = {outcome: n for (kind, outcome, right), n in found.outcomes.items() if kind == name and right}
        others = {outcome: n for (kind, outcome, right), n in found.outcomes.items() if kind == name and not right}
        told = "; ".join(f"{n} {outcome}" for outcome, n in others.items()) or "0"
        yield f"{': '.join([name, *met]):<42}{sum(met.values()):>12}  {told}"


def main(options: Options) -> int:
    """Print the table and what was not as it should be; the exit status."""
    found = measure(options, [example.text for example in read_examples(find_split(options.data, "test"))])
    print("\n".join(table(found)))
    faults = found.faults(options.growth)
    print("\n" + ("\n".join(f"FAULT: {fault}" for fault in faults) or "everything was as it should be"))
    if options.out:
        outcomes = [[*what, count] for what, count in found.outcomes.items()]
        figures = {**asdict(found), "outcomes": outcomes, "resident_mb": found.resident_mb(), "faults": faults}
        for part in ("tally", "at_the_end"):  # a million times would be most of the file
            times = figures[part].pop("milliseconds")
            figures[part] |= {
                "n": len(times),
                "p50_p99_largest_ms": np.percentile(times or [0], [50, 99, 100]).tolist(),
            }
        write_json(options.out, figures)
    return bool(faults)


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Options)))
