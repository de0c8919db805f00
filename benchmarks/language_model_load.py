"""How much of a language model's server does labelling use: throughput, memory, and what is lost or asked twice?

    python benchmarks/language_model_load.py

The server is the tests' stand-in, in a process of its own: each answer takes ``--delay`` seconds, and ``--failures`` of
the requests end with a status 429, 500 or 503 or in the middle of an answer. ``--concurrency`` requests at the same
time allow concurrency / delay requests a second; the share of that is of all requests that the server counted, in all
of the time, from the first request to the last shard. Memory is the resident set of the labelling process, each second;
what libraries take once was taken before. Linux.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from potstill.corpus.label_file import from_names
from potstill.corpus.streams import in_parts
from potstill.corpus.transfer import read_transfer
from potstill.labelling.label import Unlabelled, label_texts
from potstill.teachers.language_model import LanguageModelTeacher, open_language_model
from potstill.teachers.language_model.options import LanguageModelOptions

ROOT = Path(__file__).parents[1]
_LABELS = ["negative", "positive"]
_LEAST = 0.95  # share of the throughput that the concurrency allows


@dataclass(frozen=True)
class Options:
    """Label texts with a stand-in for a language model's server."""

    texts: int = 100_000
    """How many, each another."""
    delay: float = 0.05
    """Seconds that the server takes for an answer."""
    concurrency: int = 64
    """Requests at the same time."""
    failures: float = 0.05
    """Share of the requests that fail."""
    out: Path | None = None
    """Write the figures to this file, as JSON."""


@contextmanager
def server(options: Options) -> Iterator[str]:
    """The address of a stand-in server."""
    command = [sys.executable, str(ROOT / "tests" / "stand_in_server.py")]
    command += ["--delay", str(options.delay), "--failures", str(options.failures)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def counts(url: str) -> dict[str, int]:
    """The server's own counts."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/count") as reply:
        counted: dict[str, int] = json.load(reply)
    return counted


class Memory:
    """Watches the resident set of this process."""

    def __init__(self) -> None:
        self.megabytes: list[float] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(1.0):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.megabytes.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)

    def tenth(self, number: int) -> float:
        """The mean of one tenth of the time, counted from 0, in megabytes."""
        parts = np.array_split(np.array(self.megabytes or [0.0]), 10)
        return float(parts[number].mean()) if len(parts[number]) else float("nan")


def _label(texts: list[str], teacher: LanguageModelTeacher, folder: Path) -> None:
    folder.mkdir()
    label_texts(Unlabelled(len(texts), lambda: in_parts(texts)), teacher, folder)


def measure(options: Options, folder: Path) -> dict[str, Any]:
    """Label the texts, and compare with what the server has counted."""
    texts = [
        f"film number {number} is rather fine, and the story holds until the end" for number in range(options.texts)
    ]
    with server(options) as url:
        asked = LanguageModelOptions(teacher_url=url, teacher_concurrency=options.concurrency, teacher_orders=1)
        teacher = open_language_model("stand-in", from_names(_LABELS), asked)
        # What libraries take once is taken before.
        _label([f"text {number} before the clock starts" for number in range(200)], teacher, folder / "before")
        before, begin, busy = counts(url), time.perf_counter(), time.process_time()
        with Memory() as memory:
            _label(texts, teacher, folder / "labelled")
        seconds, busy = time.perf_counter() - begin, time.process_time() - busy
        counted = counts(url)
    labelled = read_transfer(folder / "labelled")
    n_requests = counted["requests"] - before["requests"]
    return {
        "seconds": seconds,
        "requests a second": n_requests / seconds,
        "share": n_requests / seconds / (options.concurrency / options.delay),
        "processor ms a request": 1000 * busy / n_requests,
        "MB in the second tenth": memory.tenth(1),
        "MB in the last tenth": memory.tenth(9),
        "requests that failed": n_requests - (counted["answered"] - before["answered"]),
        "texts lost": len(set(texts) - set(labelled.texts)),
        "texts labelled twice": len(labelled.texts) - len(set(labelled.texts)),
        "answers paid for twice": counted["answered_twice"],
        "load of the machine before": os.getloadavg()[2],
    }


def main(options: Options) -> None:
    """Print the figures; exit status 1 when the share is too low, or a text was lost or asked twice."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["POTSTILL_CACHE"] = str(Path(scratch) / "cache")
        figures = measure(options, Path(scratch))
    for name, value in figures.items():
        print(f"{name:<28}{value:>12.3f}" if isinstance(value, float) else f"{name:<28}{value:>12}")
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2) + "\n")
    wrong = [name for name in figures if name.endswith(("lost", "twice")) and figures[name]]
    if wrong or figures["share"] < _LEAST:
        sys.exit(f"failed: {', '.join(wrong) or 'the share is too low'}")


if __name__ == "__main__":
    main(tyro.cli(Options, config=(tyro.conf.OmitArgPrefixes,)))
