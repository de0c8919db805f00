"""A job, and the stages that make its run folder. Knows none of the stages: ``potstill.distillation`` has them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from potstill.corpus.splits import Corpus
from potstill.progress import Progress, silent
from potstill.runs.options import DistillOptions
from potstill.tasks import Task, find_task


@dataclass(frozen=True)
class Job:
    """The options and the data of a run."""

    options: DistillOptions
    corpus: Corpus
    progress: Progress = silent

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.options.out

    @property
    def labels(self) -> list[str]:
        """The labels of the data, in id order."""
        return self.corpus.labels

    @property
    def task(self) -> Task:
        """How logits become decisions: one label a text, as the data has it."""
        return find_task()


@dataclass(frozen=True)
class Stage:
    """One folder of a run.

    :param name: of the folder, such as ``students/cnn``.
    :param after: the stages whose folders it reads.
    :param inputs: all else that it depends on, in JSON form.
    :param build: writes the stage's files into a working folder; called again after a kill, it resumes from the files
        there.
    """

    name: str
    after: tuple[str, ...]
    inputs: dict[str, Any]
    build: Callable[[Job, Path], None]
