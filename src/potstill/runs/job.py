"""A job, and the stages that make its run folder. Knows none of the stages: ``potstill.distillation`` has them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from potstill.corpus.splits import Corpus
from potstill.progress import Progress, silent
from potstill.runs.options import DistillOptions
from potstill.tasks import Task
from potstill.teachers import Teacher
from potstill.training.options import Measure
from potstill.training.pretrained import AUTO, NONE, Pretrained, find_pretrained, open_pretrained


class AnyJob(Protocol):
    """What :class:`potstill.runs.run.Run` needs to know of a job."""

    @property
    def command(self) -> str:
        """The command that makes the run."""

    @property
    def folder(self) -> Path:
        """The run folder."""

    @property
    def options(self) -> Any:
        """The options of its command, a dataclass."""

    @property
    def sources(self) -> dict[str, Any]:
        """The hashes of its data."""


@dataclass(frozen=True)
class Job:
    """The options and the data of a distillation.

    :param black_box: the teacher, where it is one that only answers; None: a transformer.
    """

    options: DistillOptions
    corpus: Corpus
    progress: Progress = silent
    black_box: Teacher | None = None

    @property
    def command(self) -> str:
        """The command that makes the run."""
        return "distill"

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.options.out

    @property
    def sources(self) -> dict[str, Any]:
        """The hashes of its data."""
        return self.corpus.hashes

    @property
    def labels(self) -> list[str]:
        """The labels of the data, in id order."""
        return self.corpus.labels

    @cached_property
    def pretrained(self) -> Pretrained | None:
        """The pretrained student that students over word vectors start from.

        :raises PotstillError: when the one that ``--student_init`` names is missing, or does not fit the data.
        """
        options = self.options
        texts = [example.text for example in self.corpus.splits["train"]]
        if options.student_init == NONE:
            return None
        if options.student_init == AUTO:
            # Options that were given win: other vectors and cased words have no pretrained student.
            is_open = options.embedding_path == "auto" and not options.cased
            return find_pretrained(texts, options.word_analyzer) if is_open else None
        pretrained = open_pretrained(options.student_init)
        pretrained.check_fits(texts, options.word_analyzer)
        return pretrained

    @property
    def measure(self) -> Measure:
        """The figure on valid that picks."""
        return self.options.measure or self.task.default_measure

    @property
    def task(self) -> Task:
        """How logits become decisions, as the data's labels have it."""
        return self.corpus.task


@dataclass(frozen=True)
class Stage:
    """One folder of a run.

    :param name: of the folder, such as ``students/cnn``.
    :param after: the stages whose folders it reads.
    :param inputs: all else that it depends on, in JSON form.
    :param build: writes the stage's files into a working folder, of the job that the stage is one of; called again
        after a kill, it resumes from the files there.
    """

    name: str
    after: tuple[str, ...]
    inputs: dict[str, Any]
    build: Callable[[Any, Path], None]
