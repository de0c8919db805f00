"""A black box's answers in a folder: what is measured of a teacher that cannot be deployed.

A black box is a teacher that only answers: a language model behind an API, a function, another library's model. Its
folder has a ``config.json`` with its labels and its temperature, ``teacher.json`` with what it tells of itself, and its
logits on valid and test in the shards of a transfer set.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import CONFIG, TEACHER, TEMPERATURE, read_object, write_json
from potstill.corpus.texts import Text
from potstill.corpus.transfer import read_transfer
from potstill.model_folder import ModelFolder
from potstill.tasks import SINGLE_LABEL, Task

ANSWERS = "answers"  # folder of the shards
_TYPE = "black-box"  # in config.json


def is_recorded(folder: Path) -> bool:
    """Whether a folder has a black box's answers, not a model."""
    return (folder / TEACHER).is_file()


def write_record(folder: Path, about: dict[str, Any], labels: list[str], temperature: float) -> None:
    """Write what there is of a black box beside its answers.

    :param about: what it tells of itself, in JSON form, and ``milliseconds``: of some single texts.
    :param labels: in the order of its logits.
    :param temperature: what its logits are divided by before they become probabilities.
    """
    config = {
        "model_type": _TYPE,
        "problem_type": SINGLE_LABEL,
        "id2label": {str(index): label for index, label in enumerate(labels)},
        TEMPERATURE: round(temperature, 4),
    }
    write_json(folder / CONFIG, config)
    write_json(folder / TEACHER, about)


class RecordedTeacher:
    """A black box, as far as its answers on valid and test are known.

    :param folder: of a run, ``teacher/``.
    :ivar classes_: the labels, in the order of the logits.
    """

    def __init__(self, folder: Path) -> None:
        model = ModelFolder(folder)
        self.classes_ = np.array(model.labels, dtype=object)
        self.temperature = model.temperature
        self.task: Task = model.task
        self._folder = folder

    @cached_property
    def about(self) -> dict[str, Any]:
        """What it tells of itself."""
        return read_object(self._folder / TEACHER)

    @property
    def milliseconds(self) -> list[float]:
        """Of some single texts."""
        return [float(value) for value in self.about["milliseconds"]]

    @cached_property
    def _answers(self) -> dict[Text, NDArray[np.float32]]:
        answers = read_transfer(self._folder / ANSWERS)
        return dict(zip(answers.texts, answers.logits, strict=True))

    def has_answer(self, texts: Sequence[Text]) -> NDArray[np.bool_]:
        """Whether it answered on each text, ``[n_texts]``."""
        return np.array([text in self._answers for text in texts], dtype=np.bool_)

    def logits(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """Its logits, float32 ``[n_texts, n_labels]``; zeros for a text without an answer."""
        none = np.zeros(len(self.classes_), dtype=np.float32)
        return np.stack([self._answers.get(text, none) for text in texts])
