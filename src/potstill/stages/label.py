"""Label: a teacher's logits on many texts, as a transfer set."""

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import ONNX_MODEL, atomic_folder, shards
from potstill.corpus.answers import Answers
from potstill.corpus.encoded import Encoded, Text
from potstill.corpus.streams import PART_ROWS
from potstill.corpus.transfer import as_fields, transfer_parts, write_tsv
from potstill.engines.local import Encode, Predict, label_shards
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
    :param encode: a shard's texts as the teacher's tokenizer encodes them.
    """

    n_texts: int
    shards: Callable[[], Iterator[Sequence[Text]]]
    encode: Encode


def label_texts(
    unlabelled: Unlabelled,
    teacher: "Checkpoint",
    folder: Path,
    *,
    backend: Backend = "torch",
    progress: Progress = silent,
) -> None:
    """Label texts into the Parquet shards of a folder; shards that are there already are kept.

    :param folder: a working folder (see :func:`potstill.artifacts.atomic_folder`).
    """
    from potstill.teachers.labelling import predict_logits

    n_shards = -(-unlabelled.n_texts // PART_ROWS)
    if len(shards(folder)) == n_shards:
        return
    model = open_backend(backend, teacher, folder / ".backend")
    pad_id = teacher.model.config.pad_token_id or 0

    def predict(part: Encoded, shown: Progress) -> NDArray[np.float32]:
        return predict_logits(model, part, pad_id=pad_id, progress=shown)

    if backend in ("torch-bf16", "onnx-int8"):
        _report_error(backend, predict, teacher, unlabelled)
    label_shards(unlabelled.shards(), unlabelled.encode, predict, folder, n_shards=n_shards, progress=progress)


def open_backend(backend: Backend, teacher: "Checkpoint", scratch: Path) -> "Model":
    """A teacher, ready to label.

    :param scratch: folder for the files that a backend needs.
    """
    from potstill.stages.onnx_files import export_onnx, quantize
    from potstill.teachers.labelling import in_onnx, in_torch

    if backend in ("torch", "torch-bf16"):
        return in_torch(teacher.model, bf16=backend == "torch-bf16")
    scratch.mkdir(exist_ok=True)
    file = scratch / ONNX_MODEL
    export_onnx(teacher.model, teacher.tokenizer.model_input_names, file)
    if backend == "onnx-int8":
        file = quantize(file)
    return in_onnx(file)


def _report_error(backend: str, predict: Predict, teacher: "Checkpoint", unlabelled: Unlabelled) -> None:
    """Say how far a less exact backend's logits are from the model's own."""
    from potstill.teachers.labelling import in_torch, predict_logits

    first = next(unlabelled.shards())[:_COMPARED]
    sample = unlabelled.encode(0, first)
    exact = predict_logits(in_torch(teacher.model), sample, pad_id=teacher.model.config.pad_token_id or 0)
    found = predict(sample, silent)
    logger.info(
        "labelling in %s: logits off by %.3f on average (their standard deviation is %.3f), %.1f%% of labels the same",
        backend,
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
