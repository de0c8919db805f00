"""DenseNet-DSA: Dynamic Self-Attention: Computing Attention over Words Dynamically for Sentence Embedding
(Yoon et al. 2018), https://arxiv.org/abs/1808.07383."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from potstill.students.base import StudentConfig, StudentModel
from potstill.students.core_plan import CorePlan
from potstill.students.layers import DenseNet
from potstill.students.onnx_graph import OnnxGraph

_SLOPE = 0.01  # of the activation below zero


class DenseNetDSAConfig(StudentConfig):
    """The DenseNet-DSA of the recipe.

    :param densenet_kernels: ``[depth][width]``, words that a filter of the DenseNet sees; odd.
    :param densenet_first_num_filters: of its first layers.
    :param densenet_num_filters: of its other layers.
    :param densenet_last_num_filters: of its output for each word.
    :param dsa_num_attentions: attentions over the words.
    :param dsa_dim: width of each attention.
    :param dsa_r: rounds in which each refines its weights; at least 1.
    :param fc_hidden_size: width of the layer before the logits.
    """

    model_type = "potstill-densenet-dsa"

    def __init__(
        self,
        densenet_kernels: list[list[int]] | None = None,
        densenet_first_num_filters: int = 200,
        densenet_num_filters: int = 100,
        densenet_last_num_filters: int = 400,
        dsa_num_attentions: int = 8,
        dsa_dim: int = 300,
        dsa_r: int = 2,
        fc_hidden_size: int = 256,
        dropout: float = 0.3,
        **kwargs: Any,
    ) -> None:
        self.densenet_kernels = densenet_kernels or [[1, 1], [3, 3], [5, 5], [7, 7], [9, 9]]
        self.densenet_first_num_filters = densenet_first_num_filters
        self.densenet_num_filters = densenet_num_filters
        self.densenet_last_num_filters = densenet_last_num_filters
        self.dsa_num_attentions = dsa_num_attentions
        self.dsa_dim = dsa_dim
        self.dsa_r = dsa_r
        self.fc_hidden_size = fc_hidden_size
        super().__init__(dropout=dropout, **kwargs)


class DenseNetDSAForSequenceClassification(StudentModel):
    """A DenseNet over the words, several dynamic self-attentions over its output, two linear layers."""

    config_class = DenseNetDSAConfig

    def __init__(self, config: DenseNetDSAConfig) -> None:
        super().__init__(config)
        attended = config.dsa_num_attentions * config.dsa_dim
        self.densenet = DenseNet(
            config.embedding_width,
            config.densenet_kernels,
            first_filters=config.densenet_first_num_filters,
            filters=config.densenet_num_filters,
            last_filters=config.densenet_last_num_filters,
            slope=_SLOPE,
        )
        self.norm_densenet = nn.LayerNorm(config.densenet_last_num_filters)
        self.attentions = nn.Linear(config.densenet_last_num_filters, attended)
        width = self.head_width(attended)
        self.norm_attentions = nn.LayerNorm(width)
        self.hidden = nn.Linear(width, config.fc_hidden_size)
        self.norm_hidden = nn.LayerNorm(config.fc_hidden_size)
        self.output = nn.Linear(config.fc_hidden_size, int(config.num_labels or 0))
        self.post_init()

    def pool(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """The vector of each text: see the base class."""
        x = self.dropout(self.norm_densenet(self.densenet(embedded, mask)))  # [batch, length, last_num_filters]
        return self._attend(x, mask)

    def head(self, pooled: Tensor) -> Tensor:
        """Logits of vectors: see the base class."""
        x = self.dropout(self.norm_attentions(pooled))
        x = self.dropout(self.norm_hidden(self.hidden(x)))  # [batch, fc_hidden_size]
        logits: Tensor = self.output(x)  # [batch, n_labels]
        return logits

    def _attend(self, x: Tensor, mask: Tensor) -> Tensor:
        """Each attention's weights start equal; each round adds to a word's score its product with the weighted sum.

        :return: ``[batch, dsa_num_attentions * dsa_dim]``.
        """
        x = functional.leaky_relu(self.attentions(x), _SLOPE)
        x = x.unflatten(2, (self.config.dsa_num_attentions, self.config.dsa_dim)).transpose(1, 2)
        # x: [batch, attentions, length, dsa_dim]
        scores = torch.zeros_like(mask).masked_fill(mask == 0, float("-inf")).unsqueeze(1)  # [batch, 1, length]
        for _ in range(self.config.dsa_r):
            weights = torch.softmax(scores, dim=2).expand(-1, x.shape[1], -1)  # [batch, attentions, length]
            summed = torch.tanh((weights.unsqueeze(2) @ x).squeeze(2))  # [batch, attentions, dsa_dim]
            scores = scores + (x @ summed.unsqueeze(3)).squeeze(3)
        return summed.flatten(1)

    def pool_to_onnx(self, graph: OnnxGraph) -> str:
        """In its ONNX graph: see the base class."""
        words = graph.gather(self.embedding.weight, graph.ids)
        return self._attend_to_onnx(graph, graph.layer_norm(self.densenet.to_onnx(graph, words), self.norm_densenet))

    def head_to_onnx(self, graph: OnnxGraph, pooled: str) -> str:
        """In its ONNX graph: see the base class."""
        x = graph.layer_norm(pooled, self.norm_attentions)
        x = graph.layer_norm(graph.linear(graph.quantize(x), self.hidden.weight, self.hidden.bias), self.norm_hidden)
        return graph.linear(x, self.output.weight, self.output.bias)

    def _attend_to_onnx(self, graph: OnnxGraph, x: str) -> str:
        """Without padding the first round's weights are equal: its weighted sum is the mean."""
        shape = np.array([0, 0, self.config.dsa_num_attentions, self.config.dsa_dim])
        x = graph.linear(graph.quantize(x), self.attentions.weight, self.attentions.bias)
        x = graph.node("Reshape", graph.node("LeakyRelu", x, alpha=_SLOPE), shape)
        x = graph.node("Transpose", x, perm=[0, 2, 1, 3])  # [batch, attentions, length, dsa_dim]
        transposed = graph.node("Transpose", x, perm=[0, 1, 3, 2])
        summed = graph.node("Tanh", graph.node("ReduceMean", x, np.array([2])))  # [batch, attentions, 1, dsa_dim]
        scores = ""
        for _ in range(1, self.config.dsa_r):
            products = graph.node("MatMul", summed, transposed)  # [batch, attentions, 1, length]
            scores = graph.node("Add", scores, products) if scores else products
            summed = graph.node("Tanh", graph.node("MatMul", graph.node("Softmax", scores), x))
        return graph.node("Flatten", summed)

    def pool_to_plan(self, plan: CorePlan) -> int:
        """For the core: see the base class."""
        x = self.densenet.to_plan(plan, plan.words("embedding.weight"), "densenet")
        x = plan.layer_norm(x, "norm_densenet", self.norm_densenet.eps)
        x = plan.linear(plan.quantize(x), "attentions", slope=_SLOPE)
        return plan.attend(x, self.config.dsa_num_attentions, self.config.dsa_r)

    def head_to_plan(self, plan: CorePlan, pooled: int) -> None:
        """For the core: see the base class."""
        x = plan.layer_norm(pooled, "norm_attentions", self.norm_attentions.eps)
        x = plan.linear(plan.quantize(x), "hidden")
        plan.linear(plan.layer_norm(x, "norm_hidden", self.norm_hidden.eps), "output")
