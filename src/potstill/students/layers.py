"""Layers that several students have."""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from potstill.students.core_plan import CorePlan
from potstill.students.onnx_graph import OnnxGraph, Value


def convolve(x: Tensor, convolution: nn.Conv1d, left: int) -> Tensor:
    """A convolution over words that gives each word one output.

    :param x: ``[batch, length, channels]``.
    :param left: how many words of a window are before its word; past the ends of the text a window sees zeros.
    :return: ``[batch, length, filters]``.
    """
    x = functional.pad(x, (0, 0, left, convolution.kernel_size[0] - 1 - left))
    # conv2d over one row: its channels-last form is [batch, length, channels], so that nothing is rearranged in memory.
    # conv1d, which has no such form, takes up to twice as long.
    row = x.transpose(1, 2).unsqueeze(2)  # [batch, channels, 1, padded length]
    outputs = functional.conv2d(row, convolution.weight.unsqueeze(2), convolution.bias)
    return outputs.squeeze(2).transpose(1, 2)


class MaxOverTime(nn.Module):
    """Filters of several widths over the words, and the maximum of each over the text (Kim 2014).

    :param channels: of the words.
    :param num_filters: of each width.
    :param kernel_sizes: the widths in words.
    """

    def __init__(self, channels: int, num_filters: int, kernel_sizes: list[int]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv1d(channels, num_filters, size) for size in kernel_sizes)
        self.width = num_filters * len(kernel_sizes)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Every word begins one window of each width, so that a text may be shorter than a window.

        A window that begins at padding never wins the maximum: no logit depends on padding.

        :param x: ``[batch, length, channels]``, zero where the mask is.
        :param mask: ``[batch, length]``.
        :return: ``[batch, width]``.
        """
        padding = (mask == 0).unsqueeze(-1)  # [batch, length, 1]
        pooled = []
        for convolution in _convolutions(self.convolutions):
            outputs = convolve(x, convolution, left=0)  # [batch, length, num_filters]
            pooled.append(outputs.masked_fill(padding, float("-inf")).amax(dim=1))
        return functional.relu(torch.cat(pooled, dim=1))

    def to_onnx(self, graph: OnnxGraph, x: Value) -> str:
        """The same in an ONNX graph."""
        convolutions = _convolutions(self.convolutions)
        padded = graph.pad(x, 0, max(convolution.kernel_size[0] for convolution in convolutions) - 1)
        inputs = [padded if convolution.kernel_size[0] > 1 else x for convolution in convolutions]
        outputs = [graph.convolution(*pair) for pair in zip(inputs, convolutions, strict=True)]
        pooled = [graph.node("ReduceMax", output, np.array([1]), keepdims=0) for output in outputs]
        return graph.node("Relu", graph.node("Concat", *pooled, axis=1))

    def to_plan(self, plan: CorePlan, x: int, name: str) -> int:
        """The same in a plan.

        :param name: this module's in the student.
        """
        return plan.max_over_time(x, [f"{name}.convolutions.{i}" for i in range(len(self.convolutions))])


class DenseNet(nn.Module):
    """Parallel stacks of convolutions, each layer over all those before it (Huang et al. 2017,
    https://arxiv.org/abs/1608.06993, on words as in https://arxiv.org/abs/1808.07383).

    :param channels: of the words.
    :param kernels: ``[depth][width]`` window sizes in words, odd.
    :param first_filters: of each stack's first layer.
    :param filters: of each stack's other layers.
    :param last_filters: of the layer that joins the words and the stacks.
    :param slope: of the activation below zero: 0 is ReLU.
    """

    def __init__(
        self,
        channels: int,
        kernels: list[list[int]],
        *,
        first_filters: int,
        filters: int,
        last_filters: int,
        slope: float = 0.0,
    ) -> None:
        super().__init__()
        widths = [channels, *(first_filters + filters * depth for depth in range(len(kernels)))]
        outputs = [b - a for a, b in pairwise([0, *widths[1:]])]  # of each layer
        self.stacks = nn.ModuleList(
            nn.ModuleList(nn.Conv1d(i, o, size) for i, o, size in zip(widths, outputs, sizes, strict=False))
            for sizes in zip(*kernels, strict=True)
        )
        self.last = nn.Linear(channels + outputs[-1] * len(self.stacks), last_filters)
        self._slope = slope

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Words with the words around them.

        :param x: ``[batch, length, channels]``, zero where the mask is.
        :param mask: ``[batch, length]``.
        :return: ``[batch, length, last_filters]``.
        """
        words = mask.unsqueeze(-1)  # [batch, length, 1]
        merged = [x]
        for stack in self.stacks:
            layers = [x]
            for convolution in _convolutions(stack):
                inputs = x if len(layers) == 1 else torch.cat(layers[1:], dim=2)
                outputs = convolve(inputs, convolution, left=(convolution.kernel_size[0] - 1) // 2)
                layers.append(functional.leaky_relu(outputs, self._slope) * words)
            merged.append(layers[-1])
        return functional.relu(self.last(torch.cat(merged, dim=2)))

    def to_onnx(self, graph: OnnxGraph, x: Value) -> str:
        """The same in an ONNX graph."""
        merged = [graph.dequantize(x)]
        for stack in self.stacks:
            layers: list[str] = []
            for convolution in _convolutions(stack):
                inputs = x if not layers else graph.quantize(graph.node("Concat", *layers, axis=2))
                reach = (convolution.kernel_size[0] - 1) // 2
                outputs = graph.convolution(graph.pad(inputs, reach, reach), convolution)
                layers.append(graph.node("LeakyRelu", outputs, alpha=self._slope))
            merged.append(layers[-1])
        joined = graph.quantize(graph.node("Concat", *merged, axis=2))
        return graph.node("Relu", graph.linear(joined, self.last.weight, self.last.bias))

    def to_plan(self, plan: CorePlan, x: int, name: str) -> int:
        """The same in a plan.

        :param name: this module's in the student.
        """
        merged = [x]
        for i, stack in enumerate(self.stacks):
            layers: list[int] = []
            for j, convolution in enumerate(_convolutions(stack)):
                inputs = x if not layers else plan.quantize(plan.concatenate(*layers))
                left = (convolution.kernel_size[0] - 1) // 2
                layers.append(plan.linear(inputs, f"{name}.stacks.{i}.{j}", slope=self._slope, left=left))
            merged.append(layers[-1])
        return plan.linear(plan.quantize(plan.concatenate(*merged)), f"{name}.last", slope=0.0)


def _convolutions(modules: nn.Module) -> list[nn.Conv1d]:
    """The convolutions of a ModuleList, whose elements have no type."""
    return [module for module in modules.children() if isinstance(module, nn.Conv1d)]
