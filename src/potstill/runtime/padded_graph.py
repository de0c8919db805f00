"""A transformer's ONNX graph: it is given padded batches with a mask."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from potstill.corpus.encoded import Encoded, Text, encode, token_batches
from potstill.corpus.safe_loading import OneLineErrors
from potstill.runtime.session import UNFIT, OnnxSession

_TOKEN_BUDGET = 4096  # of a batch, padding included


class PaddedGraph:
    """Encodes texts together and runs those of like length together.

    :param pad_id: the token id of padding.
    """

    def __init__(self, session: OnnxSession, tokenizer: Tokenizer, pad_id: int) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._pad_id = pad_id

    def encode(self, texts: Sequence[Text]) -> Encoded:
        """The token ids of all texts, or pairs of texts."""
        with OneLineErrors(UNFIT):
            return encode(texts, self._tokenizer)

    def logits(self, encoded: Encoded) -> NDArray[np.float32]:
        """The logits of encoded texts, float32 ``[n_texts, n_labels]``."""
        logits = self._session.empty_logits(len(encoded))
        for rows in token_batches(encoded.lengths, _TOKEN_BUDGET):
            batch = encoded.pad(rows, self._pad_id)
            batch.setdefault("token_type_ids", np.zeros_like(batch["input_ids"]))
            logits[rows] = self._session.run({name: batch[name] for name in self._session.inputs})
        return logits

    def count_words(self, encoded: Encoded) -> None:
        """None: word pieces are not words, and no word is unknown to them."""
