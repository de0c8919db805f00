"""What a student costs before its first prediction: a fresh environment with the base install alone.

    python benchmarks/cold_start.py --student runs/x/student

Makes a virtual environment, installs this package into it without extras (pinned by ``constraints.txt``, so that it is
what the tests ran with), and measures the installed size, the import, and the time from the start of the process to
the first prediction: medians of several processes, after one that warms the disk's cache. Next to the time on the
clock it says the processor's, which a busy machine changes little.
"""

import resource
import statistics
import subprocess
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import tyro

ROOT = Path(__file__).parents[1]
_PREDICT = "import sys, potstill; print(potstill.load(sys.argv[1]).predict([sys.argv[2]])[0])"
_NOT_BROUGHT = ("torch", "transformers", "datasets", "spacy", "onnxruntime", "tokenizers")


@dataclass(frozen=True)
class Options:
    """Measure a fresh base install and a student's cold start."""

    student: Path
    """A student's folder."""
    processes: int = 10
    """Processes that are started."""
    text: str = "a film to remember"
    """What they classify."""


def install(folder: Path) -> Path:
    """A virtual environment with the base install; its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", str(ROOT / "constraints.txt"), str(ROOT)], check=True)
    for module in _NOT_BROUGHT:
        if subprocess.run([str(python), "-c", f"import {module}"], capture_output=True, check=False).returncode == 0:
            raise SystemExit(f"the base install brings {module}")
    subprocess.run([str(python), "-m", "pip", "uninstall", "--quiet", "--yes", "pip"], check=True)
    return python


def megabytes(folder: Path) -> float:
    """The size of the installed packages, compiled files included."""
    packages = next(folder.glob("lib/python*/site-packages"))
    return sum(file.stat().st_size for file in packages.rglob("*") if file.is_file()) / 1e6


def run(python: Path, code: str, *arguments: str) -> tuple[float, float, str]:
    """Seconds that a process takes, those of the processor, and what it prints. It sees the installed package alone."""
    began, used = time.perf_counter(), processor_seconds()
    done = subprocess.run(
        [str(python), "-I", "-c", code, *arguments], capture_output=True, text=True, check=True, cwd=ROOT.anchor
    )
    return time.perf_counter() - began, processor_seconds() - used, done.stdout.strip()


def processor_seconds() -> float:
    """The processor's time of all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(options: Options) -> None:
    """Print the figures."""
    student = str(options.student.resolve())
    with TemporaryDirectory() as scratch:
        python = install(Path(scratch))
        prediction = run(python, _PREDICT, student, options.text)[-1]
        print(f"installed packages: {megabytes(Path(scratch)):.0f} MB, without {', '.join(_NOT_BROUGHT)}")
        print("from the start of a process, seconds: on the clock, of the processor")
        for name, code in (
            ("Python itself", "pass"),
            ("import potstill", "import potstill"),
            (f"first answer ({prediction})", _PREDICT),
        ):
            times = [run(python, code, student, options.text)[:2] for _ in range(options.processes)]
            clock, processor = (statistics.median(column) for column in zip(*times, strict=True))
            print(f"  {name:<20}{clock:8.3f}{processor:8.3f}")


if __name__ == "__main__":
    main(tyro.cli(Options))
