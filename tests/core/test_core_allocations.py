"""A call allocates nothing where the same texts were read before."""

from pathlib import Path

from core_builds import CORE, build_core, run


def test_the_second_call_allocates_nothing(core_students: list[Path], tmp_path: Path) -> None:
    program = build_core(tmp_path / "allocations", "-O1", CORE / "tests" / "allocations.cpp")
    assert run(program, *core_students).split() == ["0"] * len(core_students)
