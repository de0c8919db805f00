"""Word vectors from the teacher: each word of the vocabulary passed through it once, the width reduced by PCA.

After model2vec (https://github.com/MinishLab/model2vec); here the teacher is fine-tuned, so that its vectors
already know the task. No file of vectors is needed, in any language that the teacher reads.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from potstill.corpus.encoded import Encoded, encode, limited, token_batches
from potstill.corpus.vectors import whole_words
from potstill.errors import PotstillError
from potstill.progress import Progress, silent
from potstill.teachers.checkpoints import Checkpoint
from potstill.teachers.inference import TOKEN_BUDGET

_LONGEST = 32  # tokens of one word
_SPREAD = 0.4  # standard deviation of the numbers, as in GloVe


class TeacherVectors:
    """A source of word vectors (:class:`potstill.corpus.vectors.VectorSource`) that knows every word.

    :param teacher: fine-tuned.
    :param width: numbers a vector.
    :raises PotstillError: when the teacher's own vectors have fewer.
    """

    def __init__(self, teacher: Checkpoint, width: int, progress: Progress = silent) -> None:
        if width > (widest := int(teacher.model.config.hidden_size)):
            raise PotstillError(f"teacher:{width}: the teacher's vectors have {widest} numbers at most")
        self.width = width
        self._teacher = teacher
        self._progress = progress

    def frequent_words(self, n: int) -> list[str]:
        """The first whole words of the teacher's own vocabulary."""
        return whole_words(self._teacher.tokenizer.backend_tokenizer, n)

    def look_up(self, words: Sequence[str], generator: np.random.Generator) -> NDArray[np.float32]:
        """Vectors of words, float32 ``[len(words), width]``; the principal axes are computed on these words."""
        tokenizer = limited(self._teacher.tokenizer.backend_tokenizer, _LONGEST)
        return _reduce(self._hidden_states(encode(words, tokenizer)), self.width)

    def _hidden_states(self, encoded: Encoded) -> NDArray[np.float32]:
        """For each word the mean of the last layer over its tokens, ``[len(encoded), hidden_size]``."""
        model = self._teacher.model
        encoder = model.base_model.eval()
        vectors = np.zeros((len(encoded), int(model.config.hidden_size)), dtype=np.float32)
        with torch.inference_mode(), self._progress("word vectors of the teacher", len(encoded)) as bar:
            for rows in token_batches(encoded.lengths, TOKEN_BUDGET):
                batch = encoded.pad(rows, model.config.pad_token_id or 0)
                ids, mask = (torch.from_numpy(batch[name]) for name in ("input_ids", "attention_mask"))
                states = encoder(input_ids=ids, attention_mask=mask)[0]  # [rows, length, hidden_size]
                weights = (mask / mask.sum(dim=1, keepdim=True)).unsqueeze(-1)
                vectors[rows] = (states * weights).sum(dim=1).numpy()
                bar.update(len(rows))
        return vectors


def _reduce(states: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """The first principal components, centred and scaled to :data:`_SPREAD`."""
    centred = states - states.mean(axis=0)
    # Of the covariance: it is as small as the teacher is wide, however many words there are.
    axes = np.linalg.eigh(centred.T @ centred / len(centred))[1][:, ::-1][:, :width]
    reduced = centred @ axes  # [n_words, width]
    scaled: NDArray[np.float32] = (reduced * (_SPREAD / max(float(reduced.std()), 1e-12))).astype(np.float32)
    return scaled
