"""The kinds of classification: how logits become decisions and probabilities, the losses, and the figures on valid.

A task is one entry of :data:`TASKS`, under its name in Hugging Face's ``problem_type``. No other
module makes decisions or probabilities of logits. Owns no model and no file.
"""

from typing import Any

from potstill.errors import PotstillError
from potstill.tasks.base import NO_LABEL, Label, Task, Temperature
from potstill.tasks.multi_label import MultiLabel
from potstill.tasks.single_label import SingleLabel

SINGLE_LABEL, MULTI_LABEL = SingleLabel.problem_type, MultiLabel.problem_type

NONE = "(none)"  # what is shown instead of labels, where a text has none

TASKS: dict[str, Task] = {SINGLE_LABEL: SingleLabel(), MULTI_LABEL: MultiLabel()}

__all__ = [
    "MULTI_LABEL",
    "NONE",
    "NO_LABEL",
    "SINGLE_LABEL",
    "TASKS",
    "Label",
    "MultiLabel",
    "SingleLabel",
    "Task",
    "Temperature",
    "find_task",
    "shown_label",
    "task_of",
]


def find_task(problem_type: object = None, source: object = "config.json") -> Task:
    """The task of a model.

    :param problem_type: as its ``config.json`` has it; None, as in most configurations: one label a text.
    :param source: the model, to name in an error.
    :raises PotstillError: when there is no such task.
    """
    name = SINGLE_LABEL if problem_type is None else problem_type
    if not isinstance(name, str) or name not in TASKS:  # a damaged config.json may have anything
        known = " or ".join(TASKS)
        raise PotstillError(f"{source}: its problem_type is '{name}', which is not supported: give a model of {known}")
    return TASKS[name]


def shown_label(label: Label) -> str:
    """A gold label, or a decision, as a person reads it; several have commas between them."""
    return label if isinstance(label, str) else ", ".join(label) or NONE


def task_of(label: Any) -> Task:
    """The task that a gold label is of, see :data:`Label`."""
    return TASKS[MULTI_LABEL if isinstance(label, tuple) else SINGLE_LABEL]
