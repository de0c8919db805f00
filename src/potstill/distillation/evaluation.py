"""``evaluation`` and ``student``: every model's figures, and the student that is best on valid."""

import logging
from collections.abc import Iterator
from pathlib import Path

from potstill.artifacts import MANIFEST, link_or_copy
from potstill.distillation.students import find_students
from potstill.distillation.teacher import find_ensemble
from potstill.evaluation.results import GOLD, Evaluation, read_evaluation, this_machine, write_evaluation
from potstill.reporting.card import write_card
from potstill.runs.contents import read_split
from potstill.runs.job import Job, Stage

logger = logging.getLogger(__name__)


def evaluation_stages(job: Job) -> Iterator[Stage]:
    """The last two stages."""
    students = [f"students/{student.folder}" for student in find_students(job.options)]
    baselines = [f"{student}{GOLD}" for student in students] if job.options.has_baseline else []
    teachers = ["teacher", *(teacher.folder for teacher in find_ensemble(job.options))]
    inputs = {"reference_row": job.options.reference_row}
    yield Stage("evaluation", ("data", *teachers, *students, *baselines), inputs, _evaluate)
    yield Stage("student", ("evaluation", *students), {}, _take_best)


def _evaluate(job: Job, work: Path) -> None:
    from potstill.evaluation.labelled import Labelled
    from potstill.evaluation.measuring import Model, score_models
    from potstill.evaluation.reference import measure_reference

    options = job.options
    train, valid, test = (Labelled.of(read_split(job.folder, split)) for split in ("train", "valid", "test"))
    name = options.teacher if job.black_box else Path(options.teacher).name
    models = [Model(f"teacher ({name})", "teacher", "teacher")]
    for teacher in find_ensemble(options):
        models.append(Model(f"teacher ({Path(teacher.source).name})", "teacher", teacher.folder))
    for student in find_students(options):
        models.append(Model(student.folder, "student", f"students/{student.folder}"))
        if options.has_baseline:
            name = f"{student.folder}, gold labels alone"
            models.append(Model(name, "baseline", f"students/{student.folder}{GOLD}"))
    scores = score_models(models, job.folder, test=test, valid=valid)
    reference = None
    if options.reference_row:
        logger.info("measuring TF-IDF + logistic regression")
        reference = measure_reference(train=train, valid=valid, test=test, seed=options.seed)
    evaluation = Evaluation(
        this_machine(), scores, reference, job.corpus.has_gold_test, job.task.problem_type, job.measure
    )
    write_evaluation(evaluation, work)


def _take_best(job: Job, work: Path) -> None:
    """Link the files of the distilled student that is best on valid, and write its model card.

    The test split has no part in the choice. A link takes no space.
    """
    best = read_evaluation(job.folder).best
    for file in sorted((job.folder / best.folder).iterdir()):
        if file.is_file() and file.name != MANIFEST:  # a killed export may have left scratch
            link_or_copy(file, work / file.name)
    write_card(job.folder, work)
    logger.info("student: %s, the best on valid", best.name)
