"""The plan of a run: the list of its stages, each a folder. Add a stage here, in a file of its own."""

from collections.abc import Iterator

from potstill.distillation.data import data_stage
from potstill.distillation.evaluation import evaluation_stages
from potstill.distillation.students import student_stages
from potstill.distillation.teacher import teacher_stages
from potstill.distillation.transfer import transfer_stages
from potstill.runs.job import Job, Stage


def plan(job: Job) -> Iterator[Stage]:
    """The stages in the order in which they are made."""
    yield data_stage(job)
    yield from teacher_stages(job)
    yield from transfer_stages(job)
    yield from student_stages(job)
    yield from evaluation_stages(job)
