"""Character n-gram: Charagram (Wieting et al. 2016), https://arxiv.org/abs/1607.02789, over the hashed n-grams of
fastText (Bojanowski et al. 2017), https://arxiv.org/abs/1607.04606, weighted by inverse document frequency."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from potstill.corpus.encoded import Encoded
from potstill.students.base import StudentConfig, StudentModel
from potstill.students.graph import IDS, Graph
from potstill.students.layers import draw_hashed_ngrams, hash_ngrams

_COUNTED = 1024  # texts at once
_SHORTEST = 1e-6  # length that a text is divided by: one of which nothing is known has none
_SPREAD = 0.01  # standard deviation of the vectors before training


class CharNGramConfig(StudentConfig):
    """A bag of characters and their n-grams.

    :param max_ngram: longest n-gram in characters; at least 2.
    :param num_buckets: rows of the table of n-grams; n-grams of the same hash share one.
    :param ngram_width: numbers a vector, of a character or of an n-gram.
    """

    model_type = "potstill-char-ngram"

    def __init__(
        self,
        max_ngram: int = 5,
        num_buckets: int = 1_000_000,
        ngram_width: int = 16,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        self.max_ngram = max_ngram
        self.num_buckets = num_buckets
        self.ngram_width = ngram_width
        super().__init__(dropout=dropout, **kwargs | {"embedding_width": ngram_width})


class CharNGramForSequenceClassification(StudentModel):
    """The weighted sum of the vectors of a text's characters and n-grams, of n-grams over spaces too; a linear layer.

    A weight is the inverse document frequency of its n-gram, and 0 where the training set has none of its bucket; the
    sum is divided by the weights' Euclidean length, as scikit-learn's TF-IDF does, so that long texts do not fade.

    :ivar weights: of the rows of the table, ``[vocab_size + num_buckets]``; 1 until :meth:`prepare_for`.
    """

    config_class = CharNGramConfig
    reads_characters = True
    weights: Tensor

    def __init__(self, config: CharNGramConfig) -> None:
        super().__init__(config)
        rows = config.vocab_size + config.num_buckets  # the characters', then the n-grams'
        self.embedding = nn.Embedding(rows, config.ngram_width, padding_idx=config.pad_token_id)
        self.output = nn.Linear(config.ngram_width, int(config.num_labels or 0))
        self.register_buffer("weights", torch.ones(rows))
        with torch.no_grad():
            self.embedding.weight.normal_(std=_SPREAD)[config.pad_token_id] = 0
        self.post_init()

    def _rows(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """Which rows of the table a text's characters and n-grams have, ``[batch, length, max_ngram]``; the padding's
        where there is no n-gram."""
        hashes, within = hash_ngrams(input_ids, mask, self.config.max_ngram)
        ngrams = hashes % self.config.num_buckets + self.config.vocab_size
        rows = torch.cat([input_ids.unsqueeze(2), ngrams], dim=2)
        return rows.masked_fill(torch.cat([mask.unsqueeze(2), within], dim=2) == 0, self.config.pad_token_id)

    def prepare_for(self, train: Encoded) -> None:
        """Weigh every row by how few texts of the training set it stands in."""
        counts, pad = torch.zeros_like(self.weights), self.config.pad_token_id
        for start in range(0, len(train), _COUNTED):
            batch = train.pad(np.arange(start, min(start + _COUNTED, len(train))), pad)
            ids, mask = (torch.from_numpy(batch[name]).to(counts.device) for name in ("input_ids", "attention_mask"))
            rows = self._rows(ids, mask).flatten(1).sort(dim=1).values
            is_first = rows.diff(dim=1, prepend=torch.full_like(rows[:, :1], -1)) != 0
            found = rows[is_first]
            counts.index_add_(0, found, torch.ones_like(found, dtype=counts.dtype))
        weights = torch.log((1 + len(train)) / (1 + counts)) + 1
        self.weights.copy_(weights.masked_fill(counts == 0, 0))
        self.weights[pad] = 0

    def embed(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """At each character the sum of the vectors that begin there, divided by the length of the text's weights."""
        rows = self._rows(input_ids, mask)
        weights = self.weights[rows].masked_fill(rows == self.config.pad_token_id, 0)  # [batch, length, max_ngram]
        length = weights.flatten(1).norm(dim=1).clamp_min(_SHORTEST)  # [batch]
        vectors = (self.embedding(rows) * weights.unsqueeze(-1)).sum(dim=2)  # [batch, length, ngram_width]
        divided: Tensor = vectors / length[:, None, None]
        return divided

    def classify(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """Logits of embedded characters: see the base class."""
        logits: Tensor = self.output(embedded.sum(dim=1))  # [batch, n_labels]
        return logits

    def draw(self, graph: Graph) -> str:
        """The same as a graph, the weights within the table: see the base class."""
        buckets, characters = np.array(self.config.num_buckets), np.array(self.config.vocab_size)
        ngrams = graph.node("Concat", *draw_hashed_ngrams(graph, self.config.max_ngram), axis=1)
        ngrams = graph.node("Add", graph.node("Mod", ngrams, buckets), characters)
        rows = graph.node("Concat", IDS, ngrams, axis=1)  # [batch, characters and n-grams]
        table = self.embedding.weight * self.weights.unsqueeze(1)
        found = graph.node("ReduceSum", graph.floats(graph.look_up(table, rows)), np.array([1]), keepdims=0)
        weights = graph.floats(graph.look_up(self.weights, rows))
        length = graph.node("ReduceL2", weights, np.array([1]), keepdims=1)  # [batch, 1]
        divisor = graph.node("Max", length, np.array(_SHORTEST, np.float32))
        return graph.linear(graph.node("Div", found, divisor), self.output.weight, self.output.bias)
