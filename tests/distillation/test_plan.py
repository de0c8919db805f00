"""The plan of a run: its stages, what each reads, and the table of docs/architecture.md."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from potstill.cli import main
from potstill.corpus.splits import load_corpus
from potstill.distillation.distill import distill, make_plan
from potstill.distillation.plan import plan
from potstill.distillation.students import find_students
from potstill.errors import PotstillError
from potstill.runs.job import Job, Stage
from potstill.runs.options import DistillOptions
from potstill.teachers.function import FunctionTeacher
from potstill.training.options import Optimisation
from small_runs import small_run

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
TRAINING = {field.name for field in fields(Optimisation)}


@pytest.fixture(scope="module")
def job(
    tiny_data: Path,
    tiny_encoder: Path,
    tiny_vectors: Path,
    tmp_path_factory: pytest.TempPathFactory,
    classifier_folder: Callable[[dict[int, str]], Path],
) -> Callable[..., Job]:
    """A job that is not run: with other options than a small run's."""
    other = str(classifier_folder({0: "0", 1: "1"}))
    (tmp_path_factory.mktemp("labelled") / "part-00000.parquet").touch()

    def make(**changes: Any) -> Job:
        if changes.pop("with_ensemble", False):
            changes["ensemble"] = (other,)
        black_box = FunctionTeacher(by_length, ["0", "1"]) if changes.pop("with_black_box", False) else None
        is_gold = changes.pop("is_gold", True)
        options = small_run(tiny_data, tiny_encoder, tiny_vectors, tmp_path_factory.mktemp("run") / "out", **changes)
        corpus = replace(load_corpus(options.data, options.seed), is_gold=is_gold)
        if black_box:
            black_box.check(["a text"])
        return Job(options, corpus, black_box=black_box)

    return make


def test_what_is_in_the_way_of_a_later_stage_is_named_before_the_first_one(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "thesis.txt").touch()
    options = small_run(tiny_data, tiny_encoder, tiny_vectors, tmp_path)
    for command in (make_plan, distill):
        with pytest.raises(PotstillError, match=r"student: exists and was not made by potstill"):
            command(options)
    assert [path.name for path in tmp_path.iterdir()] == ["student"]


def by_length(texts: list[str]) -> list[list[float]]:
    """The scores of a black box."""
    return [[1 / len(text), 1 - 1 / len(text)] for text in texts]


def names(stages: list[Stage]) -> list[str]:
    return [stage.name for stage in stages]


def test_a_stage_reads_only_stages_before_it_and_none_is_there_twice(job: Callable[..., Job]) -> None:
    stages = list(plan(job(student=("cnn", "char-ngram", "teacher", "ngram"), with_ensemble=True)))
    assert len(set(names(stages))) == len(stages)
    for number, stage in enumerate(stages):
        assert set(stage.after) <= set(names(stages[:number]))


def test_the_order_of_the_stages(job: Callable[..., Job]) -> None:
    stages = plan(job(student=("ngram", "cnn"), gold_epochs=1))
    assert [stage.name for stage in stages] == [
        "data", "teacher", "augmented", "transfer", "prepared", "students/ngram", "students/ngram-gold", "students/cnn",
        "students/cnn-gold", "evaluation", "student",
    ]  # fmt: skip


def test_without_a_baseline_there_is_none(job: Callable[..., Job]) -> None:
    assert not [name for name in names(list(plan(job(gold_epochs=0)))) if name.endswith("-gold")]


# What the table calls a stage, and how its name is written in a plan.
ROWS = {
    "teachers/NAME": r"teachers/.+",
    "prepared-NAME": r"prepared-(?!char-ngram).+",
    "students/NAME, over word vectors": r"students/(cnn|ngram)(-gold)?",
    "students/NAME, over characters": r"students/char-ngram(-gold)?",
    "students/NAME, a transformer": r"students/(?!cnn|ngram|char-ngram).+",
}


def read_table() -> dict[str, tuple[set[str], set[str]]]:
    """The stages of the page: what each reads, and the options that it depends on."""
    section = PAGE.read_text(encoding="utf-8").partition("| stage | reads | depends on |")[2].partition("\n\n")[0]
    rows = {}
    for line in section.splitlines()[2:]:
        name, reads, options = (cell.strip() for cell in line.strip("|").split("|"))
        rows[name.replace("`", "")] = (set(re.findall(r"`([^`]+)`", reads)), set(re.findall(r"`([^`]+)`", options)))
    return rows


def row_of(stage: Stage, options: DistillOptions) -> str:
    if stage.name == "transfer" and options.transfer:
        return "transfer, with --transfer"
    if stage.name == "transfer" and not stage.inputs:
        return "transfer, by a black box"
    if "identity" in stage.inputs and stage.name == "teacher":
        return "teacher, a black box"
    if stage.name == "transfer" and not stage.inputs:
        return "transfer, by a black box"
    if stage.name == "teacher" and "identity" in stage.inputs:
        return "teacher, a black box"
    return next((name for name, pattern in ROWS.items() if re.fullmatch(pattern, stage.name)), stage.name)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"student": ("cnn", "char-ngram", "teacher"), "with_ensemble": True, "embedding_path": "teacher:8"},
        {"augment": False, "gold_epochs": 0},
        {"analyzer": "mecab"},
        {"with_black_box": True},
        {"with_black_box": True, "is_gold": False},
        {"transfer": ("labelled",)},
    ],
)
def test_the_table_of_the_architecture_page_is_the_plan(
    job: Callable[..., Job], changes: dict[str, Any], tmp_path: Path
) -> None:
    if "transfer" in changes:
        (tmp_path / "labelled").mkdir()
        changes = changes | {"transfer": (tmp_path / "labelled",)}
    planned, rows = job(**changes), read_table()
    for stage in plan(planned):
        reads, options = rows[row_of(stage, planned.options)]
        after = {re.sub(r"^(teachers|students)/.*", r"\1/NAME", name) for name in stage.after}
        after = {"prepared-NAME" if name.startswith("prepared-") and "char" not in name else name for name in after}
        assert after <= reads, stage.name
        assert {short(name) for name in stage.inputs} <= options, stage.name


def short(name: str) -> str:
    """The name of an input as the table writes it: the options of a training are one."""
    prefix, _, rest = name.partition("_")
    return f"{prefix}_*" if prefix in ("teacher", "student") and rest in TRAINING else name


def test_every_row_of_the_table_is_a_stage_of_some_plan(job: Callable[..., Job], tmp_path: Path) -> None:
    (tmp_path / "labelled").mkdir()
    rows = set()
    for changes in (
        {"student": ("cnn", "char-ngram", "teacher"), "with_ensemble": True, "gold_epochs": 1},
        {"transfer": (tmp_path / "labelled",)},
        {"with_black_box": True},
    ):
        planned = job(**changes)
        rows |= {row_of(stage, planned.options) for stage in plan(planned)}
    rows.add("labelled, without --data")  # it comes before the plan
    assert rows == set(read_table())


def test_the_plan_is_printed_and_nothing_is_done(
    job: Callable[..., Job], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    options = job().options
    command = f"distill --data {options.data} --teacher {options.teacher} --out {tmp_path / 'new'} --plan --quiet"
    main([*command.split(), "--embedding_path", options.embedding_path, "--analyzer=whitespace"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["stage", "reads", "state"]
    assert lines[1].split(maxsplit=1) == ["data", "not made yet"]
    assert re.fullmatch(r"transfer +augmented, teacher +not made yet", lines[4])
    assert not (tmp_path / "new").exists()


def test_a_plan_says_what_is_done_and_why_the_rest_is_not(job: Callable[..., Job]) -> None:
    options = job(gold_epochs=0, student_epochs=1).options
    distill(options)
    before = {path: path.stat().st_mtime_ns for path in options.out.rglob("*")}
    assert {stage.state for stage in make_plan(options).stages} == {"done"}
    changed = DistillOptions(**vars(options) | {"student_lr": 0.5})
    states = {stage.name: stage.state for stage in make_plan(changed).stages}
    assert states["students/cnn"] == "to be made again, because student_lr was 0.002 and is 0.5"
    assert states["evaluation"] == "to be made again, because students/cnn changed"
    assert states["teacher"] == states["transfer"] == states["prepared"] == "done"
    assert {path: path.stat().st_mtime_ns for path in options.out.rglob("*")} == before


def test_a_plan_of_bad_names_is_one_line(job: Callable[..., Job]) -> None:
    with pytest.raises(PotstillError, match="there is no student 'nono'"):
        make_plan(job(student=("nono",)).options)


def test_a_student_that_is_named_twice_is_one() -> None:
    options = DistillOptions(data="d", out=Path("o"), teacher="t", student=("ngram", "all", "a/b", "a/b"), layers=2)
    students = {student.folder: student.name for student in find_students(options)}
    names = {name: name for name in ("ngram", "cnn", "densenet-cnn", "densenet-dsa", "bilstm", "char-ngram")}
    assert students == names | {"b-2-layers": "a/b"}
    assert next(iter(students)) == "ngram"


def test_a_student_over_characters_learns_in_steps_of_its_own_unless_options_say_others() -> None:
    options = DistillOptions(data="d", out=Path("o"), teacher="t", student=("ngram", "char-ngram"))

    def steps(options: DistillOptions) -> list[tuple[float, int]]:
        trainings = [
            student.optimisation(options, is_baseline=flag)
            for student in find_students(options)
            for flag in (False, True)
        ]
        return [(training.lr, training.batch_size) for training in trainings]

    assert steps(options) == [(2e-3, 128)] * 2 + [(5e-3, 32)] * 2
    assert steps(replace(options, student_lr=0.1, student_batch_size=8)) == [(0.1, 8)] * 4
    with pytest.raises(PotstillError, match="--lr=0"):
        replace(options, student_lr=0)
