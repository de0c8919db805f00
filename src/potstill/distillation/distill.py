"""``potstill distill``: the whole job in one run folder, from labelled text to a measured student."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from potstill.artifacts import TRAINING, read_json
from potstill.augment.analyzers import find_analyzer
from potstill.corpus.splits import load_corpus
from potstill.distillation.checks import check_job
from potstill.distillation.convergence import TRAIN_ACCURACY
from potstill.distillation.plan import plan
from potstill.errors import require
from potstill.evaluation.results import Evaluation, Score, read_evaluation, score_table
from potstill.progress import Progress, silent
from potstill.reporting.report import ReportOptions, report_runs
from potstill.runs.job import Job
from potstill.runs.options import DistillOptions
from potstill.runs.run import check_folder, describe_state, open_run, resolve
from potstill.training.pretrained import AUTO


@dataclass(frozen=True)
class DistillCommand:
    """Distill a transformer text classifier into a small student, and measure both."""

    options: Annotated[DistillOptions, tyro.conf.arg(name="")]
    plan: bool = False
    """Print the stages of the run, the folders that each reads, and whether it is done; make nothing."""


@dataclass(frozen=True)
class Distilled:
    """A finished run.

    :param evaluation: the figures of the teacher, and of each student with its gold-label baseline.
    :param report: the page that shows them.
    """

    folder: Path
    evaluation: Evaluation
    report: Path

    @property
    def scores(self) -> list[Score]:
        """The figures of the models."""
        return self.evaluation.scores

    @property
    def student(self) -> Path:
        """The folder of the student that is best on valid."""
        return self.folder / "student"

    def __str__(self) -> str:
        lines = [
            score_table(self.scores, self.evaluation.reference),
            "",
            *self._advice(),
            "accuracy and macro F1 on test, checkpoints picked on valid; ms a text on one thread, raw text to label",
            "ECE: expected calibration error on test, in points: how far probabilities are from accuracy",
            f"everything is in {self.folder}: run.json, teacher/, transfer/, students/, student/, evaluation/",
            f"the figures, plots and samples of this run in a browser: {self.report}",
            "next:",
            f"  python -c \"import potstill; print(potstill.load('{self.student}').predict(['your text here']))\"",
        ]
        return "\n".join(lines)

    def _advice(self) -> list[str]:
        """What to do where a baseline that takes seconds is better than the best student."""
        best, reference = self.evaluation.best, self.evaluation.reference
        if reference is None or best.accuracy >= reference.accuracy:
            return []
        teacher = self.evaluation.teacher
        if teacher.accuracy < reference.accuracy:
            training = self._teachers_training()
            advice = f"the teacher is below it too{training}: give more --teacher_epochs, or another --teacher"
        else:
            advice = "the teacher is above it: give texts of the same kind with --unlabelled, or --effort best"
        return [
            f"{best.name}, the best student, is below {reference.name}, fitted in {reference.seconds:.1f} s: {advice}",
            "",
        ]

    def _teachers_training(self) -> str:
        """How far the teacher's fine-tuning came; empty where it was used as it is."""
        file = self.folder / "teacher" / TRAINING
        training = read_json(file) if file.is_file() else {}
        if TRAIN_ACCURACY not in training:
            return ""
        ended = ", and was still rising when its fine-tuning ended" if training["is_rising"] else ""
        train, valid = training[TRAIN_ACCURACY], self.evaluation.teacher.valid_accuracy
        return f" (it has {100 * train:.1f}% of train right, {100 * valid:.1f}% of valid{ended})"


@dataclass(frozen=True)
class PlannedStage:
    """A stage of the plan.

    :param after: the stages whose folders it reads.
    :param state: ``done``, or why it is to be made.
    """

    name: str
    after: tuple[str, ...]
    state: str


@dataclass(frozen=True)
class Planned:
    """The plan of a run."""

    stages: list[PlannedStage]

    def __str__(self) -> str:
        rows = [("stage", "reads", "state")]
        rows += [(stage.name, ", ".join(stage.after), stage.state) for stage in self.stages]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        return "\n".join(f"{name:<{widths[0]}}  {reads:<{widths[1]}}  {state}" for name, reads, state in rows)


def distill_command(command: DistillCommand, progress: Progress = silent) -> Distilled | Planned:
    """Distill, or print the plan."""
    return make_plan(command.options, progress) if command.plan else distill(command.options, progress)


def distill(options: DistillOptions, progress: Progress = silent) -> Distilled:
    """Run every stage that is not done yet.

    :raises PotstillError: for bad data or options; what is finished stays.
    """
    job = _open_job(options, progress)
    with open_run(job, plan(job)) as run:
        run.make_all()
        return Distilled(job.folder, read_evaluation(job.folder), report_runs(ReportOptions((job.folder,))).out)


def make_plan(options: DistillOptions, progress: Progress = silent) -> Planned:
    """The stages that :func:`distill` would go through; nothing is written.

    :raises PotstillError: for bad data or options.
    """
    job = _open_job(options, progress)
    stages = list(resolve(plan(job)))
    check_folder(job, stages)
    return Planned(
        [
            PlannedStage(stage.name, stage.after, describe_state(job.folder / stage.name, inputs))
            for stage, inputs in stages
        ]
    )


def _open_job(options: DistillOptions, progress: Progress) -> Job:
    require("train", "torch", "transformers", "datasets", "accelerate", "onnxscript", "sklearn", "pyarrow", "jinja2")
    corpus = load_corpus(options.data, options.seed, options.data_columns)
    job = Job(options, corpus, progress)
    if options.analyzer == AUTO:
        texts = [example.text for example in corpus.splits["train"]]
        job = replace(job, options=replace(options, analyzer=find_analyzer(texts)))
    check_job(job, chose_analyzer=options.analyzer == AUTO)
    return job
