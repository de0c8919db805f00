"""A server under stress: most of the load that it can hold, and clients that misbehave at the same time. Linux.

    python benchmarks/stress.py --student runs/x/student --data DIR --core 1

1. Starts ``potstill serve`` and measures its capacity: requests a second where each connection sends its next request
   after its last response. Nine requests of ten have one text, the tenth has several.
2. Sends ``--share`` of that rate for ``--seconds`` in an open loop (see serving.py). Labels and probabilities of every
   response are compared, text by text, with the student's own, made here without the server: another text's
   prediction is wrong. Meanwhile ``--misbehaving`` clients a second each do one of the things that misbehaving.py
   lists, in turn; the server should react as it says there. Memory, open files and threads are sampled each second.
3. Afterwards the server should be healthy, have no more open files than before, no traceback in its log, and have
   counted no 5xx. It gets SIGTERM while requests are under way: it should respond to them, and exit with 0.

Memory is the median of the second tenth of the time (warm: it has met every kind of client), of the middle and of the
last tenth. The client is one process, and needs a processor of its own (``--core``). Its processor share and how late
its clock ran are printed: that lateness is a part of the milliseconds, and not the server's. The exit status is 1 after
any fault.
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
from serving import RequestCase, Tally, check, load, make_cases, processor_seconds, read_response

_SIZES = [*[1] * 9, 32, *[1] * 9, 2, *[1] * 9, 12]  # texts of the requests, in turn
_AT_THE_END = 32  # requests under way at SIGTERM


@dataclass(frozen=True)
class Options:
    """Put a server of a student under stress."""

    student: Path
    """The student's folder."""
    data: Path
    """Folder with a test file, whose sentences are sent."""
    core: int | None = None
    """The processor that the server is pinned to, and the client kept from; none: neither is pinned."""
    seconds: float = 600.0
    """How long the stress lasts."""
    share: float = 0.8
    """The share of the capacity that is sent."""
    capacity_seconds: float = 10.0
    """How long the capacity is measured."""
    connections: int = 32
    """Connections of the clients that send valid requests."""
    misbehaving: float = 20.0
    """Clients that misbehave, a second."""
    growth: float = 5.0
    """Megabytes that the server's memory may grow by from warm to the end."""
    limits: Limits = field(default_factory=lambda: Limits(body_seconds=2.0))
    """The server's."""
    out: Path | None = None
    """A file for the figures, as JSON."""


@dataclass
class StressResult:
    """The figures of one stress test.

    :param capacity: requests a second.
    :param asked_for: requests a second that were sent under stress.
    :param server_share: share of a processor that the server used under stress.
    :param client_share: the same of the client.
    :param client_late_ms: how late the client's clock ran, 99th percentile.
    :param left_open: files that the server had open after all clients had gone, beyond those before.
    :param failed: requests that the server counted as 5xx.
    :param at_the_end: the responses to the requests that were under way at SIGTERM.
    :param under_way: the number of those requests.
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
        medians = {
            name: statistics.median(sample.resident_mb for sample in _between(self.samples, *part))
            for name, part in parts.items()
        }
        return {**medians, "largest": max(sample.resident_mb for sample in self.samples)}

    def faults(self, growth: float) -> list[str]:
        """What went wrong, one line each.

        :param growth: megabytes that the memory may grow by.
        """
        grown = self.resident_mb()["end"] - self.resident_mb()["warm"]
        unexpected = sum(count for (_, _, expected), count in self.outcomes.items() if not expected)
        faults = {
            f"{self.tally.lost} answers were lost": self.tally.lost,
            f"{self.tally.wrong} answers were wrong": self.tally.wrong,
            f"{unexpected} clients met something else than expected": unexpected,
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
    """The samples of a part of the time; at least one."""
    first = min(int(begin * len(samples)), len(samples) - 1)
    return samples[first : max(first + 1, int(end * len(samples)))]


def measure(options: Options, texts: Sequence[str]) -> StressResult:
    """Put a server under stress with some texts."""
    cases = make_cases(potstill.load(options.student, threads=1), texts, _SIZES)
    with serving(options.student, _arguments(options.limits), options.core) as server:
        before = server.sample().descriptors
        best, took = asyncio.run(
            load(server.port, cases, rate=0, seconds=options.capacity_seconds, connections=options.connections)
        )
        capacity = len(best.milliseconds) / took
        used, own = processor_seconds(server.port), time.process_time()
        tally, seconds, outcomes, samples, late = asyncio.run(_stress(options, server, cases, options.share * capacity))
        used, own = processor_seconds(server.port) - used, time.process_time() - own
        left_open = server.settle(before).descriptors - before
        failed, is_healthy = server.n_failed(), server.is_healthy()
        at_the_end, under_way = asyncio.run(_stop(server, cases))
        return StressResult(
            capacity, options.share * capacity, tally, seconds, used / seconds, own / seconds, late, outcomes, samples,
            left_open, failed, server.n_tracebacks(), is_healthy, at_the_end, under_way, server.status(),
        )  # fmt: skip


def _arguments(limits: Limits) -> list[str]:
    return [f"--{name}={value}" for name, value in asdict(limits).items()]


async def _stress(
    options: Options, server: ServerProcess, cases: list[RequestCase], rate: float
) -> tuple[Tally, float, Outcomes, list[Sample], float]:
    """Run valid and misbehaving clients at the same time, and sample the server."""
    planned = misbehaviours(options.limits, cases[0])
    samples: list[Sample] = []
    late: list[float] = []
    watching = asyncio.create_task(_watch(server, samples, late))
    (tally, seconds), outcomes = await asyncio.gather(
        load(server.port, cases, rate=rate, seconds=options.seconds, connections=options.connections),
        misbehave(server.port, planned, cases, rate=options.misbehaving, seconds=options.seconds),
    )
    watching.cancel()
    return tally, seconds, outcomes, samples, float(np.percentile(late, 99))


async def _watch(server: ServerProcess, samples: list[Sample], late: list[float]) -> None:
    """Sample the server each second, and this client's clock a hundred times as often."""
    while True:
        samples.append(server.sample())
        for _ in range(100):
            began = time.perf_counter()
            await asyncio.sleep(0.01)
            late.append(1000 * (time.perf_counter() - began - 0.01))


async def _stop(server: ServerProcess, cases: list[RequestCase]) -> tuple[Tally, int]:
    """Stop the server while requests are under way; their responses, and how many requests there were."""
    tally = Tally()
    largest = sorted(cases, key=lambda case: -len(case.labels))[:_AT_THE_END]
    connections = [await asyncio.open_connection("127.0.0.1", server.port) for _ in largest]

    async def receive(reader: asyncio.StreamReader, case: RequestCase) -> None:
        try:
            check(*await read_response(reader), case, tally)
        except (OSError, asyncio.IncompleteReadError):
            tally.lost += 1

    for (_, writer), case in zip(connections, largest, strict=True):
        writer.write(case.request)
    responses = [
        asyncio.create_task(receive(reader, case)) for (reader, _), case in zip(connections, largest, strict=True)
    ]
    await asyncio.to_thread(server.is_healthy)  # by now it has begun to read them all
    under_way = sum(not response.done() for response in responses)
    server.tell_to_stop()
    await asyncio.gather(*responses)
    for _, writer in connections:
        writer.close()
    return tally, under_way


def table(result: StressResult) -> Iterator[str]:
    """The figures, line by line."""
    tally, memory = result.tally, result.resident_mb()
    p50, p99, worst = np.percentile(tally.milliseconds or [np.nan], [50, 99, 100])
    yield f"capacity       {result.capacity:.0f} requests a second"
    yield f"asked for      {result.asked_for:.0f} a second, for {result.seconds:.0f} s"
    yield f"answered       {len(tally.milliseconds)}: {len(tally.milliseconds) / result.seconds:.0f} a second"
    yield f"milliseconds   p50 {p50:.2f}, p99 {p99:.2f}, largest {worst:.2f}"
    yield f"lost           {tally.lost}"
    yield f"wrong          {tally.wrong}; probabilities off by at most {tally.max_error:.1e}"
    yield f"processor      server {result.server_share:.0%}, client {result.client_share:.0%}"
    yield f"client's clock late by {result.client_late_ms:.2f} ms (p99)"
    yield "memory, MB     " + ", ".join(f"{name} {value:.1f}" for name, value in memory.items())
    files, threads = ([getattr(sample, name) for sample in result.samples] for name in ("descriptors", "threads"))
    yield f"open files     at most {max(files)}; {result.left_open} left over"
    yield f"threads        {min(threads)} to {max(threads)}"
    yield f"5xx counted    {result.failed}; tracebacks in the log {result.tracebacks}"
    lost = result.at_the_end.lost
    yield f"at the end     {result.under_way} under way, lost {lost}; exit status {result.exit_status}"
    yield ""
    yield f"{'clients that misbehave':<42}{'as expected':>12}  otherwise"
    for name in dict.fromkeys(name for name, _, _ in result.outcomes):
        met = {outcome: n for (kind, outcome, right), n in result.outcomes.items() if kind == name and right}
        others = {outcome: n for (kind, outcome, right), n in result.outcomes.items() if kind == name and not right}
        counts = "; ".join(f"{n} {outcome}" for outcome, n in others.items()) or "0"
        yield f"{': '.join([name, *met]):<42}{sum(met.values()):>12}  {counts}"


def main(options: Options) -> int:
    """Print the table and the faults; the exit status."""
    result = measure(options, [example.text for example in read_examples(find_split(options.data, "test"))])
    print("\n".join(table(result)))
    faults = result.faults(options.growth)
    print("\n" + ("\n".join(f"FAULT: {fault}" for fault in faults) or "everything was as it should be"))
    if options.out:
        outcomes = [[*what, count] for what, count in result.outcomes.items()]
        figures = {**asdict(result), "outcomes": outcomes, "resident_mb": result.resident_mb(), "faults": faults}
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
