"""The protocol of a teacher, texts to logits, and the registry. Heavy libraries are imported when one is opened."""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.texts import Text
from potstill.progress import Progress, silent

Backend = Literal["torch", "torch-bf16", "onnx", "onnx-int8"]
"""What runs a transformer when it labels."""


class Teacher(Protocol):
    """Texts to logits. Picklable: on a Ray cluster it is sent to every worker."""

    @property
    def labels(self) -> list[str]:
        """The label of each logit."""

    @property
    def identity(self) -> str:
        """All that its logits depend on: labelling resumes only if this is unchanged."""

    def check(self, texts: Sequence[Text]) -> None:
        """Called once with the first texts, before any is labelled: a good place to fail early, or to log how exact
        the logits are."""

    def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
        """The logits of texts, float32 ``[len(texts), len(labels)]``; a text's do not depend on the other texts.

        :param texts: with the student's mask token, :data:`potstill.corpus.words.MASK`.
        """


def _open_transformer(source: str, labels: list[str] | None, backend: Backend, n_ctx: int | None) -> Teacher:
    from potstill.teachers.checkpoints import open_finetuned
    from potstill.teachers.transformer import TransformerTeacher

    return TransformerTeacher(open_finetuned(source, labels), source, backend=backend, n_ctx=n_ctx)


TEACHERS: dict[str, Callable[[str, list[str] | None, Backend, int | None], Teacher]] = {
    "transformer": _open_transformer,
}


def check_teacher(source: str) -> None:
    """Check that there is such a teacher, before any expensive work.

    :param source: a folder, or a name on the Hugging Face hub.
    :raises PotstillError: when there is none.
    """
    from potstill.teachers.checkpoints import check_transformer

    check_transformer(source)


def open_teacher(
    source: str, labels: list[str] | None = None, *, backend: Backend = "torch", n_ctx: int | None = None
) -> Teacher:
    """A teacher that is ready to label.

    :param source: a folder, or a name on the Hugging Face hub.
    :param labels: the data's labels: its logits are put in their order; default: its own.
    :param n_ctx: its longest text in tokens; default: as its tokenizer says.
    :raises PotstillError: when there is no such teacher, or it has other labels.
    """
    return TEACHERS["transformer"](source, labels, backend, n_ctx)
