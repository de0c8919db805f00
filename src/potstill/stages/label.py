"""Label: a teacher's logits on many texts, as a transfer set."""

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import ONNX_MODEL, atomic_folder, shards, writing
from potstill.corpus.answers import Answers
from potstill.corpus.encoded import Encoded, Text
from potstill.corpus.streams import PART_ROWS
from potstill.corpus.transfer import as_fields, transfer_parts, write_tsv
from potstill.engines import ENGINES, Engine
from potstill.engines.local import Encode
from potstill.progress import Progress, silent

if TYPE_CHECKING:
    from potstill.teachers.checkpoints import Checkpoint
    from potstill.teachers.labelling import Model

logger = logging.getLogger(__name__)

Backend = Literal["torch", "torch-bf16", "onnx", "onnx-int8"]
"""What runs a teacher when it labels."""

_COMPARED = 256  # texts on which a less exact backend is compared with torch


@dataclass(frozen=True)
class Unlabelled:
    """Texts that a teacher is to label, none twice; they need not fit into memory.

    :param n_texts: how many there are.
    :param shards: gives them at each call anew, :data:`potstill.corpus.streams.PART_ROWS` at a time.
    :param encode: a shard's texts as the teacher's tokenizer encodes them; for the engine ``ray`` picklable.
    """

    n_texts: int
    shards: Callable[[], Iterator[Sequence[Text]]]
    encode: Encode


class TeacherLogits:
    """A teacher as an engine asks it. Its backend is opened at the first call, anew where it is unpickled."""

    def __init__(self, backend: Backend, teacher: "Checkpoint") -> None:
        self.backend = backend
        self.teacher = teacher

    @cached_property
    def _model(self) -> "Model":
        with tempfile.TemporaryDirectory() as scratch, writing(Path(scratch)):
            return open_backend(self.backend, self.teacher, Path(scratch))

    def __call__(self, part: Encoded, progress: Progress) -> NDArray[np.float32]:
        """The logits of encoded texts: a :data:`potstill.engines.local.Predict`."""
        from potstill.teachers.labelling import predict_logits

        return predict_logits(self._model, part, pad_id=self.teacher.model.config.pad_token_id or 0, progress=progress)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.backend, self.teacher)


def label_texts(
    unlabelled: Unlabelled,
    teacher: "Checkpoint",
    folder: Path,
    *,
    backend: Backend = "torch",
    engine: Engine = "local",
    progress: Progress = silent,
) -> None:
    """Label texts into the Parquet shards of a folder; shards that are there already are kept.

    :param folder: a working folder (see :func:`potstill.artifacts.atomic_folder`).
    """
    n_shards = -(-unlabelled.n_texts // PART_ROWS)
    if len(shards(folder)) == n_shards:
        return
    predict = TeacherLogits(backend, teacher)
    if backend in ("torch-bf16", "onnx-int8"):
        _report_error(predict, unlabelled)
    ENGINES[engine](unlabelled.shards(), unlabelled.encode, predict, folder, n_shards=n_shards, progress=progress)


def open_backend(backend: Backend, teacher: "Checkpoint", scratch: Path) -> "Model":
    """A teacher, ready to label: in torch on a GPU where there is one, in ONNX Runtime on the CPU.

    :param scratch: folder for the files that a backend needs while it is opened.
    """
    import torch

    from potstill.stages.onnx_files import export_onnx, quantize
    from potstill.teachers.labelling import in_onnx, in_torch

    if backend in ("torch", "torch-bf16"):
        model: Any = teacher.model
        return in_torch(model.to("cuda" if torch.cuda.is_available() else "cpu"), bf16=backend == "torch-bf16")
    scratch.mkdir(exist_ok=True)
    file = scratch / ONNX_MODEL
    export_onnx(teacher.model, teacher.tokenizer.model_input_names, file)
    if backend == "onnx-int8":
        file = quantize(file)
    return in_onnx(file)


def _report_error(predict: TeacherLogits, unlabelled: Unlabelled) -> None:
    """Say how far a less exact backend's logits are from the model's own."""
    from potstill.teachers.labelling import in_torch, predict_logits

    first = next(unlabelled.shards())[:_COMPARED]
    sample = unlabelled.encode(0, first)
    model = predict.teacher.model
    exact = predict_logits(in_torch(model), sample, pad_id=model.config.pad_token_id or 0)
    found = predict(sample, silent)
    logger.info(
        "labelling in %s: logits off by %.3f on average (their standard deviation is %.3f), %.1f%% of labels the same",
        predict.backend,
        float(np.abs(found - exact).mean()),
        float(exact.std()),
        100 * float((found.argmax(axis=1) == exact.argmax(axis=1)).mean()),
    )


def label_to_tsv(
    unlabelled: Unlabelled,
    teacher: "Checkpoint",
    path: Path,
    *,
    inputs: dict[str, Any],
    answers: Answers,
    backend: Backend = "torch",
    progress: Progress = silent,
) -> int:
    """Label texts into the recipe's TSV file; killed and called again with the same inputs, it goes on.

    :param inputs: what identifies the texts and the teacher.
    :return: how many of the texts the file has.
    :raises PotstillError: when the teacher is sure of none.
    """
    folder = path.with_name(f"{path.name}.shards")
    n_written = 0

    def parts(labelled: Path) -> Iterator[tuple[Sequence[Text], Sequence[str]]]:
        nonlocal n_written
        for texts, part in zip(unlabelled.shards(), transfer_parts(labelled), strict=True):
            rows = answers.chosen(part.logits)
            n_written += len(rows)
            logits = part.logits[rows]
            labels = [teacher.labels[i] for i in logits.argmax(axis=1)]
            yield [texts[row] for row in rows], labels if answers.hard_labeling else as_fields(logits)
        answers.check_some(n_written)

    with atomic_folder(folder, inputs | {"backend": backend}) as work:
        label_texts(unlabelled, teacher, work, backend=backend, progress=progress)
        write_tsv(path, parts(work))  # within: where it fails, the shards are kept
    shutil.rmtree(folder)
    return n_written
