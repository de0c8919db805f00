"""A student as an ONNX graph, written node by node: in 32-bit floats or, once calibrated, in 8-bit integers.

Owns how words are looked up, layers applied and numbers stored; a student's :meth:`~StudentModel.to_onnx` says which.
All texts of a batch have one length, so that the graph needs no mask and nothing is padded: half of its nodes less
than torch's exporter writes, and every text has the same logits whatever stands beside it.
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

IDS, LOGITS = "input_ids", "logits"
_OPSET = 18
# Weights have 7 bits: on a processor without VNNI the products of two neighbours are added in 16 bits, and with
# 8-bit weights that overflows. So every processor gives the same answer.
_WEIGHT_LIMIT = 64
_ZERO = 128  # of a word table in unsigned 8-bit integers


@dataclass(frozen=True)
class Value:
    """What goes into a matrix product: floats, or unsigned 8-bit integers for ``scale * (integer - zero)``."""

    name: str
    scale: float = 0.0
    zero: int = 0

    @property
    def is_float(self) -> bool:
        """Whether it is floats."""
        return self.scale == 0


class OnnxGraph:
    """One student's graph under construction.

    :param ranges: the smallest and the largest number of each quantized value, in order, ``[quantized, 2]``; then the
        graph computes in integers. None: in floats.
    :ivar quantized: the values that were quantized, in order: what is to be measured for ``ranges``.
    """

    def __init__(self, ranges: NDArray[np.float32] | None = None) -> None:
        self.quantized: list[str] = []
        self._ranges = ranges
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, NDArray[Any]] = {}
        self._tables: dict[int, str] = {}
        self._starts = ""
        self._batch: int | str = "batch"

    def node(self, op: str, *inputs: str | NDArray[Any], domain: str = "", **attributes: Any) -> str:
        """Add a node with one output.

        :param inputs: names, or arrays that become constants.
        :return: the output's name.
        """
        from onnx import helper

        names = [given if isinstance(given, str) else self._constant(given) for given in inputs]
        output = f"{op}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, names, [output], output, domain=domain, **attributes))
        return output

    def _constant(self, array: NDArray[Any]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants[name] = array
        return name

    def gather(self, table: Tensor, ids: str) -> Value:
        """Rows of a table.

        :param table: float ``[rows, width]``.
        :param ids: of any shape.
        :return: of the shape of ``ids`` and the width.
        """
        rows = to_numpy(table)
        if self._ranges is None:
            return Value(self.node("Gather", self._table(table, rows), ids))
        scale = float(np.abs(rows).max()) / (_ZERO - 1) or 1.0
        integers = (np.round(rows / scale) + _ZERO).astype(np.uint8)
        return Value(self.node("Gather", self._table(table, integers), ids), scale, _ZERO)

    def _table(self, table: Tensor, rows: NDArray[Any]) -> str:
        """A table's constant, stored once however often it is read."""
        key = table.data_ptr()
        if key not in self._tables:
            self._tables[key] = self._constant(rows)
        return self._tables[key]

    def dequantize(self, x: Value) -> str:
        """An operand in floats."""
        if x.is_float:
            return x.name
        return self.node("DequantizeLinear", x.name, np.array(x.scale, np.float32), np.array(x.zero, np.uint8))

    def quantize(self, x: str) -> Value:
        """Make floats ready for a large matrix product. A small one takes them as they are: packing costs more."""
        self.quantized.append(x)
        if self._ranges is None:
            return Value(x)
        low, high = self._ranges[len(self.quantized) - 1].tolist()
        scale = (max(high, 0.0) - min(low, 0.0)) / 255 or 1.0
        zero = round(-min(low, 0.0) / scale)
        quantized = self.node("QuantizeLinear", x, np.array(scale, np.float32), np.array(zero, np.uint8))
        return Value(quantized, scale, zero)

    def linear(self, x: Value | str, weight: Tensor, bias: Tensor) -> str:
        """A matrix product and a bias.

        :param x: ``[..., n]``.
        :param weight: ``[m, n]`` of a linear layer, or ``[m, channels, size]`` of a convolution over windows.
        :return: floats ``[..., m]``.
        """
        matrix = np.ascontiguousarray(to_numpy(weight).T.reshape(-1, len(weight)))
        offset = to_numpy(bias)
        if isinstance(x, str) or x.is_float:
            product = self.node("MatMul", x if isinstance(x, str) else x.name, matrix)
            return self.node("Add", product, offset)
        integers, scales = _to_int8(matrix)
        return self.node(
            "MatMulIntegerToFloat",
            x.name,
            integers,
            np.array(x.scale, np.float32),
            scales,
            np.array(x.zero, np.uint8),
            np.zeros(len(scales), np.int8),
            offset,
            domain="com.microsoft",
        )

    def bidirectional(self, x: Value, forwards: nn.LSTM, backwards: nn.LSTM) -> str:
        """An LSTM that reads the words and one that reads them backwards.

        In integers the ranges of its states are found anew at every word: then a batch has a single text, so that
        none depends on another.

        :param x: ``[length, batch, channels]``.
        :return: the states at each word, floats ``[length, 2, batch, hidden size]``.
        """
        inputs, states, first, second = (
            np.stack([_gates(lstm, f"{name}_l0") for lstm in (forwards, backwards)])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        offsets = np.concatenate([first, second], axis=1)
        sizes: dict[str, Any] = {"hidden_size": forwards.hidden_size, "direction": "bidirectional"}
        if self._ranges is None:
            return self.node("LSTM", self.dequantize(x), inputs, states, offsets, **sizes)
        self._batch = 1
        parts: list[str | NDArray[Any]] = []
        for weights in (inputs, states):
            integers, scales = zip(*map(_to_int8, weights.transpose(0, 2, 1)), strict=True)
            parts += [np.stack(integers), np.stack(scales), np.zeros_like(scales, dtype=np.int8)]
        (into, *of_into), (onto, *of_onto) = parts[:3], parts[3:]
        unused = [""] * 4  # lengths, first states, peepholes
        return self.node(
            "DynamicQuantizeLSTM",
            self.dequantize(x),
            into,
            onto,
            offsets,
            *unused,
            *of_into,
            *of_onto,
            domain="com.microsoft",
            **sizes,
        )

    def pad(self, x: Value, before: int, after: int) -> Value:
        """Words of zeros around each text, for :meth:`convolution`.

        :param x: ``[batch, length, channels]``.
        """
        if not before + after:
            return x
        padding = np.array(0, np.float32) if x.is_float else np.array(x.zero, np.uint8)
        padded = self.node("Pad", x.name, np.array([0, before, 0, 0, after, 0]), padding)
        return Value(padded, x.scale, x.zero)

    def convolution(self, padded: Value, layer: nn.Conv1d) -> str:
        """A convolution: the matrix product of each window's words, end to end.

        :param padded: ``[batch, length + size - 1 or more, channels]``.
        :return: floats ``[batch, length, filters]``.
        """
        assert layer.bias is not None
        (size,) = layer.kernel_size
        if size == 1:
            return self.linear(padded, layer.weight, layer.bias)
        windows = self.node("Gather", padded.name, self._places(size), axis=1)  # [batch, length, size, channels]
        flat = self.node("Reshape", windows, np.array([0, 0, size * layer.in_channels]))
        return self.linear(Value(flat, padded.scale, padded.zero), layer.weight, layer.bias)

    def windows(self, size: int) -> str:
        """Each token of the input and those that follow it; past the end padding.

        :return: ids ``[batch, length, size]``.
        """
        padded = self.node("Pad", IDS, np.array([0, 0, 0, size - 1]), np.array(0))
        return self.node("Gather", padded, self._places(size), axis=1)

    def _places(self, size: int) -> str:
        """Which words are in each window, ``[length, size]``."""
        if not self._starts:
            length = self.node("Squeeze", self.node("Shape", IDS, start=1))
            starts = self.node("Range", np.array(0), length, np.array(1))
            self._starts = self.node("Unsqueeze", starts, np.array([1]))
        return self.node("Add", self._starts, np.arange(size))

    def norm(self, x: str, layer: nn.LayerNorm) -> str:
        """A layer norm over the last axis."""
        return self.node("LayerNormalization", x, to_numpy(layer.weight), to_numpy(layer.bias), epsilon=layer.eps)

    def save(self, path: Path, logits: str, extra: Sequence[str] = ()) -> None:
        """Write the file.

        :param logits: what becomes its output.
        :param extra: more outputs, such as :attr:`quantized`.
        """
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        nodes = [*self._nodes, helper.make_node("Identity", [logits], [LOGITS])]
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (LOGITS, *dict.fromkeys(extra))
        ]
        ids = helper.make_tensor_value_info(IDS, TensorProto.INT64, [self._batch, "length"])
        constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in self._constants.items()]
        graph = helper.make_graph(nodes, "student", [ids], outputs, constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.microsoft", 1)]
        with atomic_file(path) as partial:
            onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), partial)


def to_numpy(weight: Tensor) -> NDArray[np.float32]:
    """A weight as an array."""
    array: NDArray[np.float32] = weight.detach().float().cpu().numpy()
    return array


def _to_int8(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A matrix ``[n, m]`` as integers and the scale of each of its columns."""
    scales = np.maximum(np.abs(matrix).max(axis=0), np.finfo(np.float32).tiny) / _WEIGHT_LIMIT
    return np.round(matrix / scales).astype(np.int8), scales.astype(np.float32)


def _gates(lstm: nn.LSTM, name: str) -> NDArray[np.float32]:
    """A weight of torch's LSTM in ONNX's order of the gates."""
    given, forget, cell, out = np.split(to_numpy(lstm.get_parameter(name)), 4)
    return np.concatenate([given, out, forget, cell])
