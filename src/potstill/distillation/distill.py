"""Distill: the whole job in one run folder, from labelled text to a measured student."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from potstill.artifacts import hash_file
from potstill.distillation import prepared as prepared
from potstill.distillation import students as students
from potstill.distillation import teacher as steps
from potstill.distillation import transfer as transfer
from potstill.distillation.data import write_data
from potstill.errors import PotstillError, require
from potstill.evaluation.results import GOLD, Score, read_evaluation
from potstill.progress import Progress, silent
from potstill.reporting.report import ReportOptions, report_runs
from potstill.runs.options import DistillOptions
from potstill.runs.run import Run
from potstill.training.options import Optimisation
from potstill.training.vocabulary import find_vectors, is_from_teacher, split_vectors


@dataclass(frozen=True)
class Distilled:
    """A finished run.

    :param scores: the teacher, and each student with its baseline trained on the gold labels alone.
    :param report: the page that shows them.
    """

    folder: Path
    scores: list[Score]
    report: Path

    @property
    def student(self) -> Path:
        """The folder of the student that is best on valid."""
        return self.folder / "student"


def distill(options: DistillOptions, progress: Progress = silent) -> Distilled:
    """Run every stage that is not done yet.

    :raises PotstillError: for bad data or options; what is finished stays.
    """
    require("train", "torch", "transformers", "datasets", "accelerate", "onnxscript", "sklearn", "pyarrow", "jinja2")
    from potstill.corpus.splits import load_corpus

    corpus = load_corpus(options.data, options.seed)
    if corpus.is_paired:
        raise PotstillError(f"{options.data}: pairs of texts: students take single texts; only teachers take pairs")
    run = Run(options.out, _as_json(options))
    run.record_data(corpus.hashes)
    students.check_names(options)
    run.stage("data", {"data": corpus.hashes, "seed": corpus.seed}, [], partial(write_data, corpus))
    for stage in _plan(options, progress):
        stage(run)
    scores = read_evaluation(options.out).scores
    return Distilled(options.out, scores, report_runs(ReportOptions((options.out,))).out)


def _as_json(options: DistillOptions) -> dict[str, Any]:
    return {name: _plain(value) for name, value in asdict(options).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _plan(options: DistillOptions, progress: Progress) -> list[Callable[[Run], None]]:
    """The stages after the data, in order."""
    return [
        partial(_ensemble, options),  # first: a wrong one is found before anything expensive
        partial(_teacher, options, progress),
        partial(_transfer, options, progress),
        partial(_students, options, progress),
        partial(_evaluation, options),
    ]


def _teacher(options: DistillOptions, progress: Progress, run: Run) -> None:
    inputs: dict[str, Any] = {
        "teacher": options.teacher,
        "teacher_weights": steps.hash_weights(options.teacher),
        "teacher_is_finetuned": steps.is_finetuned_teacher(options, run.folder),
    }
    if not inputs["teacher_is_finetuned"]:
        inputs |= {"teacher_tokens": options.teacher_tokens, "teacher_dropout": options.teacher_dropout}
        inputs |= _named("teacher", options.for_teacher)
    run.stage("teacher", inputs, ["data"], partial(steps.make_teacher, options, run.folder, progress))


def _ensemble(options: DistillOptions, run: Run) -> None:
    for stage, name in steps.ensemble_stages(options).items():
        inputs = {"teacher": name, "teacher_weights": steps.hash_weights(name)}
        run.stage(stage, inputs, ["data"], partial(steps.make_ensemble_teacher, name, run.folder))


def _transfer(options: DistillOptions, progress: Progress, run: Run) -> None:
    if options.transfer:
        given = {"transfer": [transfer.hash_transfer(path) for path in options.transfer]}
        run.stage("transfer", given, ["data"], partial(transfer.copy_transfer, options, run.folder))
        return
    inputs: dict[str, Any] = {"unlabelled": [hash_file(path) for path in options.unlabelled]}
    if options.augment:
        inputs |= {"analyzer": options.analyzer, "seed": options.seed, **asdict(options.rules)}
    run.stage("augmented", inputs, ["data"], partial(transfer.make_augmented, options, run.folder, progress))
    teachers = ["teacher", *steps.ensemble_stages(options)]
    label = partial(transfer.make_transfer, options, teachers, run.folder, progress)
    run.stage("transfer", {"labelling": options.labelling}, ["augmented", *teachers], label)


def _students(options: DistillOptions, progress: Progress, run: Run) -> None:
    for folder, name in students.student_names(options).items():
        inputs: dict[str, Any] = {"student": name}
        if students.is_transformer(name):
            inputs |= {"layers": options.layers, "teacher_dropout": options.teacher_dropout}
            text = _prepared_for(name, folder, options, progress, run)
        elif students.reads_characters(name):
            text = _prepared_characters(name, options, progress, run)
        else:
            inputs |= {"embedding_trainable": options.embedding_trainable}
            text = _prepared(options, progress, run)
        for baseline in (False, True) if options.has_baseline else (False,):
            optimisation = students.student_optimisation(name, options, baseline)
            stage = f"students/{folder}{GOLD if baseline else ''}"
            train = partial(students.make_student, name, options, baseline, text, run.folder, progress)
            run.stage(stage, inputs | _named("student", optimisation), [text], train)


def _prepared(options: DistillOptions, progress: Progress, run: Run) -> str:
    """The stage of the students over word vectors, done once for all of them."""
    if run.is_done("prepared"):
        return "prepared"
    vectors = find_vectors(options.embedding_path)
    inputs = {
        "embedding_path": students.hash_vectors(vectors),
        "n_frequent": options.n_frequent,
        "cased": options.cased,
        "student_words": options.student_words,
        "seed": options.seed,
        **asdict(options.soft_labels),
    }
    if options.word_analyzer:
        inputs["analyzer"] = options.word_analyzer
    after = ["data", "transfer"]
    if any(is_from_teacher(part) for part in split_vectors(vectors)):
        after.append("teacher")
    build = partial(prepared.make_prepared, options, vectors, run.folder, progress)
    run.stage("prepared", inputs, after, build)
    return "prepared"


def _prepared_characters(name: str, options: DistillOptions, progress: Progress, run: Run) -> str:
    """The stage of a student that reads characters."""
    inputs = {"cased": options.cased, "student_words": options.student_words, **asdict(options.soft_labels)}
    build = partial(prepared.make_prepared_characters, options, run.folder, progress)
    run.stage(f"prepared-{name}", inputs, ["data", "transfer"], build)
    return f"prepared-{name}"


def _prepared_for(name: str, folder: str, options: DistillOptions, progress: Progress, run: Run) -> str:
    """The stage of a transformer student."""
    weights = None if name == students.TEACHER else steps.hash_weights(name)
    inputs = {"student": name, "weights": weights, "teacher_tokens": options.teacher_tokens}
    inputs |= asdict(options.soft_labels)
    after = ["data", "transfer"] + (["teacher"] if name == students.TEACHER else [])
    source = students.source_of(name, run.folder)
    build = partial(prepared.make_prepared_for, source, options, run.folder, progress)
    run.stage(f"prepared-{folder}", inputs, after, build)
    return f"prepared-{folder}"


def _evaluation(options: DistillOptions, run: Run) -> None:
    trained = [f"students/{name}" for name in students.student_names(options)]
    baselines = [f"{name}{GOLD}" for name in trained] if options.has_baseline else []
    after = ["data", "teacher", *steps.ensemble_stages(options), *trained, *baselines]
    measured = [field.name for field in fields(Score)]  # of an older version the table would lack some
    run.stage("evaluation", {"measured": measured}, after, partial(students.make_evaluation, options, run.folder))
    run.stage("student", {}, ["evaluation", *trained], partial(students.make_best, run.folder))


def _named(prefix: str, optimisation: Optimisation) -> dict[str, Any]:
    """The options of a training as a stage's inputs, told apart by what is trained."""
    return {f"{prefix}_{name}": value for name, value in asdict(optimisation).items()}
