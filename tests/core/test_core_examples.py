"""The examples of the C interface give Python's answers."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import potstill
from core_builds import CORE, run
from core_students import TEXTS

_EXAMPLES = CORE / "examples"


def test_the_page_shows_the_example() -> None:
    page = CORE.parent / "docs" / "embed.md"
    assert f"```c\n{(_EXAMPLES / 'predict.c').read_text()}```\n" in page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(core_students: list[Path]) -> Path:
    """A student of single texts."""
    return next(folder for folder in core_students if folder.name == "bilstm-texts")


@pytest.fixture(scope="module")
def c_program(core_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example in C, linked."""
    c = shutil.which("cc")
    if c is None:
        pytest.skip("no C compiler")
    program = tmp_path_factory.mktemp("example") / "predict"
    warnings = ("-std=c11", "-Wall", "-Wextra", "-Werror")
    link = (f"-L{core_library}", f"-Wl,-rpath,{core_library}", "-lpotstill-core", "-lm")
    run(c, *warnings, f"-I{CORE / 'include'}", _EXAMPLES / "predict.c", *link, "-o", program)
    return program


def test_the_example_in_c(folder: Path, c_program: Path) -> None:
    told = run(c_program, folder, input="\n".join(TEXTS))
    rows = [line.split("\t") for line in told.splitlines()]
    model = potstill.load(folder, precision="int8", threads=1)
    assert [label for label, _ in rows] == model.predict(TEXTS).tolist()
    shares = np.exp(model.logits(list(TEXTS)))
    shares /= shares.sum(axis=1, keepdims=True)
    assert [float(share) for _, share in rows] == pytest.approx(shares.max(axis=1).tolist(), abs=1e-3)


def test_the_example_in_c_says_in_one_line_what_is_wrong(c_program: Path, tmp_path: Path) -> None:
    done = subprocess.run([c_program, tmp_path], input="a\n", capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path}/config.json cannot be read\n"
    assert done.stdout == ""


def test_the_example_in_rust(folder: Path, core_library: Path, tmp_path: Path) -> None:
    rust = shutil.which("rustc") or shutil.which("rustc", path=str(Path.home() / ".cargo" / "bin"))
    if rust is None:
        pytest.skip("no Rust compiler")
    program = tmp_path / "predict"
    rpath = f"-Clink-arg=-Wl,-rpath,{core_library}"
    run(rust, "-Dwarnings", "-L", core_library, rpath, _EXAMPLES / "predict.rs", "-o", program)
    told = run(program, folder, input="\n".join(TEXTS))
    assert told.splitlines() == potstill.load(folder, precision="int8", threads=1).predict(TEXTS).tolist()
