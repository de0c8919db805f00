"""A student as a plan: the layers that the native core runs, and in 8-bit integers the weights that they read.

The counterpart of :mod:`~potstill.students.onnx_graph`: what the layers are, ``core/src/layers.cpp`` says. The integers
are the same as in the ONNX graph, but for an LSTM's states, whose range is known: they are between -1 and 1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from potstill.students.onnx_graph import quantize_table, quantize_weights, range_quantization

FORMAT = 1  # of plans; the core refuses others


class CorePlan:
    """The layers of one student under construction. Every method adds a layer and gives the number of its value.

    A pool's first layer reads the words of a text; value 0 of a head is the text's vector.

    :param model: whose weights the layers read, by their names in it.
    :param ranges: the calibration ranges, see :class:`~potstill.students.onnx_graph.OnnxGraph`; None: in floats.
    :ivar layers: of the part that is being written.
    :ivar n_activations: how many values were given to :meth:`quantize`.
    :ivar tensors: the weights that they read.
    :ivar has_own_weights: whether these are others than those of the model's own file.
    """

    def __init__(self, model: nn.Module, ranges: NDArray[np.float32] | None = None) -> None:
        self._weights = model.state_dict()
        self._ranges = ranges
        self.n_activations = 0
        self._n_values = 0
        self._integer_values: set[int] = set()
        self.has_own_weights = ranges is not None
        self.layers: list[dict[str, Any]] = []
        self.tensors: dict[str, NDArray[Any]] = {}

    def start_head(self) -> int:
        """Begin the layers behind a text's vector; the number of that vector."""
        self.layers, self._n_values, self._integer_values = [], 1, set()
        return 0

    def _add(self, layer: str, *, is_integer: bool = False, **fields: Any) -> int:
        self.layers.append({"layer": layer, **fields})
        number = self._n_values
        self._n_values += 1
        if is_integer:
            self._integer_values.add(number)
        return number

    def words(self, table: str) -> int:
        """The rows of an embedding table that a text's ids name."""
        return self._add("words", table=self.table(table), is_integer=self._ranges is not None)

    def ngrams(self, table: str, ngrams: str, max_ngram: int) -> int:
        """The vector of :class:`~potstill.students.ngram.NGramForSequenceClassification`."""
        return self._add("ngrams", table=self.table(table), ngrams=self.table(ngrams), max_ngram=max_ngram)

    def char_ngrams(self, table: Tensor, max_ngram: int) -> int:
        """The vector of :class:`~potstill.students.char_ngram.CharNGramForSequenceClassification`.

        :param table: with the weights of its rows multiplied in; the last column has the squares of these.
        """
        return self._add("char_ngrams", table=self.table("n-grams", table), max_ngram=max_ngram)

    def linear(self, x: int, layer: str, *, slope: float | None = None, left: int = 0) -> int:
        """A linear layer, or a convolution over words.

        :param layer: its name in the model.
        :param slope: of an activation, below zero: 0 is ReLU; None: no activation.
        :param left: of a convolution, how many words of a window are before its word.
        """
        more: dict[str, Any] = {} if slope is None else {"slope": slope}
        weight = self._matrix(f"{layer}.weight", x)
        return self._add("linear", x=x, weight=weight, bias=self._floats(f"{layer}.bias"), left=left, **more)

    def add(self, x: int, bias: str) -> int:
        """Numbers added to each row, such as a bias."""
        return self._add("add", x=x, bias=self._floats(bias))

    def max_over_time(self, x: int, convolutions: Sequence[str]) -> int:
        """Of each filter of some convolutions the maximum over a text, and at least 0."""
        weights = [self._matrix(f"{name}.weight", x) for name in convolutions]
        biases = [self._floats(f"{name}.bias") for name in convolutions]
        return self._add("max_over_time", x=x, weights=weights, biases=biases)

    def layer_norm(self, x: int, layer: str, epsilon: float) -> int:
        """A layer norm."""
        weight, bias = self._floats(f"{layer}.weight"), self._floats(f"{layer}.bias")
        return self._add("layer_norm", x=x, weight=weight, bias=bias, epsilon=epsilon)

    def concatenate(self, *x: int) -> int:
        """Values side by side, in floats."""
        return self._add("concatenate", x=list(x))

    def bilstm(self, x: int, forwards: str, backwards: str) -> int:
        """The maximum over a text of the states of an LSTM, and of one that reads backwards."""
        for layer in (forwards, backwards):
            for name in ("weight_ih_l0", "weight_hh_l0"):
                self._matrix(f"{layer}.{name}", x)
            for name in ("bias_ih_l0", "bias_hh_l0"):
                self._floats(f"{layer}.{name}")
        return self._add("bilstm", x=x, forwards=forwards, backwards=backwards)

    def attend(self, x: int, heads: int, rounds: int) -> int:
        """Dynamic self-attentions, each over its part of the columns."""
        return self._add("attend", x=x, heads=heads, rounds=rounds)

    def quantize(self, x: int) -> int:
        """An activation in 8-bit integers, if there are calibration ranges: in the order of the ONNX graph's."""
        number = self.n_activations
        self.n_activations += 1
        if self._ranges is None:
            return x
        low, high = self._ranges[number].tolist()
        name = f"activation.{number}.quantization"
        self.tensors[name] = np.array(range_quantization(low, high), np.float32)
        return self._add("quantize", x=x, quantization=name, is_integer=True)

    def table(self, name: str, rows: Tensor | None = None) -> str:
        """A table of vectors, in a plan of integers in 8 bits.

        :param rows: where the model has no weight of that name.
        :return: its name.
        """
        self.has_own_weights |= rows is not None
        numbers = _to_numpy(self._weights[name] if rows is None else rows)
        if self._ranges is None:
            self.tensors[name] = numbers
        else:
            self.tensors[name], *quantization = quantize_table(numbers)
            self.tensors[f"{name}.quantization"] = np.array(quantization, np.float32)
        return name

    def _floats(self, name: str) -> str:
        self.tensors[name] = _to_numpy(self._weights[name])
        return name

    def _matrix(self, name: str, x: int) -> str:
        """A layer's weights, in integers where the value that they are multiplied with is."""
        if x not in self._integer_values:
            return self._floats(name)
        weight = _to_numpy(self._weights[name])  # [n, ...]
        integers, scales = quantize_weights(weight.reshape(len(weight), -1).T)
        self.tensors[name] = np.ascontiguousarray(integers.T).reshape(weight.shape)
        self.tensors[f"{name}.scale"] = scales
        return name


def _to_numpy(weight: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = weight.detach().float().cpu().numpy()
    return array
