"""Label: a teacher's logits on many texts, as a transfer set."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import atomic_folder
from potstill.corpus.encoded import Encoded, Text
from potstill.corpus.transfer import read_transfer, write_tsv
from potstill.engines.local import label_shards
from potstill.errors import PotstillError
from potstill.progress import Progress, silent

if TYPE_CHECKING:
    from potstill.teachers.checkpoints import Checkpoint


def label_texts(
    texts: Sequence[Text], encoded: Encoded, teacher: "Checkpoint", folder: Path, progress: Progress = silent
) -> None:
    """Label texts into the Parquet shards of a folder; shards that are there already are kept.

    :param encoded: the texts as the teacher's tokenizer encodes them.
    :raises PotstillError: when ``texts`` and ``encoded`` are not the same texts.
    """
    from potstill.teachers.labelling import predict_logits

    if len(texts) != len(encoded):
        raise PotstillError(f"{len(texts)} texts, but {len(encoded)} encoded ones: run potstill preprocess again")

    def predict(part: Encoded, shown: Progress) -> NDArray[np.float32]:
        return predict_logits(teacher.model, part, pad_id=teacher.model.config.pad_token_id or 0, progress=shown)

    label_shards(texts, encoded, predict, folder, progress=progress)


def label_to_tsv(
    texts: Sequence[Text],
    encoded: Encoded,
    teacher: "Checkpoint",
    path: Path,
    *,
    inputs: dict[str, Any],
    progress: Progress = silent,
) -> None:
    """Label texts into the recipe's TSV file; killed and called again with the same inputs, it goes on.

    :param inputs: what identifies the texts and the teacher.
    """
    shards = path.with_name(f"{path.name}.shards")
    with atomic_folder(shards, inputs) as work:
        label_texts(texts, encoded, teacher, work, progress)
    write_tsv(path, texts, read_transfer(shards).logits)
    shutil.rmtree(shards)
