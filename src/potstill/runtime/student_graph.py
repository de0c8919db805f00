"""A student's ONNX graph: it is given texts of one length.

Nothing is padded and no text's logits depend on another's; a single text, the usual case, needs nothing but its ids.
"""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from potstill.corpus.safe_loading import OneLineErrors
from potstill.corpus.texts import Text
from potstill.corpus.words import UNK_ID
from potstill.forks import PerProcess
from potstill.runtime.session import UNFIT, OnnxSession
from potstill.runtime.word_encoder import WordEncoder, splits_at_spaces

_WORD_BUDGET = 1024  # of a batch: what its layers give stays in the cache


PAIR_IDS = "pair_input_ids"  # the input of the second texts
Ids = list[tuple[list[int], ...]]
"""Of each text the ids of its tokens; of a pair those of both."""


class StudentGraph:
    """Encodes texts one by one and runs those of equal length together.

    :param threads: that have a batch each.
    """

    def __init__(self, session: OnnxSession, tokenizer: Tokenizer, threads: int) -> None:
        self._session = session
        self.reads_pairs = PAIR_IDS in session.inputs
        self._tokenizer = tokenizer
        self._words = WordEncoder(tokenizer) if splits_at_spaces(tokenizer) else None
        self._pool = PerProcess(lambda: ThreadPoolExecutor(threads)) if threads > 1 else None

    def encode(self, texts: Sequence[Text]) -> "Ids":
        """The token ids of each text, or of the two of each pair; a text of invisible characters alone is one unknown
        word.
        """
        encode = self._words or self._ids
        with OneLineErrors(UNFIT):
            if self.reads_pairs:
                return [tuple(encode(part) or [UNK_ID] for part in pair) for pair in texts]
            return [(encode(str(text)) or [UNK_ID],) for text in texts]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def logits(self, encoded: "Ids") -> NDArray[np.float32]:
        """The logits of encoded texts, float32 ``[n_texts, n_labels]``."""
        return self._run(encoded) if len(encoded) == 1 else self._run_by_length(encoded)

    def _run(self, ids: "Ids") -> NDArray[np.float32]:
        inputs = {"input_ids": np.array([parts[0] for parts in ids], dtype=np.int64)}
        if self.reads_pairs:
            inputs[PAIR_IDS] = np.array([parts[1] for parts in ids], dtype=np.int64)
        elif len(self._session.inputs) > 1:  # the graph of torch's exporter has a mask
            inputs["attention_mask"] = np.ones_like(inputs["input_ids"])
        return self._session.run(inputs)

    def _run_by_length(self, ids: "Ids") -> NDArray[np.float32]:
        batches = self._batches([tuple(map(len, parts)) for parts in ids])
        logits = self._session.empty_logits(len(ids))
        run = self._pool.get().map if self._pool else map
        for rows, part in zip(batches, run(lambda rows: self._run([ids[row] for row in rows]), batches), strict=True):
            logits[rows] = part
        return logits

    def _batches(self, lengths: Sequence[tuple[int, ...]]) -> list[list[int]]:
        """Rows of equal length, of pairs of two equal lengths, as many together as the budget allows."""
        rows_by_length = defaultdict(list)
        for row, length in enumerate(lengths):
            rows_by_length[length].append(row)
        batches = []
        for length, rows in rows_by_length.items():
            n_rows = 1 if self._session.takes_one else max(1, _WORD_BUDGET // max(1, *length))
            batches += [rows[start : start + n_rows] for start in range(0, len(rows), n_rows)]
        return batches

    def count_words(self, encoded: "Ids") -> NDArray[np.int64]:
        """Of each text how many words it has and how many of them are unknown, int64 ``[n_texts, 2]``."""
        counts = [(sum(map(len, parts)), sum(ids.count(UNK_ID) for ids in parts)) for parts in encoded]
        return np.array(counts, dtype=np.int64).reshape(-1, 2)
