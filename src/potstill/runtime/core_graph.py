"""A student in the native core: raw text to logits, without ONNX Runtime and tokenizers."""

import logging
from collections.abc import Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.safe_loading import DAMAGED, OneLineErrors
from potstill.corpus.texts import Text, parts_of
from potstill.errors import PotstillError, require
from potstill.files import check_readable
from potstill.forks import PerProcess
from potstill.model_folder import CoreFiles

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

logger = logging.getLogger(__name__)

TOO_LARGE = "the model needs more than 4 GB of memory for these texts: give shorter ones, or fewer at once"
_TEXTS_A_THREAD = 64  # fewer are not worth a second thread


@cache
def find_core() -> Any:
    """The module of the native core; None where it is not built."""
    try:
        import potstill_core
    except ImportError:
        return None
    return potstill_core


@cache
def tell_without_core() -> None:
    """Say once that students run in ONNX Runtime."""
    logger.warning("the native core is not built here: students run in ONNX Runtime, several times slower")


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where the words of a text begin and end, as students split it.

    :raises PotstillError: where neither the core nor tokenizers is there.
    """
    if find_core():
        spans: list[tuple[int, int]] = find_core().words(text)
        return spans
    require("onnx", "tokenizers")
    from potstill.corpus.words import word_splitter

    return [span for _, span in word_splitter().pre_tokenize_str(text)]


class CoreGraph:
    """A student's files, open in the core. Any number of threads may use it at once, and processes that are forked.

    :param files: the student's.
    :param n_labels: of its configuration.
    :param threads: that work on one call of :meth:`logits`.
    :raises PotstillError: when a file is damaged, or they do not belong together.
    """

    def __init__(self, files: CoreFiles, n_labels: int, threads: int = 1) -> None:
        with OneLineErrors(DAMAGED, files.plan):
            try:
                self._student = find_core().Student(*map(str, files))
            except OSError:
                for file in files:
                    check_readable(file)
                raise
        if self._student.n_labels != n_labels:
            raise PotstillError(f"{files.plan}: {DAMAGED}")
        self._n_labels = n_labels
        self._parts = 2 if self._student.reads_pairs else 1
        self._threads = threads

    @cached_property
    def _pool(self) -> "PerProcess[ThreadPoolExecutor]":
        from concurrent.futures import ThreadPoolExecutor  # here: a single text does without it

        return PerProcess(lambda: ThreadPoolExecutor(self._threads))

    def encode(self, texts: Sequence[Text]) -> list[str]:
        """The texts as the core takes them: of pairs the first text and the second, one after another."""
        return list(parts_of(texts)) if self._parts > 1 else list(texts)  # type: ignore[arg-type]

    def logits(self, encoded: list[str]) -> NDArray[np.float32]:
        """The logits of texts, float32 ``[n_texts, n_labels]``."""
        logits = np.empty((len(encoded) // self._parts, self._n_labels), dtype=np.float32)
        try:
            if self._threads == 1 or len(logits) < 2 * _TEXTS_A_THREAD:
                self._student.logits(encoded, logits)
            else:
                size = max(_TEXTS_A_THREAD, -(-len(logits) // self._threads))
                starts = range(0, len(logits), size)
                list(self._pool.get().map(lambda start: self._fill(encoded, logits, start, size), starts))
        except MemoryError:
            raise PotstillError(TOO_LARGE) from None
        return logits

    def _fill(self, encoded: list[str], logits: NDArray[np.float32], start: int, size: int) -> None:
        texts = encoded[start * self._parts : (start + size) * self._parts]
        self._student.logits(texts, logits[start : start + size])

    def count_words(self, encoded: list[str]) -> NDArray[np.int64]:
        """Of each text how many words it has and how many of them are unknown, int64 ``[n_texts, 2]``."""
        ids = [self._student.encode(text) for text in encoded]
        counts = np.array([(len(each), each.count(self._student.unknown_id)) for each in ids], dtype=np.int64).reshape(
            -1, 2
        )
        of_texts: NDArray[np.int64] = counts.reshape(-1, self._parts, 2).sum(axis=1)
        return of_texts
