"""``students/NAME`` and ``students/NAME-gold``: the students, and their gold-label baselines."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.corpus.encoded import Encoded
from potstill.distillation.inputs import training_inputs
from potstill.distillation.prepared import (
    TEACHER,
    character_text_stage,
    find_checkpoint,
    piece_text_stage,
    word_text_stage,
)
from potstill.distillation.teacher import encoder_width
from potstill.errors import PotstillError
from potstill.evaluation.results import GOLD
from potstill.runs.job import Job, Stage
from potstill.runs.options import DistillOptions
from potstill.training.options import Optimisation
from potstill.training.pretrained import Pretrained, start_from
from potstill.training.vocabulary import load_vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

ALL = "all"  # every student of STUDENTS
_CHARACTERS_LR = 5e-3
_CHARACTERS_BATCH_SIZE = 32


@dataclass(frozen=True)
class Student(ABC):
    """A student of a run: what it reads, and how it is made and trained.

    :param name: as ``--student`` has it.
    """

    name: str

    @property
    def folder(self) -> str:
        """The name of its folder and of its row in the table."""
        return self.name

    @property
    def text(self) -> str:
        """The stage with its encoded text."""
        return f"prepared-{self.folder}"

    @abstractmethod
    def text_stage(self, job: Job) -> Stage:
        """The stage that encodes its text."""

    def inputs(self, options: DistillOptions) -> dict[str, Any]:
        """Its inputs in addition to its name, its text and its training."""
        return {}

    def optimisation(self, options: DistillOptions, is_baseline: bool) -> Optimisation:
        """How it, or its baseline, is trained."""
        return options.for_baseline if is_baseline else options.for_student

    @abstractmethod
    def open(self, job: Job) -> "tuple[PreTrainedModel, PreTrainedTokenizerFast]":
        """The untrained model and its tokenizer."""


def student_stages(job: Job) -> Iterator[Stage]:
    """The stages of each student: its text, the student, its baseline."""
    texts = set[str]()
    for student in find_students(job.options):
        if student.text not in texts:  # students over word vectors share theirs
            texts.add(student.text)
            yield student.text_stage(job)
        for is_baseline in (False, True) if job.options.has_baseline else (False,):
            optimisation = student.optimisation(job.options, is_baseline)
            inputs = student.inputs(job.options) | training_inputs("student", optimisation)
            name = f"students/{student.folder}{GOLD if is_baseline else ''}"
            yield Stage(name, (student.text,), {"student": student.name} | inputs, _Training(student, is_baseline))


@dataclass(frozen=True)
class _Training:
    """Trains a student on the transfer set, or its baseline on train's gold labels."""

    student: Student
    is_baseline: bool

    def __call__(self, job: Job, work: Path) -> None:
        from potstill.training.fitting import fit

        model, tokenizer = self.student.open(job)
        text = job.folder / self.student.text
        train, valid = (Encoded.load(text / name) for name in ("train" if self.is_baseline else "transfer", "valid"))
        optimisation = self.student.optimisation(job.options, self.is_baseline)
        description = f"training {Path(self.student.name).name}" + (" on gold labels" if self.is_baseline else "")
        fit(model, tokenizer, train, valid, optimisation, work, progress=job.progress, description=description)


def find_students(options: DistillOptions) -> list[Student]:
    """The students of a run.

    :raises PotstillError: when two would have the same folder.
    """
    from potstill.students import STUDENTS

    students: dict[str, Student] = {}
    for name in options.student:
        for student in (_make_student(each, options) for each in (STUDENTS if name == ALL else [name])):
            other = students.setdefault(student.folder, student)
            if other.name != student.name:
                raise PotstillError(
                    f"--student: {other.name} and {student.name} would have the same folder; leave one out"
                )
    return list(students.values())


def _make_student(name: str, options: DistillOptions) -> Student:
    from potstill.students import STUDENTS

    if name not in STUDENTS:
        return TransformerStudent(name, options.layers)
    return CharacterStudent(name) if STUDENTS[name].reads_characters else WordStudent(name)


class WordStudent(Student):
    """A student of ``STUDENTS`` over word vectors; all of them share one text."""

    text = "prepared"

    def text_stage(self, job: Job) -> Stage:
        """The text as ids of words."""
        return word_text_stage(job)

    def inputs(self, options: DistillOptions) -> dict[str, Any]:
        """Whether its vectors are trained."""
        return {"embedding_trainable": options.embedding_trainable}

    def open(self, job: Job) -> "tuple[PreTrainedModel, PreTrainedTokenizerFast]":
        """The student with its word vectors, and the layers of the pretrained one where that is of its kind."""
        return _new_student(job, self, job.options.word_analyzer, job.pretrained)


class CharacterStudent(Student):
    """A student of ``STUDENTS`` that reads characters: no word vectors, no analyzer."""

    def text_stage(self, job: Job) -> Stage:
        """The text as ids of characters."""
        return character_text_stage(job, self.text)

    def optimisation(self, options: DistillOptions, is_baseline: bool) -> Optimisation:
        """More and larger steps where the options do not say it."""
        # A step moves only the rows of its own texts' n-grams: with the others' 128 texts a step at 0.002 it learns too
        # little, of rare labels most of all. docs/experiments/characters.md has the figures.
        optimisation = super().optimisation(options, is_baseline)
        lr = _CHARACTERS_LR if options.student_lr is None else options.student_lr
        batch_size = _CHARACTERS_BATCH_SIZE if options.student_batch_size is None else options.student_batch_size
        return replace(optimisation, lr=lr, batch_size=batch_size)

    def open(self, job: Job) -> "tuple[PreTrainedModel, PreTrainedTokenizerFast]":
        """The student."""
        return _new_student(job, self, analyzer="")


def _new_student(
    job: Job, student: Student, analyzer: str, pretrained: Pretrained | None = None
) -> "tuple[PreTrainedModel, PreTrainedTokenizerFast]":
    from potstill.students import STUDENTS
    from potstill.training.fitting import new_student

    model, tokenizer = new_student(
        student.name,
        pretrained.parameters(STUDENTS[student.name].config_class) if pretrained else {},
        load_vocabulary(job.folder / student.text),
        job.labels,
        embedding_trainable=job.options.embedding_trainable,
        seed=job.options.seed,
        problem_type=job.task.problem_type,
        reads_pairs=job.corpus.is_paired,
        analyzer=analyzer,
    )
    if pretrained:
        start_from(model, pretrained)
    return model, tokenizer


@dataclass(frozen=True)
class TransformerStudent(Student):
    """A transformer: a folder, a name on the hub, or the run's own teacher.

    In the same table, it shows what a student over words loses and gains.

    :param layers: how many it keeps; 0: all.
    """

    layers: int

    @property
    def folder(self) -> str:
        """The last part of its name, and how many layers it keeps."""
        return Path(self.name).name + (f"-{self.layers}-layers" if self.layers else "")

    def text_stage(self, job: Job) -> Stage:
        """The text as ids of its own tokenizer."""
        return piece_text_stage(job, self.text, self.name)

    def inputs(self, options: DistillOptions) -> dict[str, Any]:
        """The number of its layers, and the dropout before the classification layer."""
        return {"layers": self.layers, "teacher_dropout": options.teacher_dropout}

    def optimisation(self, options: DistillOptions, is_baseline: bool) -> Optimisation:
        """The same, with a teacher's learning rate."""
        width = encoder_width(options.teacher if self.name == TEACHER else self.name)
        return replace(super().optimisation(options, is_baseline), lr=options.lr_of_encoder(width))

    def open(self, job: Job) -> "tuple[PreTrainedModel, PreTrainedTokenizerFast]":
        """The checkpoint with a new last layer, cut to its layers."""
        from potstill.teachers.checkpoints import TextForm, open_encoder
        from potstill.teachers.layers import keep_layers

        options = job.options
        form, source = TextForm(n_ctx=options.most_tokens), find_checkpoint(job, self.name)
        checkpoint = open_encoder(
            source,
            job.labels,
            dropout=options.teacher_dropout,
            form=form,
            seed=options.seed,
            problem_type=job.task.problem_type,
        )
        if self.layers:
            keep_layers(checkpoint.model, self.layers)
        return checkpoint.model, checkpoint.tokenizer
