"""Distill: the whole job in one run folder, from labelled text to a measured student."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from potstill.artifacts import EVALUATION, read_json, read_manifest
from potstill.errors import PotstillError, require
from potstill.progress import Progress, silent
from potstill.stages import distill_steps as steps
from potstill.stages.distill_options import DistillOptions
from potstill.stages.prepare import find_vectors
from potstill.stages.run import Run
from potstill.stages.scores import Score
from potstill.training.options import Optimisation


@dataclass(frozen=True)
class Distilled:
    """A finished run.

    :param scores: teacher, student, and the student's twin trained on the gold labels alone.
    """

    folder: Path
    scores: list[Score]

    @property
    def student(self) -> Path:
        """The student's folder."""
        return self.folder / "student"


def distill(options: DistillOptions, progress: Progress = silent) -> Distilled:
    """Run every stage that is not done yet.

    :raises PotstillError: for bad data or options; what is finished stays.
    """
    require("train", "torch", "transformers", "datasets", "accelerate", "onnxscript", "sklearn", "pyarrow")
    from potstill.corpus.splits import load_corpus

    corpus = load_corpus(options.data, options.seed)
    if corpus.is_paired:
        raise PotstillError(f"{options.data}: pairs of texts: students take single texts; only teachers take pairs")
    run = Run(options.out, _as_json(options))
    run.record_data(corpus.hashes)
    if read_manifest(options.out / "evaluation") is None:
        steps.check_names(options, find_vectors(options.embedding_path))
    run.stage("data", {"data": corpus.hashes, "seed": options.seed}, [], partial(steps.write_data, corpus))
    for stage in _plan(options, progress):
        stage(run)
    scores = read_json(options.out / "evaluation" / EVALUATION)["scores"]
    return Distilled(options.out, [Score(**score) for score in scores])


def _as_json(options: DistillOptions) -> dict[str, Any]:
    fields = asdict(options)
    return {name: str(value) if isinstance(value, Path) else value for name, value in fields.items()}


def _plan(options: DistillOptions, progress: Progress) -> list[Callable[[Run], None]]:
    """The stages after the data, in order."""
    return [
        partial(_teacher, options, progress),
        partial(_transfer, options, progress),
        partial(_students, options, progress),
        partial(_evaluation, options),
    ]


def _teacher(options: DistillOptions, progress: Progress, run: Run) -> None:
    inputs = {
        "teacher": options.teacher,
        "teacher_weights": steps.hash_weights(options.teacher),
        "teacher_is_finetuned": options.teacher_is_finetuned,
        "teacher_tokens": options.teacher_tokens,
        "teacher_dropout": options.teacher_dropout,
        **_named("teacher", options.for_teacher),
    }
    run.stage("teacher", inputs, ["data"], partial(steps.make_teacher, options, run.folder, progress))


def _transfer(options: DistillOptions, progress: Progress, run: Run) -> None:
    if options.transfer is not None:
        given = {"transfer": steps.hash_transfer(options.transfer)}
        run.stage("transfer", given, ["data"], partial(steps.copy_transfer, options, run.folder))
        return
    inputs = {"analyzer": options.analyzer, "seed": options.seed, **asdict(options.rules)}
    run.stage("augmented", inputs, ["data"], partial(steps.make_augmented, options, run.folder, progress))
    run.stage("transfer", {}, ["augmented", "teacher"], partial(steps.make_transfer, run.folder, progress))


def _students(options: DistillOptions, progress: Progress, run: Run) -> None:
    vectors = find_vectors(options.embedding_path)
    inputs = {
        "embedding_path": steps.hash_source(vectors),
        "n_frequent": options.n_frequent,
        "cased": options.cased,
        "student_words": options.student_words,
        "seed": options.seed,
    }
    prepare = partial(steps.make_prepared, options, vectors, run.folder, progress)
    run.stage("prepared", inputs, ["data", "transfer"], prepare)
    for name, optimisation in (("student", options.for_student), ("student-gold", options.for_twin)):
        if name == "student-gold" and not options.gold_epochs:
            continue
        inputs = {
            "student": options.student,
            "embedding_trainable": options.embedding_trainable,
            **_named(name, optimisation),
        }
        train = partial(steps.make_student, options, name, optimisation, run.folder, progress)
        run.stage(name, inputs, ["prepared"], train)


def _evaluation(options: DistillOptions, run: Run) -> None:
    after = ["data", "teacher", "student"] + (["student-gold"] if options.gold_epochs else [])
    run.stage("evaluation", {}, after, partial(steps.make_evaluation, options, run.folder))


def _named(prefix: str, optimisation: Optimisation) -> dict[str, Any]:
    """The options of a training as a stage's inputs, told apart by what is trained."""
    return {f"{prefix}_{name}": value for name, value in asdict(optimisation).items()}
