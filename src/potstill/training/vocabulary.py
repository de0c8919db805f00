"""Preparation: what a student needs before it is trained (vocabulary, word table, encoded text)."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from potstill.artifacts import EMBEDDING, TOKENIZER, atomic_file, atomic_folder, read_manifest
from potstill.augment.tagging import analyse_texts
from potstill.corpus.characters import build_character_tokenizer, frequent_characters, reads_characters
from potstill.corpus.encoded import Chunk, Encoded, Text, encode_chunks, limited, tokenizer_hash
from potstill.corpus.safe_loading import open_array, open_tokenizer
from potstill.corpus.vector_files import PACKAGES, check_vectors, load_vectors
from potstill.corpus.vectors import JoinedVectors, VectorSource, cut_to_vocabulary
from potstill.corpus.words import MASK, N_SPECIAL, UNK_ID, build_tokenizer, count_words, unify_masks
from potstill.errors import PotstillError
from potstill.progress import Progress, silent

logger = logging.getLogger(__name__)

RECIPE_VECTORS = "embeddings/glove.6B.300d.txt"
_TEACHER_WIDTH = 128  # of vectors from the teacher
_COUNTED = 10_000_000  # tokens looked at at once


@dataclass(frozen=True)
class Vocabulary:
    """A student's tokenizer and its word table.

    :param table: float32 ``[vocabulary, width]``, rows of pad, unknown and mask first; None where the tokens are
        characters, whose vectors the student makes itself.
    """

    tokenizer: Tokenizer
    table: NDArray[np.float32] | None


def find_vectors(source: str) -> str:
    """The word vectors to use: those named, or for ``auto`` the recipe's file, else an installed package."""
    if source != "auto":
        return source
    if Path(RECIPE_VECTORS).is_file():
        return RECIPE_VECTORS
    found = next(iter(PACKAGES))
    logger.info("no %s here: taking the word vectors of the package %s", RECIPE_VECTORS, found)
    return found


def split_vectors(source: str) -> list[str]:
    """The parts of ``A+B``: sources whose vectors are put end to end."""
    return [source] if Path(source).exists() else source.split("+")


def _teacher_width(part: str) -> int | None:
    """The width that ``teacher`` or ``teacher:WIDTH`` asks for; None for any other source.

    :raises PotstillError: when it is not a number of at least 1.
    """
    name, _, width = part.partition(":")
    if name != "teacher":
        return None
    if width and (not width.isdecimal() or int(width) < 1):
        raise PotstillError(f"{part}: the teacher's vectors are named teacher or teacher:WIDTH, such as teacher:128")
    return int(width or _TEACHER_WIDTH)


def is_from_teacher(part: str) -> bool:
    """Whether a part of the source stands for the teacher's vectors."""
    return _teacher_width(part) is not None


def check_sources(source: str) -> None:
    """Check that word vectors are there, without loading them.

    :raises PotstillError: when they are not.
    """
    for part in split_vectors(source):
        if not is_from_teacher(part):
            check_vectors(part)


def open_vectors(source: str, teacher: str, progress: Progress = silent) -> VectorSource:
    """Load word vectors.

    :param source: as :func:`potstill.corpus.vector_files.load_vectors` takes it; or ``teacher`` or
        ``teacher:WIDTH``; or several of these, joined by ``+``, whose vectors are put end to end.
    :param teacher: the fine-tuned teacher, a folder or a name on the hub.
    :raises PotstillError: when one is missing or damaged.
    """
    sources: list[VectorSource] = []
    for part in split_vectors(source):
        width = _teacher_width(part)
        if width is None:
            sources.append(load_vectors(part))
            continue
        from potstill.teachers.checkpoints import open_finetuned
        from potstill.teachers.word_vectors import TeacherVectors

        sources.append(TeacherVectors(open_finetuned(teacher), width, progress))
    return sources[0] if len(sources) == 1 else JoinedVectors(sources)


def build_vocabulary(
    texts: Iterable[str],
    vectors: VectorSource,
    *,
    n_frequent: int,
    lower: bool,
    width: int | None = None,
    seed: int = 42,
) -> Vocabulary:
    """The vocabulary of a transfer set: its words, and the most frequent ones of the vectors' source.

    :param width: what the vectors' width must be; None takes any.
    :param seed: of the vectors of words that the source lacks.
    :raises PotstillError: when the vectors are of another width.
    """
    if width is not None and vectors.width != width:
        raise PotstillError(
            f"the word vectors have {vectors.width} numbers, the configuration says token_emb_dim {width}: "
            f"change one of them"
        )
    words, table = cut_to_vocabulary(vectors, count_words(texts, lower), n_frequent, lower, seed)
    special = np.zeros((N_SPECIAL, vectors.width), dtype=np.float32)
    special[UNK_ID] = table.mean(axis=0)
    return Vocabulary(build_tokenizer(words, lower), np.concatenate([special, table]))


def build_characters(texts: Iterable[str], lower: bool) -> Vocabulary:
    """The vocabulary of a student that reads characters: those of its transfer set."""
    return Vocabulary(build_character_tokenizer(frequent_characters(texts, lower), lower), None)


def save_vocabulary(vocabulary: Vocabulary, folder: Path) -> None:
    """Write ``tokenizer.json`` and, of words, ``embedding.npy`` into a folder."""
    with atomic_file(folder / TOKENIZER) as partial:
        vocabulary.tokenizer.save(str(partial))
    if vocabulary.table is None:
        (folder / EMBEDDING).unlink(missing_ok=True)  # of an earlier vocabulary of words
        return
    with atomic_file(folder / EMBEDDING) as partial, partial.open("wb") as file:
        np.save(file, vocabulary.table)


def load_vocabulary(folder: Path) -> Vocabulary:
    """Read what :func:`save_vocabulary` wrote.

    :raises PotstillError: when it is missing or the two do not belong together.
    """
    _check_prepared(folder / TOKENIZER)
    tokenizer = open_tokenizer(folder / TOKENIZER)
    if reads_characters(tokenizer):
        return Vocabulary(tokenizer, None)
    _check_prepared(folder / EMBEDDING)
    table = np.array(open_array(folder / EMBEDDING))  # a copy, to be trained
    if len(table) != tokenizer.get_vocab_size():
        raise PotstillError(
            f"{folder}: {EMBEDDING} has {len(table)} words and {TOKENIZER} {tokenizer.get_vocab_size()}: "
            f"run potstill preprocess again"
        )
    return Vocabulary(tokenizer, table)


def _check_prepared(file: Path) -> None:
    if not file.is_file():
        raise PotstillError(f"{file.parent}: no {file.name} in it; make it with: potstill preprocess")


def split_morphemes(texts: Iterable[str], analyzer: str, processes: int, progress: Progress = silent) -> Iterator[str]:
    """What a student with a morphological analyzer reads: the texts' morphemes, divided by spaces.

    The same as :func:`potstill.morphology.morpheme_splitter` gives, in several processes.

    :param texts: with any model's mask tokens.
    """
    unified = map(unify_masks, texts)
    found = analyse_texts(unified, analyzer, form="split", processes=processes, progress=progress)
    return (" ".join(analysis.words) for analysis in found)


def encode_to_folder(
    chunks: Iterable[Chunk],
    tokenizer: Tokenizer,
    folder: Path,
    *,
    n_ctx: int,
    mask_token: str | None = MASK,
    inputs: dict[str, Any],
    progress: Progress = silent,
) -> Encoded:
    """Encode texts, cut to ``n_ctx`` tokens, into a folder of memory-mapped arrays.

    :param chunks: the texts, with what they are to be learnt as; one chunk is in memory at a time.
    :param mask_token: the tokenizer's; every mask token in the texts becomes this one.
    :param inputs: what the texts come from, kept in the folder's manifest.
    """
    if mask_token:
        chunks = (replace(chunk, texts=_with_masks(chunk.texts, mask_token)) for chunk in chunks)
    with atomic_folder(folder, inputs | {"tokenizer": tokenizer_hash(tokenizer), "n_ctx": n_ctx}) as work:
        encode_chunks(chunks, limited(tokenizer, n_ctx), work, progress)
    encoded = Encoded.load(folder)
    lengths, unknown = encoded.lengths, 0.0
    if tokenizer.token_to_id("<unk>") == UNK_ID:
        parts = np.array_split(encoded.token_ids, 1 + len(encoded.token_ids) // _COUNTED)
        unknown = sum(np.count_nonzero(part == UNK_ID) for part in parts) / max(1, len(encoded.token_ids))
    logger.info(
        "%s: %d texts, %.1f tokens on average, %d cut at %d tokens, %.2f%% unknown",
        folder.name, len(encoded), lengths.mean(), int((lengths == n_ctx).sum()), n_ctx, 100 * unknown,
    )  # fmt: skip
    return encoded


def _with_masks(texts: Sequence[Text], mask_token: str) -> list[Text]:
    return [unify_masks(text, mask_token) if isinstance(text, str) else text for text in texts]


def load_encoded(folder: Path, tokenizer: Tokenizer) -> Encoded:
    """Encoded texts, provided that this tokenizer encoded them.

    :raises PotstillError: when they are missing or another tokenizer's.
    """
    manifest = read_manifest(folder)
    if manifest and manifest["inputs"].get("tokenizer") != tokenizer_hash(tokenizer):
        raise PotstillError(f"{folder}: encoded with another vocabulary: run potstill preprocess again")
    return Encoded.load(folder)
