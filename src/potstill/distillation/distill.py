"""``potstill distill``: the whole job in one run folder, from labelled text to a measured student."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from potstill.artifacts import LABELLED, TRAINING, read_json
from potstill.corpus.examples import read_all_texts
from potstill.corpus.splits import SPLITS
from potstill.corpus.texts import Text
from potstill.distillation.convergence import TRAIN_ACCURACY
from potstill.distillation.opening import NOTHING, Given, has_gold, labelling_state, open_job, open_labelling
from potstill.distillation.plan import plan
from potstill.distillation.unlabelled import LabellingJob, labelled_stage
from potstill.evaluation.results import Evaluation, Score, read_evaluation, score_table
from potstill.model_folder import ModelFolder
from potstill.progress import Progress, silent
from potstill.reporting.report import ReportOptions, report_runs
from potstill.runs.contents import read_record
from potstill.runs.job import Job, Stage
from potstill.runs.options import DistillOptions
from potstill.runs.run import check_folder, describe_state, open_run, resolve
from potstill.teachers import Teacher

_NEW_TEXTS = "the new texts that are sampled from train are not known yet: they are not counted below"
_AFTERWARDS = "the stages after it are planned when it is made"


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
            score_table(self.scores, self.evaluation.reference, self.evaluation.columns),
            "",
            *self._advice(),
            *self._meaning(),
            "ECE: expected calibration error on test, in points: how far probabilities are from accuracy",
            f"everything is in {self.folder}: run.json, teacher/, transfer/, students/, student/, evaluation/",
            f"the figures, plots and samples of this run in a browser: {self.report}",
            "next:",
            f"  python -c \"import potstill; print(potstill.load('{self.student}').predict([{self._example}]))\"",
        ]
        return "\n".join(lines)

    @property
    def _example(self) -> str:
        """What the student predicts for, in Python."""
        return "('one text', 'the other')" if ModelFolder(self.student).reads_pairs else "'your text here'"

    def _meaning(self) -> list[str]:
        """What the first figures are."""
        how = "on test, checkpoints picked on valid; ms a text on one thread, raw text to label"
        if self.evaluation.is_gold:
            checked = read_record(self.folder)["config"]["gold"]
            harder = f"test is {checked}: its texts that were not drawn at random are harder than usual"
            figures = " and ".join(column.title for column in self.evaluation.columns[:2])
            return [f"{figures} {how}", *([harder] if checked else [])]
        return [
            f"agreement with the teacher, which alone labelled these texts, and macro F1 against its labels, {how}",
            "how often the teacher is right nobody knows yet: choose texts to label by hand with",
            f"  potstill sample {self.folder} --out check.csv",
            "fill in its column 'label', and run the same command again with --gold check.csv",
        ]

    def _advice(self) -> list[str]:
        """What to do where a baseline that takes seconds is better than the best student."""
        best, reference = self.evaluation.best, self.evaluation.reference
        share = self.evaluation.headline.of
        if reference is None or (share(best) or 0) >= (share(reference) or 0):
            return []
        teacher = self.evaluation.teacher
        if (share(teacher) or 0) < (share(reference) or 0):
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
        train, valid = training[TRAIN_ACCURACY], self.evaluation.teacher.valid["accuracy"]
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
    """The plan of a run.

    :param requests: how many requests it would send, and what they would cost; empty: none.
    :param note: what cannot be known yet.
    """

    stages: list[PlannedStage]
    requests: str = ""
    note: str = ""

    def __str__(self) -> str:
        rows = [("stage", "reads", "state")]
        rows += [(stage.name, ", ".join(stage.after), stage.state) for stage in self.stages]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = [f"{name:<{widths[0]}}  {reads:<{widths[1]}}  {state}" for name, reads, state in rows]
        return "\n".join([*lines, *filter(None, [self.note, self.requests])])


def distill_command(command: DistillCommand, progress: Progress = silent) -> Distilled | Planned:
    """Distill, or print the plan."""
    return make_plan(command.options, progress) if command.plan else distill(command.options, progress)


def distill(options: DistillOptions, progress: Progress = silent, given: Given = NOTHING) -> Distilled:
    """Run every stage that is not done yet.

    :param given: what a Python caller gives as objects.
    :raises PotstillError: for bad data or options; what is finished stays.
    """
    job = open_job(options, progress, given)
    with open_run(job, _all_stages(job, given)) as run:
        run.make_all()
        return Distilled(job.folder, read_evaluation(job.folder), report_runs(ReportOptions((job.folder,))).out)


def make_plan(options: DistillOptions, progress: Progress = silent) -> Planned:
    """The stages that :func:`distill` would go through; nothing is written, and no request is sent.

    :raises PotstillError: for bad data or options.
    """
    labelling = None if has_gold(options) else open_labelling(options, progress)
    if labelling is not None:
        stage, state = labelling_state(labelling)
        if state != "done":
            texts = tuple(labelling.all_texts())
            return Planned([PlannedStage(stage.name, (), state)], _plan_requests(labelling.teacher, texts), _AFTERWARDS)
    job = open_job(options, progress)
    stages = list(resolve(_all_stages(job, NOTHING)))
    check_folder(job, stages)
    planned = [
        PlannedStage(stage.name, stage.after, describe_state(job.folder / stage.name, inputs))
        for stage, inputs in stages
    ]
    if all(stage.state == "done" for stage in planned if stage.name in (LABELLED, "teacher", "transfer")):
        return Planned(planned)
    note = _NEW_TEXTS if job.options.asks_for_money and job.options.augment and not job.options.transfer else ""
    return Planned(planned, _plan_requests(job.black_box, _texts_to_ask(job)), note)


def _all_stages(job: Job, given: Given) -> Iterator[Stage]:
    """The plan, after the stage that labelled the texts, where the teacher did."""
    if not job.corpus.is_gold:
        assert job.black_box is not None
        yield labelled_stage(LabellingJob(job.options, job.black_box, given.texts, job.progress))
    yield from plan(job)


def _texts_to_ask(job: Job) -> list[Text]:
    """The texts that a black box is asked for; those that augmentation makes are not known yet."""
    splits = SPLITS[1:] if job.options.transfer else SPLITS  # a labelled set is all that students learn
    texts = [example.content for split in splits for example in job.corpus.splits[split]]
    if job.corpus.is_gold and not job.options.transfer:
        columns = job.options.columns.of_texts
        texts += read_all_texts(job.options.unlabelled, columns, paired=job.corpus.is_paired)
    return list(dict.fromkeys(texts))


def _plan_requests(teacher: Teacher | None, texts: Sequence[Text]) -> str:
    """How many requests the texts would be, and what they would cost; empty for a teacher that sends none."""
    ask = getattr(teacher, "plan", None)
    return str(ask(texts)) if ask else ""
