"""The native core built without CMake, with kernels for any processor: what the tests of its C side link."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CORE = Path(__file__).parents[1] / "core"


def compiler() -> str:
    """The C++ compiler; skips the test where there is none."""
    found = shutil.which(os.environ.get("CXX", "c++"))
    if found is None or os.name != "posix":
        pytest.skip("no C++ compiler")
    return found


def build_core(output: Path, *arguments: str | Path) -> Path:
    """Compile the core's sources, with more sources and options, in one call."""
    kernels = ["-DPOTSTILL_ISA=plain", '-DPOTSTILL_NAME="plain"', "-DPOTSTILL_BYTES=16", "-ffp-contract=fast"]
    options = ["-std=gnu++17", "-O1", "-Wno-psabi", "-fno-math-errno", "-fno-trapping-math"]
    paths = [f"-I{CORE / folder}" for folder in ("include", "src")]
    run(compiler(), *options, *kernels, *paths, *arguments, *sorted((CORE / "src").glob("*.cpp")), "-o", output)
    return output


def run(*command: str | Path, **options: str) -> str:
    """What a command prints; fails with what it complains about.

    :param options: ``input``, its standard input; others are variables of its environment.
    """
    text = options.pop("input", "")
    done = subprocess.run(
        list(map(str, command)),
        input=text,
        env=os.environ | options,
        capture_output=True,
        encoding="utf-8",
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="session")
def core_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the shared library."""
    folder = tmp_path_factory.mktemp("core")
    build_core(folder / "libpotstill-core.so", "-shared", "-fPIC", "-fvisibility=hidden")
    return folder
