"""``transfer``: the augmented texts with the teachers' logits; or the sets of ``--transfer``."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from potstill.artifacts import LABELLED, TEACHER, TEXTS, write_json
from potstill.corpus.answers import Answers
from potstill.corpus.transfer import TransferSet, average_parts, check_kind, write_shards
from potstill.distillation.augmented import augmented_stage
from potstill.distillation.black_box import asked_teacher, describe
from potstill.distillation.inputs import hash_transfer
from potstill.distillation.teacher import find_ensemble
from potstill.errors import PotstillError
from potstill.labelling.label import Unlabelled, count_rows, label_texts, texts_of_files
from potstill.runs.job import Job, Stage
from potstill.teachers import open_teacher

logger = logging.getLogger(__name__)


def transfer_stages(job: Job) -> Iterator[Stage]:
    """The texts to label and the labelled set; or, with ``--transfer``, the labelled set alone."""
    if job.options.transfer:
        hashes = [hash_transfer(path) for path in job.options.transfer]
        yield Stage("transfer", ("data",), {"transfer": hashes, **job.options.columns.as_inputs}, _copy_transfer)
        return
    yield augmented_stage(job)
    if job.black_box is not None:
        after = ("augmented", "teacher") if job.corpus.is_gold else ("augmented", "teacher", LABELLED)
        yield Stage("transfer", after, {}, _ask_black_box)
        return
    yield Stage(
        "transfer", ("augmented", *_teachers(job)), {"labelling": job.options.labelling_backend}, _make_transfer
    )


def _teachers(job: Job) -> list[str]:
    """The stages of the teachers that label."""
    return ["teacher", *(teacher.folder for teacher in find_ensemble(job.options))]


def _make_transfer(job: Job, work: Path) -> None:
    """Label the texts; the logits of several teachers are averaged. One teacher is in memory at a time."""
    teachers = _teachers(job)
    if len(teachers) == 1:
        _label(teachers[0], job, work)
        return
    folders = [work / f".teacher-{number}" for number in range(len(teachers))]
    for teacher, folder in zip(teachers, folders, strict=True):
        logger.info("labelling with %s", teacher)
        folder.mkdir(exist_ok=True)
        _label(teacher, job, folder)
    write_shards(work, average_parts(folders))


def _label(stage: str, job: Job, folder: Path) -> None:
    """Write one teacher's logits on the augmented texts."""
    teacher = open_teacher(str(job.folder / stage), backend=job.options.labelling_backend)
    label_texts(_augmented(job), teacher, folder, engine=job.options.engine, progress=job.progress)


def _augmented(job: Job) -> Unlabelled:
    file = job.folder / "augmented" / TEXTS
    return texts_of_files([file], count_rows(file))


def _ask_black_box(job: Job, work: Path) -> None:
    label_texts(_augmented(job), asked_teacher(job), work, engine=job.options.engine, progress=job.progress)
    write_json(work / TEACHER, describe(job.black_box))


def _copy_transfer(job: Job, work: Path) -> None:
    """Check the sets of ``--transfer`` and write them; several are averaged."""
    paths = job.options.transfer
    answers = Answers(job.options.columns, job.labels, job.task.takes_several)
    write_shards(work, _checked(average_parts(paths, answers), paths[0], job))


def _checked(parts: Iterable[TransferSet], path: Path, job: Job) -> Iterator[TransferSet]:
    n_labels = len(job.labels)
    for part in parts:
        check_kind(path, part.texts, paired=job.corpus.is_paired)
        if part.logits.shape[1] != n_labels:
            raise PotstillError(f"{path}: {part.logits.shape[1]} logits a text, but the data has {n_labels} labels")
        yield part
