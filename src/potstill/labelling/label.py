"""Label: a teacher's logits on many texts, as a transfer set."""

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from potstill.artifacts import ONNX_MODEL, atomic_folder, shards, writing
from potstill.corpus.encoded import Encoded, Text, encode, limited
from potstill.corpus.soft_labels import SoftLabelFilter
from potstill.corpus.streams import PART_ROWS, in_parts
from potstill.corpus.transfer import as_fields, transfer_parts, write_tsv
from potstill.corpus.words import MASK, unify_masks
from potstill.errors import PotstillError, reason
from potstill.labelling import ENGINES, Engine
from potstill.labelling.local import Encode
from potstill.progress import Progress, silent
from potstill.tasks import find_task

if TYPE_CHECKING:
    from upath import UPath

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


def texts_of_parquet(files: "Sequence[Path | UPath]", n_texts: int, teacher: "Checkpoint") -> Unlabelled:
    """The texts of Parquet files, one file after another, as a teacher reads them.

    :param n_texts: how many rows they have, see :func:`count_rows`.
    """
    tokenizer = limited(teacher.tokenizer.backend_tokenizer, teacher.tokenizer.model_max_length)
    encode = partial(_encode_for_teacher, tokenizer, teacher.tokenizer.mask_token or MASK)
    return Unlabelled(n_texts, lambda: in_parts(text for file in files for text in _column(file)), encode)


def count_rows(file: "Path | UPath") -> int:
    """The rows of a Parquet file.

    :raises PotstillError: when it is none, or has no column ``text``.
    """
    with _open_parquet(file) as table:
        if "text" not in table.schema_arrow.names:
            raise PotstillError(f"{file}: no column 'text'; it has {', '.join(table.schema_arrow.names)}: rename one")
        return int(table.metadata.num_rows)


def _column(file: "Path | UPath") -> Iterator[str]:
    number = 0
    with _open_parquet(file) as table:
        for batch in table.iter_batches(columns=["text"]):
            for text in batch.column("text").to_pylist():
                number += 1
                if not isinstance(text, str):
                    raise PotstillError(f"{file}:{number}: no text; leave the row out")
                yield text


@contextmanager
def _open_parquet(file: "Path | UPath") -> Iterator[Any]:
    import pyarrow
    import pyarrow.parquet

    try:
        with file.open("rb") as opened, pyarrow.parquet.ParquetFile(opened) as table:
            yield table
    except pyarrow.ArrowInvalid as error:
        raise PotstillError(f"{file}: not a Parquet file, cut short or damaged ({reason(error)})") from None


def _encode_for_teacher(tokenizer: Tokenizer, mask_token: str, start: int, texts: Sequence[Text]) -> Encoded:
    """A shard's texts for the teacher, which reads its own mask token; the shard keeps the student's."""
    return encode([unify_masks(text, mask_token) for text in texts if isinstance(text, str)], tokenizer)


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
        """The logits of encoded texts: a :data:`potstill.labelling.local.Predict`."""
        from potstill.teachers.labelling import predict_logits

        return predict_logits(self._model, part, pad_id=self.teacher.model.config.pad_token_id or 0, progress=progress)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.backend, self.teacher)


def label_texts(
    unlabelled: Unlabelled,
    teacher: "Checkpoint",
    folder: "Path | UPath",
    *,
    backend: Backend = "torch",
    engine: Engine = "local",
    progress: Progress = silent,
) -> None:
    """Label texts into the Parquet shards of a folder; shards that are there already are kept.

    :param folder: a working folder (see :func:`potstill.artifacts.atomic_folder`), or one behind a URL.
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

    from potstill.export.onnx_files import export_onnx, quantize
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
    task = find_task(model.config.problem_type)
    exact = predict_logits(in_torch(model), sample, pad_id=model.config.pad_token_id or 0)
    found = predict(sample, silent)
    logger.info(
        "labelling in %s: logits off by %.3f on average (their standard deviation is %.3f), %.1f%% of labels the same",
        predict.backend,
        float(np.abs(found - exact).mean()),
        float(exact.std()),
        100 * task.accuracy(found, task.decide(exact)),
    )


def label_to_tsv(
    unlabelled: Unlabelled,
    teacher: "Checkpoint",
    path: Path,
    *,
    inputs: dict[str, Any],
    soft_labels: SoftLabelFilter,
    backend: Backend = "torch",
    progress: Progress = silent,
) -> int:
    """Label texts into the recipe's TSV file; killed and called again with the same inputs, it goes on.

    :param inputs: what identifies the texts and the teacher.
    :return: how many of the texts the file has.
    :raises PotstillError: when the teacher is sure of none.
    """
    folder = path.with_name(f"{path.name}.shards")
    n_written, task = 0, find_task(teacher.model.config.problem_type)

    def parts(labelled: Path) -> Iterator[tuple[Sequence[Text], Sequence[str]]]:
        nonlocal n_written
        for texts, part in zip(unlabelled.shards(), transfer_parts(labelled), strict=True):
            rows = soft_labels.rows(part.logits, task)
            n_written += len(rows)
            logits = part.logits[rows]
            labels = [teacher.labels[i] for i in task.decide(logits)]
            yield [texts[row] for row in rows], labels if soft_labels.hard_labeling else as_fields(logits)
        soft_labels.check_some(n_written)

    with atomic_folder(folder, inputs | {"backend": backend}) as work:
        label_texts(unlabelled, teacher, work, backend=backend, progress=progress)
        write_tsv(path, parts(work))  # within: where it fails, the shards are kept
    shutil.rmtree(folder)
    return n_written
