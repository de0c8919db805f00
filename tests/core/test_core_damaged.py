"""Nothing in a student's files makes the core read or write where it must not, overflow, or take much memory."""

from pathlib import Path

import pytest

from core_builds import CORE, build_core, compiler, run

_SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
_ROUNDS = 400  # damages of each student's files


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that damages, built with sanitizers."""
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "empty.cpp").write_text("int main() {}\n")
    try:
        run(compiler(), *_SANITIZE, folder / "empty.cpp", "-o", folder / "empty")
        run(folder / "empty")
    except AssertionError:
        pytest.skip("the compiler has no sanitizers")
    return build_core(folder / "damaged", *_SANITIZE, CORE / "tests" / "damaged.cpp")


def test_whole_and_damaged_students_are_read_without_a_fault(driver: Path, core_students: list[Path]) -> None:
    told = run(driver, str(_ROUNDS), "1", *core_students, ASAN_OPTIONS="max_allocation_size_mb=600")
    words = told.split()
    counts = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    n_students = 2 * len(core_students)
    assert counts["whole"] == n_students
    assert counts["opened"] + counts["refused"] == n_students * _ROUNDS
    assert counts["opened"] > 10 * n_students  # so that damage is read too, not only refused
    assert counts["refused"] > 10 * n_students
