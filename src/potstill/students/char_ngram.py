"""Character n-gram: Charagram (Wieting et al. 2016), https://arxiv.org/abs/1607.02789, over the hashed n-grams of
fastText (Bojanowski et al. 2017), https://arxiv.org/abs/1607.04606, weighted by inverse document frequency."""

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from potstill.corpus.encoded import Encoded, token_batches
from potstill.progress import Progress, silent
from potstill.students.base import StudentConfig, StudentModel
from potstill.students.core_plan import CorePlan
from potstill.students.onnx_graph import OnnxGraph

_FIRST, _SECOND, _MODULUS = 1_000_003, 7_368_787, 2**31 - 1  # primes
_COUNT_BUDGET = 1 << 15  # characters of a batch when n-grams are counted
_TINY = 1e-30  # the least divisor: a text without known n-grams has sum and length 0
_INITIAL_STD = 0.01  # standard deviation of the vectors before training
_NO_NGRAM = 0  # the row of padding, whose vector is zero


class CharNGramConfig(StudentConfig):
    """A bag of characters and their n-grams.

    :param max_ngram: longest n-gram in characters.
    :param num_buckets: rows of the table; n-grams of the same hash share one.
    :param ngram_width: numbers in an n-gram's vector.
    :param dropout: probability that an n-gram of a text is left out in training.
    """

    model_type = "potstill-char-ngram"

    def __init__(
        self,
        # On Korean hate speech n-grams to 4 or 6, 2,000,000 buckets and 32 numbers an n-gram could not be distinguished
        # from these (56.6 to 58.3 on three folds, one sigma 0.75). Dropout of 0.5 gave 86.05 on NSMC, of 0.2 86.65.
        max_ngram: int = 5,
        num_buckets: int = 1_000_000,
        ngram_width: int = 16,
        dropout: float = 0.2,
        **kwargs: Any,
    ) -> None:
        self.max_ngram = max_ngram
        self.num_buckets = num_buckets
        self.ngram_width = ngram_width
        super().__init__(dropout=dropout, **kwargs | {"embedding_width": ngram_width})


class CharNGramForSequenceClassification(StudentModel):
    """The weighted sum of the vectors of a text's characters and n-grams, of n-grams over spaces too; a linear layer.

    A weight is the inverse document frequency of its n-gram, and 0 where the training set has no n-gram of the bucket.
    The sum is divided by the weights' Euclidean length, as in scikit-learn's TF-IDF, so that long texts do not count
    more. From :meth:`fit_statistics` on the gradient is sparse: a step costs the n-grams of its texts, not the table.
    Until then, and in a loaded student, it is dense, as most optimisers want it.

    :ivar weights: of the rows of the table, ``[num_buckets]``, saved with the model; 1 until :meth:`fit_statistics`.
    """

    config_class = CharNGramConfig
    reads_characters = True
    weights: Tensor

    def __init__(self, config: CharNGramConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.num_buckets, config.ngram_width, padding_idx=_NO_NGRAM)
        self.output = nn.Linear(self.head_width(config.ngram_width), int(config.num_labels or 0))
        self.register_buffer("weights", torch.ones(config.num_buckets))
        with torch.no_grad():
            self.embedding.weight.normal_(std=_INITIAL_STD)[_NO_NGRAM] = 0
            self.weights[_NO_NGRAM] = 0
        self.post_init()

    def _rows(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """The rows of the table that a text's n-grams have.

        An n-gram of each length begins at every character; past the end of the text it has padding. All are hashed by
        one product of the windows with :func:`_factors`.

        :return: ``[batch, length * max_ngram]``.
        """
        longest = self.config.max_ngram
        ids = functional.pad(input_ids.masked_fill(mask == 0, 0), (0, longest - 1))
        windows = ids.unfold(1, longest, 1)  # [batch, length, longest]
        factors = torch.from_numpy(_factors(longest)).to(ids.device)
        # Hashed length by length, the ONNX graph had 31 nodes and took 42 microseconds a comment; now 17 and 33.
        hashes = (windows.unsqueeze(3) * factors).sum(dim=2)  # [batch, length, longest]
        rows: Tensor = hashes % self.config.num_buckets
        return rows.masked_fill(mask.unsqueeze(2) == 0, _NO_NGRAM).flatten(1)

    def fit_statistics(self, train: Encoded, progress: Progress = silent) -> None:
        """Weight every row by its inverse document frequency in the training set; make the gradient sparse."""
        self.embedding.sparse = True
        counts = torch.zeros_like(self.weights)
        parts = [train] if train.pair is None else [train, train.pair]
        n_texts = sum(map(len, parts))
        with progress("counting n-grams", n_texts) as bar:
            for part, texts in ((each, rows) for each in parts for rows in token_batches(each.lengths, _COUNT_BUDGET)):
                batch = part.pad(texts, self.config.pad_token_id)
                ids, mask = (torch.from_numpy(batch[name]) for name in ("input_ids", "attention_mask"))
                rows = self._rows(ids, mask).int().sort(dim=1).values
                is_first = rows.diff(dim=1, prepend=torch.full_like(rows[:, :1], -1)) != 0
                distinct = rows[is_first].to(counts.device)
                counts.index_add_(0, distinct, torch.ones_like(distinct, dtype=counts.dtype))
                bar.update(len(texts))
        # Rare n-grams tell more. What was never seen tells nothing, and would share a row with what was: weight 0.
        # In a linear model of characters' n-grams IDF was worth 1.1 points of test (Korean hate speech).
        weights = torch.log((1 + n_texts) / (1 + counts)) + 1
        weights[_NO_NGRAM] = 0
        self.weights.copy_(weights.masked_fill(counts == 0, 0))

    def embed(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """The whole text as one vector, ``[batch, 1, ngram_width]``."""
        rows = self._rows(input_ids, mask)
        weights: Tensor = self.dropout(self.weights[rows])  # in training without some of the n-grams
        summed = functional.embedding_bag(
            rows,
            self.embedding.weight,
            per_sample_weights=weights,
            mode="sum",
            sparse=self.embedding.sparse,
            padding_idx=_NO_NGRAM,
        )
        length: Tensor = weights.norm(dim=1, keepdim=True).clamp_min(_TINY)
        return (summed / length).unsqueeze(1)

    def pool(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """:meth:`embed`'s vector, ``[batch, ngram_width]``."""
        return embedded.squeeze(1)

    def head(self, pooled: Tensor) -> Tensor:
        """Logits of vectors: see the base class."""
        logits: Tensor = self.output(pooled)  # [batch, n_labels]
        return logits

    @property
    def _is_folded(self) -> bool:
        """Whether the last layer is multiplied into the table of the graph, as that makes its rows no longer."""
        return not self.config.reads_pairs and len(self.output.weight) <= self.config.ngram_width

    def _weighted_table(self) -> Tensor:
        """The table with the weights multiplied in, and so may be the last layer. A further column has the squares of
        the weights, for the weights' length.

        :return: ``[num_buckets, width + 1]``.
        """
        # All in one table: an n-gram is one read of memory, and these reads are most of the time.
        vectors = self.embedding.weight @ self.output.weight.T if self._is_folded else self.embedding.weight
        vectors, squares = vectors * self.weights.unsqueeze(1), self.weights.square().unsqueeze(1)
        scale = (vectors.abs().max() / squares.max().clamp_min(_TINY)).clamp_min(_TINY)  # an 8-bit table has one scale
        return torch.cat([vectors * scale, squares * scale.square()], dim=1)

    def pool_to_onnx(self, graph: OnnxGraph) -> str:
        """In its ONNX graph: see the base class."""
        hashes = graph.node("MatMul", graph.token_windows(self.config.max_ngram), _factors(self.config.max_ngram))
        rows = graph.node("Mod", hashes, np.array(self.config.num_buckets))  # [batch, length, longest]
        table = graph.kept.setdefault("n-grams", self._weighted_table())
        sums = graph.node("ReduceSum", graph.dequantize(graph.gather(table, rows)), np.array([1, 2]), keepdims=0)
        summed = graph.node("Slice", sums, np.array([0]), np.array([-1]), np.array([1]))
        square = graph.node("Slice", sums, np.array([-1]), np.array([_MODULUS]), np.array([1]))
        length = graph.node("Sqrt", graph.node("Max", square, np.array(_TINY, np.float32)))
        return graph.node("Div", summed, length)

    def head_to_onnx(self, graph: OnnxGraph, pooled: str) -> str:
        """In its ONNX graph: see the base class."""
        bias = self.output.bias
        if self._is_folded:
            return graph.node("Add", pooled, bias.detach().numpy())
        return graph.linear(pooled, self.output.weight, bias)

    def pool_to_plan(self, plan: CorePlan) -> int:
        """For the core: see the base class."""
        return plan.char_ngrams(self._weighted_table(), self.config.max_ngram)

    def head_to_plan(self, plan: CorePlan, pooled: int) -> None:
        """For the core: see the base class."""
        if self._is_folded:
            plan.add(pooled, "output.bias")
        else:
            plan.linear(pooled, "output")


@cache
def _factors(longest: int) -> NDArray[np.int64]:
    """What the ids of a window are multiplied by, for each length of an n-gram: 0 for those past its end.

    :return: ``[longest, longest]``; the sum of a column's products stays far below 2**63.
    """
    factors = [[_FIRST ** (i + 1) * _SECOND**n % _MODULUS for n in range(longest)] for i in range(longest)]
    return np.triu(np.array(factors, dtype=np.int64))
