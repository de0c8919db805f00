"""Long texts in windows, each as long as a model reads, and the logits of a text's windows as one row."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from potstill.corpus.encoded import Encoded, encode, limited
from potstill.corpus.texts import LongTexts, Text
from potstill.progress import Progress, silent
from potstill.tasks import Task


@dataclass(frozen=True)
class Windows:
    """Encoded windows; those of a text follow one another.

    :param counts: windows of each text, int64 ``[n_texts]``.
    """

    encoded: Encoded
    counts: NDArray[np.int64]
    how: LongTexts

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def n_long(self) -> int:
        """The texts that have several windows."""
        return int((self.counts > 1).sum())

    def join(self, logits: NDArray[np.float32], task: Task) -> NDArray[np.float32]:
        """The logits of the texts, ``[n_texts, n_labels]``; those of a text of one window as they are.

        :param logits: of the windows, ``[n_windows, n_labels]``.
        """
        if len(self.encoded) == len(self.counts):
            return logits
        starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]])
        joined: NDArray[np.float32] = logits[starts]
        confidence = task.confidence(task.probabilities(logits)) if self.how == "confident" else None
        for row in np.flatnonzero(self.counts > 1).tolist():
            rows = slice(starts[row], starts[row] + self.counts[row])
            if confidence is None:
                joined[row] = logits[rows].mean(axis=0)
            else:
                joined[row] = logits[rows][confidence[rows].argmax()]
        return joined


class WindowEncoder:
    """Encodes texts in windows of at most ``n_ctx`` tokens. Pairs of texts are cut instead.

    The windows of a text are about equally long and do not overlap: each token is read once, and counts as much as the
    others in the mean. Each has the special tokens that the tokenizer puts around a text.

    :param n_ctx: special tokens included.
    """

    def __init__(self, tokenizer: Tokenizer, n_ctx: int, how: LongTexts) -> None:
        self._cut = limited(tokenizer, n_ctx)
        self._n_ctx = n_ctx
        self._how = how

    @cached_property
    def _whole(self) -> Tokenizer:
        whole = Tokenizer.from_str(self._cut.to_str())
        whole.no_truncation()
        return whole

    @cached_property
    def _around(self) -> tuple[int, int]:
        """How many special tokens are before a text, and behind it."""
        mask = self._whole.encode("a").special_tokens_mask
        inside = [index for index, is_special in enumerate(mask) if not is_special] or [len(mask)]
        return inside[0], len(mask) - 1 - inside[-1]

    def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> Windows:
        """The windows of texts, single ones or pairs."""
        if self._how == "first" or (texts and isinstance(texts[0], tuple)):
            return Windows(encode(texts, self._cut, progress=progress), np.ones(len(texts), dtype=np.int64), self._how)
        whole = encode(texts, self._whole, progress=progress)
        before, behind = self._around
        room = max(1, self._n_ctx - before - behind)
        counts = np.where(whole.lengths <= self._n_ctx, 1, -(-(whole.lengths - before - behind) // room))
        if counts.max(initial=1) == 1:
            return Windows(whole, counts, self._how)
        parts, lengths = [], []
        for row, count in enumerate(counts.tolist()):
            ids = whole.token_ids[whole.offsets[row] : whole.offsets[row + 1]]
            if count > 1:
                body = np.array_split(ids[before : len(ids) - behind], count)
                windows = [np.concatenate([ids[:before], part, ids[len(ids) - behind :]]) for part in body]
            else:
                windows = [ids]
            parts += windows
            lengths += list(map(len, windows))
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Windows(Encoded(np.concatenate(parts), offsets), counts, self._how)
