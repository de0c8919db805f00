"""A student as an ONNX graph, written node by node: in 32-bit floats or, with calibration ranges, in 8-bit integers.

Owns how tables are read, layers applied and weights stored; which ones a student has, its
:meth:`~potstill.students.base.StudentModel.to_onnx` says. A graph takes batches of texts of one length. So it needs no
mask and no padding: it has half the nodes of what torch's exporter writes, each of which costs a microsecond, and no
text's logits depend on the other texts of its batch. For a text alone, the usual case, that costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from potstill.artifacts import atomic_file

if TYPE_CHECKING:
    import onnx

IDS, PAIR_IDS, LOGITS = "input_ids", "pair_input_ids", "logits"
_OPSET = 18  # the first in which ReduceMax and ReduceMean take their axes as an input
_MICROSOFT = "com.microsoft"  # the domain of ONNX Runtime's own operators
# Weights have 7 bits: on a processor without VNNI the products of two neighbours are added in 16 bits, and with
# 8-bit weights that overflows. So every processor gives the same logits.
_WEIGHT_LIMIT = 64
_TABLE_ZERO_POINT = 128  # of an embedding table in unsigned 8-bit integers


@dataclass(frozen=True)
class Value:
    """A value of the graph: floats, or unsigned 8-bit integers for ``scale * (integer - zero_point)``."""

    name: str
    scale: float = 0.0
    zero_point: int = 0

    @property
    def is_float(self) -> bool:
        """Whether it is floats."""
        return self.scale == 0


class OnnxGraph:
    """One student's graph under construction.

    :param ranges: the calibration ranges: the smallest and the largest number of each activation, in the order of
        :attr:`activations`, ``[n_activations, 2]``; then the graph computes in integers. None: in floats.
    :ivar ids: the input whose texts are read: the first ones, or after :meth:`read_second` those of pairs.
    :ivar kept: tables that are made for the graph, by name, so that both texts of a pair are read from one.
    :ivar activations: the names of the values given to :meth:`quantize`, in order.
    """

    def __init__(self, ranges: NDArray[np.float32] | None = None) -> None:
        self.activations: list[str] = []
        self._ranges = ranges
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, NDArray[Any]] = {}
        self._tables: dict[int, str] = {}
        self.ids = IDS
        self.kept: dict[str, Tensor] = {}
        self._positions = ""
        self._batch: int | str = "batch"

    def read_second(self) -> None:
        """Go on with the second texts of pairs."""
        self.ids, self._positions = PAIR_IDS, ""

    def combine(self, first: str, second: str) -> str:
        """The vectors of two texts as one, see :func:`potstill.students.base.combine`."""
        distance = self.node("Abs", self.node("Sub", first, second))
        return self.node("Concat", first, second, distance, self.node("Mul", first, second), axis=1)

    def node(self, op: str, *inputs: str | NDArray[Any], domain: str = "", **attributes: Any) -> str:
        """Add a node with one output.

        :param inputs: names, or arrays that become constants.
        :return: the output's name.
        """
        from onnx import helper

        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        output = f"{op}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, names, [output], output, domain=domain, **attributes))
        return output

    def _constant(self, array: NDArray[Any]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants[name] = array
        return name

    def gather(self, table: Tensor, ids: str) -> Value:
        """Rows of an embedding table. Its integers go into the next matrix product as they are.

        :param table: float ``[n_rows, width]``.
        :param ids: of any shape.
        :return: of the shape of ``ids`` and the width.
        """
        rows = _to_numpy(table)
        if self._ranges is None:
            return Value(self.node("Gather", self._table(table, rows), ids))
        integers, scale, zero_point = quantize_table(rows)
        return Value(self.node("Gather", self._table(table, integers), ids), scale, zero_point)

    def _table(self, table: Tensor, rows: NDArray[Any]) -> str:
        """A table's constant, stored once however often it is read."""
        key = table.data_ptr()
        if key not in self._tables:
            self._tables[key] = self._constant(rows)
        return self._tables[key]

    def quantize(self, x: str) -> Value:
        """An activation in 8-bit integers, if the graph has calibration ranges.

        For the input of a large matrix product: of a small one it costs more than it saves.
        """
        self.activations.append(x)
        if self._ranges is None:
            return Value(x)
        low, high = self._ranges[len(self.activations) - 1].tolist()
        scale, zero_point = range_quantization(low, high)
        integers = self.node("QuantizeLinear", x, np.array(scale, np.float32), np.array(zero_point, np.uint8))
        return Value(integers, scale, zero_point)

    def dequantize(self, x: Value) -> str:
        """A value in floats."""
        if x.is_float:
            return x.name
        return self.node("DequantizeLinear", x.name, np.array(x.scale, np.float32), np.array(x.zero_point, np.uint8))

    def linear(self, x: Value | str, weight: Tensor, bias: Tensor) -> str:
        """A matrix product and a bias.

        :param x: ``[..., n]``.
        :param weight: ``[m, n]`` of a linear layer, or ``[m, channels, size]`` of a convolution over windows.
        :return: floats ``[..., m]``.
        """
        matrix = np.ascontiguousarray(_to_numpy(weight).T.reshape(-1, len(weight)))
        offset = _to_numpy(bias)
        if isinstance(x, str) or x.is_float:
            product = self.node("MatMul", x if isinstance(x, str) else x.name, matrix)
            return self.node("Add", product, offset)
        integers, scales = quantize_weights(matrix)
        # Written as one node: ONNX Runtime does not make it of MatMulInteger, Cast, Mul and Add.
        return self.node(
            "MatMulIntegerToFloat",
            x.name,
            integers,
            np.array(x.scale, np.float32),
            scales,
            np.array(x.zero_point, np.uint8),
            np.zeros(len(scales), np.int8),
            offset,
            domain=_MICROSOFT,
        )

    def bidirectional_lstm(self, x: Value, forwards: nn.LSTM, backwards: nn.LSTM) -> str:
        """An LSTM that reads the words and one that reads them backwards.

        :param x: ``[length, batch, channels]``.
        :return: the states at each word, floats ``[length, 2, batch, hidden_size]``.
        """
        inputs, states, input_bias, state_bias = (
            np.stack([_reorder_gates(lstm, f"{name}_l0") for lstm in (forwards, backwards)])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        biases = np.concatenate([input_bias, state_bias], axis=1)
        attributes: dict[str, Any] = {"hidden_size": forwards.hidden_size, "direction": "bidirectional"}
        if self._ranges is None:
            return self.node("LSTM", self.dequantize(x), inputs, states, biases, **attributes)
        return self._quantized_lstm(self.dequantize(x), inputs, states, biases, **attributes)

    def _quantized_lstm(
        self,
        x: str,
        inputs: NDArray[np.float32],
        states: NDArray[np.float32],
        biases: NDArray[np.float32],
        **attributes: Any,
    ) -> str:
        """The same with 8-bit weights, 1.8 times as fast (104 microseconds for 187)."""
        # The ranges of its states cannot be calibrated: the operator finds them at every word, over the whole batch.
        # With a single text in a batch no text's logits depend on another.
        self._batch = 1
        input_integers, *input_scales = _quantize_lstm_weights(inputs)
        state_integers, *state_scales = _quantize_lstm_weights(states)
        unused = [""] * 4  # lengths, first states, first cells, peepholes
        return self.node(
            "DynamicQuantizeLSTM",
            x,
            input_integers,
            state_integers,
            biases,
            *unused,
            *input_scales,
            *state_scales,
            domain=_MICROSOFT,
            **attributes,
        )

    def pad(self, x: Value, before: int, after: int) -> Value:
        """Words of zeros around each text, for :meth:`convolution`.

        :param x: ``[batch, length, channels]``.
        """
        if not before + after:
            return x
        zero = np.array(0, np.float32) if x.is_float else np.array(x.zero_point, np.uint8)
        padded = self.node("Pad", x.name, np.array([0, before, 0, 0, after, 0]), zero)
        return Value(padded, x.scale, x.zero_point)

    def convolution(self, padded: Value, layer: nn.Conv1d) -> str:
        """A convolution: the matrix product of each window's words, concatenated.

        :param padded: ``[batch, length + size - 1 or more, channels]``.
        :return: floats ``[batch, length, filters]``.
        """
        assert layer.bias is not None
        (size,) = layer.kernel_size
        if size == 1:
            return self.linear(padded, layer.weight, layer.bias)
        # ONNX Runtime's fast 8-bit kernels are those of matrix products. Windows by Slice and Concat took the int8 cnn
        # 93 to 102 microseconds, by one Gather 97; 80 with integers before the windows and one padding for all sizes.
        # A word's products are not computed ahead: 5,120 numbers (133 MB for 26,000 words) would save half of these 80.
        windows = self.node("Gather", padded.name, self._window_positions(size), axis=1)
        # windows: [batch, length, size, channels]
        flat = self.node("Reshape", windows, np.array([0, 0, size * layer.in_channels]))
        return self.linear(Value(flat, padded.scale, padded.zero_point), layer.weight, layer.bias)

    def token_windows(self, size: int) -> str:
        """Each token of the input and those that follow it; past the end padding.

        :return: ids ``[batch, length, size]``.
        """
        padded = self.node("Pad", self.ids, np.array([0, 0, 0, size - 1]), np.array(0))
        return self.node("Gather", padded, self._window_positions(size), axis=1)

    def _window_positions(self, size: int) -> str:
        """The positions of each window's tokens, ``[length, size]``: every token begins one window."""
        if not self._positions:
            length = self.node("Squeeze", self.node("Shape", self.ids, start=1))
            positions = self.node("Range", np.array(0), length, np.array(1))
            self._positions = self.node("Unsqueeze", positions, np.array([1]))
        return self.node("Add", self._positions, np.arange(size))

    def layer_norm(self, x: str, layer: nn.LayerNorm) -> str:
        """A layer norm over the last axis."""
        return self.node("LayerNormalization", x, _to_numpy(layer.weight), _to_numpy(layer.bias), epsilon=layer.eps)

    def save(self, path: Path, logits: str, more_outputs: Sequence[str] = ()) -> None:
        """Write the file.

        :param logits: the name of the value that becomes its output.
        :param more_outputs: names of further outputs, such as :attr:`activations`.
        """
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        nodes = [*self._nodes, helper.make_node("Identity", [logits], [LOGITS])]
        names = (LOGITS, *dict.fromkeys(more_outputs))
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
        lengths = {IDS: "length"} if self.ids == IDS else {IDS: "length", PAIR_IDS: "pair_length"}
        ids = [
            helper.make_tensor_value_info(name, TensorProto.INT64, [self._batch, length])
            for name, length in lengths.items()
        ]
        constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in self._constants.items()]
        graph = helper.make_graph(nodes, "student", ids, outputs, constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)]
        with atomic_file(path) as partial:
            # onnx itself writes its newest IR version, which the ONNX Runtime that is installed may not read yet.
            onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), partial)


def _to_numpy(weight: Tensor) -> NDArray[np.float32]:
    """A weight as an array."""
    array: NDArray[np.float32] = weight.detach().float().cpu().numpy()
    return array


def quantize_table(rows: NDArray[np.float32]) -> tuple[NDArray[np.uint8], float, int]:
    """A table in unsigned 8-bit integers, their scale and their zero point."""
    scale = float(np.abs(rows).max()) / (_TABLE_ZERO_POINT - 1) or 1.0
    return (np.round(rows / scale) + _TABLE_ZERO_POINT).astype(np.uint8), scale, _TABLE_ZERO_POINT


def range_quantization(low: float, high: float) -> tuple[float, int]:
    """The scale and the zero point of unsigned 8-bit integers for numbers from ``low`` to ``high``, and 0."""
    scale = (max(high, 0.0) - min(low, 0.0)) / 255 or 1.0
    return scale, round(-min(low, 0.0) / scale)


def quantize_weights(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A matrix ``[n, m]`` as integers, and the scale of each of its columns, ``[m]``."""
    scales = np.maximum(np.abs(matrix).max(axis=0), np.finfo(np.float32).tiny) / _WEIGHT_LIMIT
    return np.round(matrix / scales).astype(np.int8), scales.astype(np.float32)


def _quantize_lstm_weights(weights: NDArray[np.float32]) -> list[NDArray[Any]]:
    """Both directions' weights ``[2, 4 * hidden_size, n]`` as integers, transposed; their scales; their zero points."""
    integers, scales = zip(*map(quantize_weights, weights.transpose(0, 2, 1)), strict=True)
    return [np.stack(integers), np.stack(scales), np.zeros_like(scales, dtype=np.int8)]


def _reorder_gates(lstm: nn.LSTM, name: str) -> NDArray[np.float32]:
    """A weight of torch's LSTM in ONNX's order of the gates."""
    input_gate, forget, cell, output = np.split(_to_numpy(lstm.get_parameter(name)), 4)
    return np.concatenate([input_gate, output, forget, cell])
