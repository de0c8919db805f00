"""Feeds made-up bytes to what reads bytes from outside, guided by the lines of code that they reach.

    pip install atheris
    python benchmarks/fuzz.py readers --runs 400000
    python benchmarks/fuzz.py vectors --input crash-0123

The fuzzer is atheris (libFuzzer, https://github.com/google/atheris), which has wheels for Linux. Only Potstill's own
code is watched. Findings: an exception that is no PotstillError, a wrong result (``fuzz_targets.py`` says
what is right), more memory than --megabytes, more than --hang seconds for one input. The first one ends the run with
its traceback, and its input is a file in --found; --input tries that file again.
"""

import multiprocessing
import random
import resource
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

_MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Options:
    """Fuzz one target."""

    target: Annotated[Literal["readers", "vectors", "student", "core", "http"], tyro.conf.Positional]
    """Which."""
    runs: int = 100_000
    """Inputs."""
    seconds: int = 600
    """When to stop at the latest."""
    megabytes: int = 512
    """That an input may make the process use, in addition to what it had before the first."""
    hang: int = 20
    """Seconds that an input may take."""
    longest: int = 4096
    """Bytes of an input."""
    seed: int = 1
    """Of the fuzzer."""
    found: Path = Path()
    """Where the inputs of findings go: a folder that is there."""
    input: Path | None = None
    """Try this file alone, without a fuzzer."""


def main(options: Options) -> int:
    """Fuzz in a process of its own, for the fuzzer ends the process that it runs in."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from standins import write_student

    with tempfile.TemporaryDirectory(dir=_memory_disk()) as name:
        folder = Path(name)
        for part in ("student", "scratch", "inputs"):
            (folder / part).mkdir()
        write_student(folder / "student", parameters=SMALLEST)
        context = multiprocessing.get_context("spawn")
        child = context.Process(target=_try if options.input else _fuzz, args=(options, folder))
        child.start()
        child.join()
    return child.exitcode or 0


SMALLEST = {"num_filters": 1, "kernel_sizes": [1], "fc_hidden_size": 1}
"""A student whose files are small: the fewer bytes, the more of them matter."""


def _memory_disk() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _try(options: Options, folder: Path) -> None:
    from fuzz_targets import TARGETS

    assert options.input is not None
    TARGETS[options.target](folder / "scratch", folder / "student").check(options.input.read_bytes())


def _fuzz(options: Options, folder: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=["potstill"]):
        from fuzz_targets import TARGETS
    target = TARGETS[options.target](folder / "scratch", folder / "student")
    for index, seed in enumerate(target.seeds):
        target.check(seed)  # imports what is imported late, before the memory is counted
        (folder / "inputs" / str(index)).write_bytes(seed)
    flags = {
        "runs": options.runs,
        "max_total_time": options.seconds,
        "timeout": options.hang,
        "rss_limit_mb": 0,  # counted below
        "max_len": options.longest,
        "len_control": 0,
        "seed": options.seed,
        "artifact_prefix": f"{options.found}/",
        "print_final_stats": 1,
    }
    _limit_memory(options.megabytes)
    arguments = [f"-{name}={value}" for name, value in flags.items()]

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        """Half of the time from a good input: libFuzzer drops those that reach no new line."""
        generator = random.Random(seed)
        mutated = generator.choice(target.seeds) if generator.random() < 0.5 else data
        for _ in range(generator.randint(1, 4)):
            mutated = atheris.Mutate(mutated, longest)
        return mutated

    atheris.Setup([sys.argv[0], *arguments, str(folder / "inputs")], target.check, custom_mutator=mutate)
    atheris.Fuzz()


def _limit_memory(megabytes: int) -> None:
    """More memory is refused, in which case Python raises MemoryError and a library ends the process."""
    status = Path("/proc/self/status").read_text().splitlines()
    used = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))
    limit = used + megabytes * _MEGABYTE
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, config=(tyro.conf.OmitArgPrefixes,))))
