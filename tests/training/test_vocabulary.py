"""A student's vocabulary."""

import numpy as np
import pytest

from potstill.corpus.vectors import WordVectors
from potstill.errors import PotstillError
from potstill.training.vocabulary import build_vocabulary


def test_vectors_of_another_width_than_the_configurations_are_refused() -> None:
    vectors = WordVectors(["film"], np.ones((1, 2), dtype=np.float32))
    with pytest.raises(PotstillError, match="the word vectors have 2 numbers, the configuration says token_emb_dim 3"):
        build_vocabulary(["a film"], vectors, n_frequent=1, lower=True, width=3)
