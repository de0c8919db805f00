"""CNN: Convolutional Neural Networks for Sentence Classification (Kim 2014), https://arxiv.org/abs/1408.5882."""

from typing import Any

from torch import Tensor, nn

from potstill.students.base import StudentConfig, StudentModel
from potstill.students.core_plan import CorePlan
from potstill.students.layers import MaxOverTime
from potstill.students.onnx_graph import OnnxGraph


class CNNConfig(StudentConfig):
    """The CNN of the recipe.

    :param num_filters: of each kernel size.
    :param kernel_sizes: words a filter sees.
    :param fc_hidden_size: width of the layer before the logits.
    """

    model_type = "potstill-cnn"

    def __init__(
        self,
        num_filters: int = 256,
        kernel_sizes: tuple[int, ...] | list[int] = (2, 3, 4, 5, 6),
        fc_hidden_size: int = 256,
        **kwargs: Any,
    ) -> None:
        self.num_filters = num_filters
        self.kernel_sizes = list(kernel_sizes)
        self.fc_hidden_size = fc_hidden_size
        super().__init__(**kwargs)


class CNNForSequenceClassification(StudentModel):
    """Filters of several widths over the words, the maximum of each over the text, two linear layers."""

    config_class = CNNConfig

    def __init__(self, config: CNNConfig) -> None:
        super().__init__(config)
        self.filters = MaxOverTime(config.embedding_width, config.num_filters, config.kernel_sizes)
        width = self.head_width(self.filters.width)
        self.norm_filters = nn.LayerNorm(width)
        self.hidden = nn.Linear(width, config.fc_hidden_size)
        self.norm_hidden = nn.LayerNorm(config.fc_hidden_size)
        self.output = nn.Linear(config.fc_hidden_size, int(config.num_labels or 0))
        self.post_init()

    def pool(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """The vector of each text: see the base class."""
        pooled: Tensor = self.filters(embedded, mask)  # [batch, sizes * num_filters]
        return pooled

    def head(self, pooled: Tensor) -> Tensor:
        """Logits of vectors: see the base class."""
        x = self.dropout(self.norm_filters(pooled))
        x = self.dropout(self.norm_hidden(self.hidden(x)))  # [batch, fc_hidden_size]
        logits: Tensor = self.output(x)  # [batch, n_labels]
        return logits

    def pool_to_onnx(self, graph: OnnxGraph) -> str:
        """In its ONNX graph: see the base class."""
        return self.filters.to_onnx(graph, graph.gather(self.embedding.weight, graph.ids))

    def head_to_onnx(self, graph: OnnxGraph, pooled: str) -> str:
        """In its ONNX graph: see the base class."""
        x = graph.layer_norm(pooled, self.norm_filters)
        x = graph.layer_norm(graph.linear(graph.quantize(x), self.hidden.weight, self.hidden.bias), self.norm_hidden)
        return graph.linear(x, self.output.weight, self.output.bias)

    def pool_to_plan(self, plan: CorePlan) -> int:
        """For the core: see the base class."""
        return self.filters.to_plan(plan, plan.words("embedding.weight"), "filters")

    def head_to_plan(self, plan: CorePlan, pooled: int) -> None:
        """For the core: see the base class."""
        x = plan.layer_norm(pooled, "norm_filters", self.norm_filters.eps)
        x = plan.linear(plan.quantize(x), "hidden")
        plan.linear(plan.layer_norm(x, "norm_hidden", self.norm_hidden.eps), "output")
