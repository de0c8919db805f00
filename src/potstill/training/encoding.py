"""Encoding: texts to folders of token ids, which a model is trained on."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import tee
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from potstill.artifacts import atomic_folder, read_manifest
from potstill.augment.tagging import analyse_texts
from potstill.corpus.encoded import Chunk, Encoded, encode_chunks, limited, tokenizer_hash, with_masks
from potstill.corpus.texts import map_text, parts_of
from potstill.corpus.words import MASK, UNK, UNK_ID, unify_masks
from potstill.errors import PotstillError
from potstill.progress import Progress, silent
from potstill.runtime.threads import available_cpus

logger = logging.getLogger(__name__)

_COUNTED_AT_ONCE = 10_000_000  # tokens


def split_morphemes(
    texts: Iterable[str], analyzer: str, processes: int = 0, progress: Progress = silent
) -> Iterator[str]:
    """What a student with a morphological analyzer reads: the texts' morphemes, separated by spaces.

    The same morphemes as :func:`potstill.morphology.MorphemeSplitter` gives in prediction, in several processes.

    :param texts: with any model's mask tokens.
    :param analyzer: ``""``: the student reads the texts as they are.
    :param processes: 0: the processors this process may use.
    """
    if not analyzer:
        return iter(texts)
    processes = processes or available_cpus()
    unified = map(unify_masks, texts)
    analyses = analyse_texts(unified, analyzer, form="split", processes=processes, progress=progress)
    return (" ".join(analysis.words) for analysis in analyses)


def split_chunks(
    chunks: Iterable[Chunk], analyzer: str, processes: int = 0, progress: Progress = silent
) -> Iterator[Chunk]:
    """The chunks with their texts as :func:`split_morphemes` gives them, all in one stream: a call starts processes."""
    ahead, kept = tee(chunks)
    split = split_morphemes((part for chunk in ahead for part in parts_of(chunk.texts)), analyzer, processes, progress)
    return (replace(chunk, texts=[map_text(text, lambda _: next(split)) for text in chunk.texts]) for chunk in kept)


def encode_to_folder(
    chunks: Iterable[Chunk],
    tokenizer: Tokenizer,
    folder: Path,
    *,
    n_ctx: int,
    mask_token: str | None = MASK,
    separately: bool = False,
    inputs: dict[str, Any],
    progress: Progress = silent,
) -> Encoded:
    """Encode texts, cut to ``n_ctx`` tokens, into a folder of memory-mapped arrays, and log their figures.

    :param chunks: the texts, with what they are to be learnt as; one chunk is in memory at a time.
    :param mask_token: the tokenizer's; every mask token in the texts becomes this one.
    :param separately: encode the texts of a pair each by itself, as students read them.
    :param inputs: what the texts come from, written to the folder's manifest.
    """
    if mask_token:  # so that one set of augmented texts is for every model
        chunks = (replace(chunk, texts=with_masks(chunk.texts, mask_token)) for chunk in chunks)
    with atomic_folder(folder, inputs | {"tokenizer": tokenizer_hash(tokenizer), "n_ctx": n_ctx}) as work:
        encode_chunks(chunks, limited(tokenizer, n_ctx), work, separately=separately, progress=progress)
    encoded = Encoded.load(folder)
    lengths = encoded.lengths
    logger.info(
        "%s: %d texts, %.1f tokens on average, %d cut at %d tokens, %.2f%% unknown",
        folder.name, len(encoded), lengths.mean(), int((lengths == n_ctx).sum()), n_ctx,
        100 * _unknown_share(encoded, tokenizer),
    )  # fmt: skip
    return encoded


def _unknown_share(encoded: Encoded, tokenizer: Tokenizer) -> float:
    """The share of unknown tokens; 0 where the tokenizer is a transformer's, which knows every word by its pieces."""
    if tokenizer.token_to_id(UNK) != UNK_ID:
        return 0.0
    n_tokens = len(encoded.token_ids)
    parts = np.array_split(encoded.token_ids, 1 + n_tokens // _COUNTED_AT_ONCE)
    return sum(np.count_nonzero(part == UNK_ID) for part in parts) / max(1, n_tokens)


def load_encoded(folder: Path, tokenizer: Tokenizer) -> Encoded:
    """Load encoded texts, provided that this tokenizer encoded them.

    :raises PotstillError: when they are missing or another tokenizer's.
    """
    manifest = read_manifest(folder)
    if manifest and manifest["inputs"].get("tokenizer") != tokenizer_hash(tokenizer):
        raise PotstillError(f"{folder}: encoded with another vocabulary: run potstill preprocess again")
    return Encoded.load(folder)
