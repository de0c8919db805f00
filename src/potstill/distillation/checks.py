"""Checks that everything that a job's options name exists, before any expensive work."""

import logging
from pathlib import Path

from potstill.augment.analyzers import make_analyzer, reads_language
from potstill.corpus.answers import Answers
from potstill.corpus.examples import read_all_texts
from potstill.corpus.transfer import check_transfer
from potstill.distillation.prepared import TEACHER
from potstill.distillation.students import TransformerStudent, WordStudent, find_students
from potstill.errors import PotstillError
from potstill.runs.job import Job
from potstill.teachers import check_teacher
from potstill.training.vector_sources import check_sources, is_from_teacher, split_vectors
from potstill.training.word_check import warn_of_unknown_words

logger = logging.getLogger(__name__)


def check_job(job: Job, *, chose_analyzer: bool = False) -> None:
    """Check the data, the teachers, the students, the analyzer and the word vectors.

    An analyzer and vectors that no student of the command needs are not checked.

    :param chose_analyzer: whether the letters of train chose the analyzer, not the user.
    :raises PotstillError: when one does not exist, or a file has no pairs of texts where the data has them.
    """
    options = job.options
    for path in options.unlabelled if job.corpus.is_gold else ():
        next(read_all_texts([path], options.columns.of_texts, paired=job.corpus.is_paired))
    if job.measure in ("micro_f1", "average_precision") and not job.task.takes_several:
        raise PotstillError(
            f"--measure={job.measure}: is a figure of several labels a text, and the data has one: give accuracy, "
            f"macro_f1 or loss"
        )
    answers = Answers(options.columns, job.labels, job.task.takes_several)
    check_transfer(options.transfer, answers, paired=job.corpus.is_paired)
    if job.black_box is None:
        for name in (options.teacher, *options.ensemble):
            check_teacher(name)
    students = find_students(options)
    for student in students:
        if isinstance(student, TransformerStudent) and student.name != TEACHER:
            _check_transformer_student(student)
    if job.black_box is not None:
        _check_needs_no_weights(job)
    reads_words = any(isinstance(student, WordStudent) for student in students)
    if (reads_words and options.word_analyzer) or (options.augment and not options.transfer):
        _check_analyzer(job, chose_analyzer)  # before the pretrained student, whose morphemes it gives
    if reads_words and not job.pretrained:
        check_sources(options.embedding_path)
        if not options.word_analyzer:
            train, valid = ([example.text for example in job.corpus.splits[split]] for split in ("train", "valid"))
            warn_of_unknown_words(train, valid, lower=not options.cased)


def _check_needs_no_weights(job: Job) -> None:
    """Check that nothing needs the weights of a teacher that has none here.

    :raises PotstillError: when something does.
    """
    options = job.options
    if TEACHER in options.student:
        raise PotstillError(f"--student=teacher: {options.teacher} is no transformer: give another student")
    if any(is_from_teacher(part) for part in split_vectors(options.embedding_path)):
        raise PotstillError(f"--embedding_path={options.embedding_path}: {options.teacher} has no word vectors")


def _check_analyzer(job: Job, is_chosen: bool) -> None:
    name = job.options.analyzer
    try:
        make_analyzer(name)
    except PotstillError as error:
        if is_chosen:
            raise PotstillError(f"--analyzer=auto chose {name} by the letters of train: {error}") from error
        raise
    if not reads_language(name, [example.text for example in job.corpus.splits["train"]]):
        logger.warning(
            "--analyzer=%s splits Korean, and most letters of train are of another language: leave it out", name
        )


def _check_transformer_student(student: TransformerStudent) -> None:
    from potstill.students import find_student
    from potstill.teachers.checkpoints import read_config

    try:
        n_layers = getattr(read_config(student.name), "num_hidden_layers", 0)
    except PotstillError:
        if "/" not in student.name and not Path(student.name).exists():
            find_student(student.name)  # raises an error that lists the students
        raise
    if student.layers > n_layers:
        raise PotstillError(f"--layers={student.layers}: {student.name} has {n_layers} layers")
