"""A run folder: one process at a time, and nothing is replaced that the run has not made."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from potstill.artifacts import FORMAT, RUN_LOCK, atomic_folder, read_json, write_json
from potstill.errors import PotstillError
from potstill.locks import Locked
from potstill.runs.job import Stage
from potstill.runs.run import open_run


@dataclass(frozen=True)
class Options:
    seed: int = 1


@dataclass(frozen=True)
class SmallJob:
    """A job of two stages that write a file each."""

    folder: Path
    command: str = "distill"
    options: Options = field(default_factory=Options)
    sources: dict[str, Any] = field(default_factory=dict)

    @property
    def stages(self) -> list[Stage]:
        inputs = {"seed": self.options.seed}
        return [Stage("data", (), inputs, write), Stage("students/a", ("data",), {}, write)]

    def make(self) -> None:
        with open_run(self, self.stages) as run:
            run.make_all()


def write(job: SmallJob, work: Path) -> None:
    (work / "a.txt").write_text(str(job.options.seed))


def contents(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_a_run_leaves_its_stages_and_its_record(tmp_path: Path) -> None:
    SmallJob(tmp_path / "run").make()
    assert {"run.json", "data/a.txt", "students/a/a.txt"} < set(contents(tmp_path / "run"))
    assert not any(name.startswith(".") for name in contents(tmp_path / "run"))
    assert read_json(tmp_path / "run" / "run.json")["command"] == "distill"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", '{"mine": true}'),
        ("run.json", f'{{"format": {FORMAT}}}'),
        ("report.html", "mine"),
        ("data/mine.txt", "mine"),
        ("data/manifest.json", "{}"),
        ("students", "mine"),
        ("students/a", "mine"),
        ("students/a/mine.txt", "mine"),
    ],
)
def test_what_others_have_made_is_named_before_anything_is_written(tmp_path: Path, name: str, content: str) -> None:
    place = tmp_path / "run" / name
    place.parent.mkdir(parents=True)
    place.write_text(content)
    before = contents(tmp_path)
    with pytest.raises(PotstillError, match=r": exists and was not made by potstill: choose another name, or remove"):
        SmallJob(tmp_path / "run").make()
    assert contents(tmp_path) == before


def test_other_files_in_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    SmallJob(tmp_path).make()
    SmallJob(tmp_path, options=Options(2)).make()
    assert contents(tmp_path)["notes.txt"] == "mine" and contents(tmp_path)["data/a.txt"] == "2"


def test_another_commands_run_is_named(tmp_path: Path) -> None:
    SmallJob(tmp_path, command="pretrain").make()
    before = contents(tmp_path)
    with pytest.raises(PotstillError, match=r"made by potstill pretrain: choose another --out"):
        SmallJob(tmp_path).make()
    assert contents(tmp_path) == before


def test_a_folder_that_belongs_to_no_run_is_taken_for_a_stage_only_if_it_is_the_same(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "data", {"seed": 1}) as work:
        (work / "a.txt").write_text("1")
    before = contents(tmp_path)
    with pytest.raises(PotstillError, match=r"data: belongs to no run, as there is no .*run\.json"):
        SmallJob(tmp_path, options=Options(2)).make()
    assert contents(tmp_path) == before
    SmallJob(tmp_path).make()
    assert read_json(tmp_path / "run.json")["stages"]["data"]["seconds"] is None


def test_a_run_is_one_processes(tmp_path: Path) -> None:
    with open_run(SmallJob(tmp_path), SmallJob(tmp_path).stages):
        with pytest.raises(Locked, match=r": process \d+ on \S+ is working on it"):
            SmallJob(tmp_path).make()
        assert set(contents(tmp_path)) == {"run.json", RUN_LOCK}
    SmallJob(tmp_path).make()


def test_the_lock_that_a_killed_run_has_left_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / RUN_LOCK).write_text("process 1 on elsewhere")
    SmallJob(tmp_path).make()
    assert not (tmp_path / RUN_LOCK).exists()


def test_a_damaged_record_is_named_and_stays(tmp_path: Path) -> None:
    SmallJob(tmp_path).make()
    for content in ('{"format"', "[]"):
        (tmp_path / "run.json").write_text(content)
        with pytest.raises(PotstillError, match=r"run\.json: not a JSON .*; was it cut short or edited\?"):
            SmallJob(tmp_path).make()
        assert (tmp_path / "run.json").read_text() == content
    write_json(tmp_path / "run.json", {})
