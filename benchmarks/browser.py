"""Milliseconds that students take for a text in Chromium and on Node, with the native core in the same run.

    python benchmarks/browser.py --data DIR --students runs/x/students/cnn runs/x/students/bilstm

Raw text to label, one text a call, one thread: ``student.predict(text)`` in the page itself, without a worker. Each
side first predicts the texts once, then all of them in every round; a browser's clock is coarse, so that a round is
timed as a whole. The figures are medians over the rounds. Each side runs alone, one after another.
"""

import http.server
import json
import os
import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tyro

import potstill
from potstill.commands.web import SCRIPTS
from potstill.corpus.examples import read_examples
from potstill.corpus.splits import find_split
from potstill.errors import PotstillError
from potstill.model_folder import ModelFolder
from potstill.tables import table

_MEASURE = """async ({ folder, precision, texts, rounds }) => {
  const { Potstill } = await import("./potstill/potstill.js");
  const began = performance.now(), student = await Potstill.load(folder, { precision });
  const loaded = performance.now() - began, times = [];
  for (const text of texts) student.predict(text);
  for (let round = 0; round < rounds; ++round) {
    const start = performance.now();
    for (const text of texts) student.predict(text);
    times.push((performance.now() - start) / texts.length);
  }
  return { loaded, times };
}"""


@dataclass(frozen=True)
class Options:
    """Measure students in a browser and on Node."""

    data: Path
    """Folder with test."""
    students: tuple[Path, ...]
    """Students' folders."""
    precision: str = "int8"
    """fp32, or int8, which potstill export writes."""
    rounds: int = 9
    """Repetitions."""
    texts: int = 500
    """Texts in each round."""
    chromium: str = "chromium"
    """The browser; its driver is chromedriver."""


@dataclass(frozen=True)
class Row:
    """A student's milliseconds a text, and in JavaScript those until it is loaded."""

    student: str
    core_ms: float
    node_ms: float
    node_load_ms: float
    browser_ms: float
    browser_load_ms: float


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A static server; gives its URL."""
    handler = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def on_node(folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """What a student takes on Node."""
    script = (
        f"({_MEASURE})(JSON.parse(require('fs').readFileSync(0))).then((told) => console.log(JSON.stringify(told)))"
    )
    done = subprocess.run(["node", "-e", script], input=json.dumps(asked), cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise PotstillError(f"node failed: {done.stderr.strip()}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@contextmanager
def in_chromium(url: str, chromium: str) -> Iterator[Any]:
    """A browser without a window, with a page open; gives a function like :func:`on_node`."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which(chromium) or chromium
    for flag in ("headless", "disable-gpu", *(["no-sandbox"] if os.geteuid() == 0 else [])):
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.get(url)
        driver.set_script_timeout(600)
        yield lambda asked: driver.execute_async_script(f"({_MEASURE})(arguments[0]).then(arguments[1])", asked)
    finally:
        driver.quit()


def in_python(folder: Path, asked: dict[str, Any]) -> float:
    """What a student takes in Python, in the core where it is built."""
    student, times = potstill.load(folder, threads=1, precision=asked["precision"]), []
    texts = [[text] for text in asked["texts"]]
    for _ in range(asked["rounds"] + 1):
        start = time.perf_counter()
        for text in texts:
            student.predict(text)
        times.append(1000 * (time.perf_counter() - start) / len(texts))
    return statistics.median(times[1:])


def measure(options: Options) -> list[Row]:
    """Every student on every side."""
    texts = [row.text for row in read_examples(find_split(options.data, "test"))][: options.texts]
    rows = []
    with TemporaryDirectory() as scratch, serving(Path(scratch)) as url:
        folder = Path(scratch)
        shutil.copytree(SCRIPTS, folder / "potstill")
        (folder / "package.json").write_text('{"type": "module"}')
        (folder / "index.html").write_text("<!doctype html><title>Potstill</title>")
        with in_chromium(url, options.chromium) as browser:
            for number, student in enumerate(options.students):
                (folder / str(number)).symlink_to(ModelFolder.find(student).path.resolve())
                asked = {
                    "folder": str(number),
                    "precision": options.precision,
                    "texts": texts,
                    "rounds": options.rounds,
                }
                core, node, page = in_python(folder / str(number), asked), on_node(folder, asked), browser(asked)
                rows.append(
                    Row(
                        str(student),
                        core,
                        statistics.median(node["times"]),
                        node["loaded"],
                        statistics.median(page["times"]),
                        page["loaded"],
                    )
                )
    return rows


def main(options: Options) -> None:
    """Print the table."""
    header = ("student", "Python ms", "Node ms", "to load", "Chromium ms", "to load")
    rows = [
        (
            row.student,
            f"{row.core_ms:.4f}",
            f"{row.node_ms:.4f}",
            f"{row.node_load_ms:.0f}",
            f"{row.browser_ms:.4f}",
            f"{row.browser_load_ms:.0f}",
        )
        for row in measure(options)
    ]
    print(table(header, rows))


if __name__ == "__main__":
    main(tyro.cli(Options, config=(tyro.conf.OmitArgPrefixes,)))
