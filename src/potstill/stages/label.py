"""Label: a teacher's logits on many texts, as a transfer set."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import ONNX_MODEL, atomic_folder
from potstill.corpus.encoded import Encoded, Text
from potstill.corpus.transfer import read_transfer, write_tsv
from potstill.engines.local import Predict, label_shards
from potstill.errors import PotstillError
from potstill.progress import Progress, silent

if TYPE_CHECKING:
    from potstill.teachers.checkpoints import Checkpoint
    from potstill.teachers.labelling import Model

logger = logging.getLogger(__name__)

Backend = Literal["torch", "torch-bf16", "onnx", "onnx-int8"]
"""What runs a teacher when it labels."""

_COMPARED = 256  # texts on which a less exact backend is compared with torch


def label_texts(
    texts: Sequence[Text],
    encoded: Encoded,
    teacher: "Checkpoint",
    folder: Path,
    *,
    backend: Backend = "torch",
    progress: Progress = silent,
) -> None:
    """Label texts into the Parquet shards of a folder; shards that are there already are kept.

    :param encoded: the texts as the teacher's tokenizer encodes them.
    :param folder: a working folder (see :func:`potstill.artifacts.atomic_folder`).
    :raises PotstillError: when ``texts`` and ``encoded`` are not the same texts.
    """
    from potstill.teachers.labelling import predict_logits

    if len(texts) != len(encoded):
        raise PotstillError(f"{len(texts)} texts, but {len(encoded)} encoded ones: run potstill preprocess again")
    model = open_backend(backend, teacher, folder / ".backend")
    pad_id = teacher.model.config.pad_token_id or 0

    def predict(part: Encoded, shown: Progress) -> NDArray[np.float32]:
        return predict_logits(model, part, pad_id=pad_id, progress=shown)

    if backend in ("torch-bf16", "onnx-int8"):
        _report_error(backend, predict, teacher, encoded)
    label_shards(texts, encoded, predict, folder, progress=progress)


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


def _report_error(backend: str, predict: Predict, teacher: "Checkpoint", encoded: Encoded) -> None:
    """Say how far a less exact backend's logits are from the model's own."""
    from potstill.teachers.labelling import in_torch, predict_logits

    sample = encoded.rows(0, min(_COMPARED, len(encoded)))
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
    texts: Sequence[Text],
    encoded: Encoded,
    teacher: "Checkpoint",
    path: Path,
    *,
    inputs: dict[str, Any],
    backend: Backend = "torch",
    progress: Progress = silent,
) -> None:
    """Label texts into the recipe's TSV file; killed and called again with the same inputs, it goes on.

    :param inputs: what identifies the texts and the teacher.
    """
    shards = path.with_name(f"{path.name}.shards")
    with atomic_folder(shards, inputs | {"backend": backend}) as work:
        label_texts(texts, encoded, teacher, work, backend=backend, progress=progress)
    write_tsv(path, texts, read_transfer(shards).logits)
    shutil.rmtree(shards)
