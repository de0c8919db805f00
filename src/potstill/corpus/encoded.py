"""Texts as token ids in flat arrays on disk, memory-mapped: one form for teachers and students.

Reading is immediate, no text is padded on disk, and nothing is unpickled.

A folder holds ``token_ids`` (int32, all texts end to end), ``offsets`` (int64 ``[n_texts + 1]``), for
pairs ``token_types`` (int8) or the second texts' ``pair_token_ids`` and ``pair_offsets``, and the training targets:
``gold`` labels (see :class:`~potstill.tasks.Task`), the teacher's ``teacher_logits`` (float32 ``[n_texts, n_labels]``),
or both.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from potstill.artifacts import read_manifest
from potstill.corpus.npy_writer import npy_writer
from potstill.corpus.safe_loading import open_array
from potstill.corpus.texts import Text, map_text
from potstill.corpus.words import unify_masks
from potstill.errors import PotstillError
from potstill.progress import Progress, silent
from potstill.tasks import NO_LABEL

_PAIR = "pair_"  # begins the names of the second texts' arrays
_BATCH = 4096  # texts given to the tokenizer at once


@dataclass(frozen=True)
class Encoded:
    """Encoded texts, with their training targets.

    :param token_ids: int32 ``[n_tokens]``.
    :param offsets: int64 ``[n_texts + 1]``; text ``i`` is ``token_ids[offsets[i]:offsets[i + 1]]``.
    :param token_types: int8 ``[n_tokens]`` for pairs, else None.
    :param gold: as the task encodes them, ``[n_texts]`` or ``[n_texts, n_labels]``, with
        :data:`potstill.tasks.NO_LABEL` for a text without a gold label; or None.
    :param teacher_logits: float32 ``[n_texts, n_labels]``, or None.
    :param pair: the second texts of pairs, where a student reads each text by itself.
    """

    token_ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    token_types: NDArray[np.int8] | None = None
    gold: NDArray[Any] | None = None
    teacher_logits: NDArray[np.float32] | None = None
    pair: "Encoded | None" = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens a text, int64 ``[n_texts]``."""
        lengths: NDArray[np.int64] = np.diff(self.offsets)
        return lengths

    def pad(self, rows: NDArray[np.int64], pad_id: int) -> dict[str, NDArray[Any]]:
        """One batch, padded to its longest text.

        :param rows: which texts.
        :return: ``input_ids`` and ``attention_mask``, int64 ``[len(rows), longest]``; with pairs
            ``token_type_ids``, or the second texts' ``pair_input_ids`` and ``pair_attention_mask``; ``gold`` and
            ``teacher_logits`` where there are any.
        """
        starts, lengths = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        columns = np.arange(int(lengths.max()))
        mask = columns < lengths[:, None]
        where = np.where(mask, starts[:, None] + columns, 0)
        batch: dict[str, NDArray[Any]] = {
            "input_ids": np.where(mask, self.token_ids[where], pad_id).astype(np.int64),
            "attention_mask": mask.astype(np.int64),
        }
        if self.token_types is not None:
            batch["token_type_ids"] = np.where(mask, self.token_types[where], 0).astype(np.int64)
        if self.pair is not None:
            second = self.pair.pad(rows, pad_id)
            batch |= {f"{_PAIR}{name}": second[name] for name in ("input_ids", "attention_mask")}
        if self.gold is not None:
            batch["gold"] = self.gold[rows]
        if self.teacher_logits is not None:
            batch["teacher_logits"] = self.teacher_logits[rows]
        return batch

    @classmethod
    def load(cls, folder: Path) -> "Encoded":
        """Memory-map the arrays of a folder.

        :raises PotstillError: when the folder is missing or not complete.
        """
        if read_manifest(folder) is None:
            raise PotstillError(f"{folder}: missing or not complete; make it with: potstill preprocess")
        arrays = {path.stem: open_array(path) for path in folder.glob("*.npy")}
        second = [arrays.pop(f"{_PAIR}{name}", None) for name in ("token_ids", "offsets")]
        pair = None if second[0] is None or second[1] is None else cls(second[0], second[1])
        return cls(**arrays, pair=pair)


@dataclass(frozen=True)
class Chunk:
    """Some of the texts to encode, with their training targets: arrays as in :class:`Encoded`."""

    texts: Sequence[Text]
    gold: NDArray[Any] | None = None
    teacher_logits: NDArray[np.float32] | None = None


class KnownGold:
    """The gold labels of some texts, to be found by text.

    :param gold: of the texts, as the task encodes them, ``[n_texts]`` or ``[n_texts, n_labels]``.
    """

    def __init__(self, texts: Sequence[Text], gold: NDArray[Any]) -> None:
        self._rows = {text: row for row, text in enumerate(texts)}
        self._gold = gold

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, text: Text) -> bool:
        return text in self._rows

    def of(self, texts: Sequence[Text]) -> NDArray[Any]:
        """The gold labels of any texts; :data:`~potstill.tasks.NO_LABEL` for those that are not known."""
        found = np.full((len(texts), *self._gold.shape[1:]), NO_LABEL, dtype=self._gold.dtype)
        rows = np.array([self._rows.get(text, -1) for text in texts], dtype=np.int64)
        found[rows >= 0] = self._gold[rows[rows >= 0]]
        return found


def with_masks(texts: Sequence[Text], mask_token: str) -> list[Text]:
    """Texts, or pairs of texts, with one mask token, see :func:`~potstill.corpus.words.unify_masks`."""
    return [map_text(text, lambda part: unify_masks(part, mask_token)) for text in texts]


def limited(tokenizer: Tokenizer, max_length: int) -> Tokenizer:
    """A copy of a tokenizer that pads nothing and cuts each text to ``max_length`` tokens."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_padding()
    copy.enable_truncation(max_length)
    return copy


def encode(
    texts: Sequence[Text],
    tokenizer: Tokenizer,
    *,
    gold: NDArray[Any] | None = None,
    teacher_logits: NDArray[np.float32] | None = None,
    separately: bool = False,
    progress: Progress = silent,
) -> Encoded:
    """Encode texts.

    :param texts: single texts or pairs, not mixed.
    :param separately: encode the texts of a pair each by itself, not joined as a transformer reads them.
    :param tokenizer: one that does not pad (see :func:`limited`).
    :param gold: of the texts, one a text.
    :param teacher_logits: of the texts, one row a text.
    """
    paired = bool(texts) and isinstance(texts[0], tuple)
    if paired and separately:
        first, second = (encode([text[side] for text in texts], tokenizer, progress=progress) for side in (0, 1))
        return replace(first, gold=gold, teacher_logits=teacher_logits, pair=second)
    ids, types, lengths = [], [], []
    with progress("tokenising", len(texts)) as bar:
        for start in range(0, len(texts), _BATCH):
            # fast: without each token's span in the text, which nothing here reads.
            batch = tokenizer.encode_batch_fast(list(texts[start : start + _BATCH]))
            ids.append(np.array([i for text in batch for i in text.ids], dtype=np.int32))
            if paired:
                types.append(np.array([i for text in batch for i in text.type_ids], dtype=np.int8))
            lengths += [len(text.ids) for text in batch]
            bar.update(len(batch))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Encoded(
        token_ids=np.concatenate(ids) if ids else np.zeros(0, np.int32),
        offsets=offsets,
        token_types=np.concatenate(types) if types else None,
        gold=gold,
        teacher_logits=teacher_logits,
    )


def encode_chunks(
    chunks: Iterable[Chunk],
    tokenizer: Tokenizer,
    folder: Path,
    *,
    separately: bool = False,
    progress: Progress = silent,
) -> None:
    """Encode texts into the arrays of a folder, one chunk in memory at a time.

    :param tokenizer: one that does not pad (see :func:`limited`).
    :param separately: as of :func:`encode`.
    """
    n_tokens = n_second = 0
    with progress("tokenising", 0) as bar, npy_writer(folder) as append:
        append("offsets", np.zeros(1, dtype=np.int64))
        for chunk in chunks:
            part = encode(
                chunk.texts, tokenizer, gold=chunk.gold, teacher_logits=chunk.teacher_logits, separately=separately
            )
            append("offsets", part.offsets[1:] + n_tokens)
            for name in ("token_ids", "token_types", "gold", "teacher_logits"):
                if (array := getattr(part, name)) is not None:
                    append(name, array)
            n_tokens += len(part.token_ids)
            if part.pair is not None:
                if not n_second:
                    append(f"{_PAIR}offsets", np.zeros(1, dtype=np.int64))
                append(f"{_PAIR}offsets", part.pair.offsets[1:] + n_second)
                append(f"{_PAIR}token_ids", part.pair.token_ids)
                n_second += len(part.pair.token_ids)
            bar.update(len(part))


def tokenizer_hash(tokenizer: Tokenizer) -> str:
    """The hash of a tokenizer without its padding and truncation, which :func:`limited` sets."""
    tokenizer = Tokenizer.from_str(tokenizer.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return hashlib.sha256(tokenizer.to_str().encode()).hexdigest()


def token_batches(lengths: NDArray[np.int64], budget: int) -> list[NDArray[np.int64]]:
    """Rows grouped by length so that a padded batch has at most ``budget`` tokens (or one row).

    :param lengths: int64 ``[n_texts]``.
    :return: arrays of row numbers that together cover every row once, longest texts first.
    """
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        rows = max(1, budget // max(1, int(lengths[order[start]])))
        batches.append(order[start : start + rows])
        start += rows
    return batches
