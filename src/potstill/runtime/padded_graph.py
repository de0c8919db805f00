"""A transformer's ONNX graph: it is given padded batches with a mask."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.encoded import token_batches
from potstill.corpus.safe_loading import OneLineErrors
from potstill.corpus.texts import Text
from potstill.corpus.windows import WindowEncoder, Windows
from potstill.runtime.session import UNFIT, OnnxSession
from potstill.tasks import Task

_TOKEN_BUDGET = 4096  # of a batch, padding included


class PaddedGraph:
    """Encodes texts together and runs those of like length together.

    :param encoder: gives the windows of texts.
    :param pad_id: the token id of padding.
    :param task: how logits become probabilities, where the most confident window counts.
    """

    def __init__(self, session: OnnxSession, encoder: WindowEncoder, pad_id: int, task: Task) -> None:
        self._session = session
        self._encoder = encoder
        self._pad_id = pad_id
        self._task = task

    def encode(self, texts: Sequence[Text]) -> Windows:
        """The token ids of all texts, or pairs of texts."""
        with OneLineErrors(UNFIT):
            return self._encoder(texts)

    def logits(self, windows: Windows) -> NDArray[np.float32]:
        """The logits of encoded texts, float32 ``[n_texts, n_labels]``."""
        encoded = windows.encoded
        logits = self._session.empty_logits(len(encoded))
        for rows in token_batches(encoded.lengths, _TOKEN_BUDGET):
            batch = encoded.pad(rows, self._pad_id)
            batch.setdefault("token_type_ids", np.zeros_like(batch["input_ids"]))
            logits[rows] = self._session.run({name: batch[name] for name in self._session.inputs})
        return windows.join(logits, self._task)

    def count_words(self, windows: Windows) -> None:
        """None: word pieces are not words, and no word is unknown to them."""
