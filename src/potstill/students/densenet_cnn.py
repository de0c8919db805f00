"""DenseNet-CNN: Densely Connected Convolutional Networks (Huang et al. 2017), https://arxiv.org/abs/1608.06993,
over words, under the CNN of Kim 2014."""

from typing import Any

from torch import Tensor, nn

from potstill.students.base import StudentConfig, StudentModel
from potstill.students.core_plan import CorePlan
from potstill.students.layers import DenseNet, MaxOverTime
from potstill.students.onnx_graph import OnnxGraph


class DenseNetCNNConfig(StudentConfig):
    """The DenseNet-CNN of the recipe.

    :param densenet_kernels: ``[depth][width]``, words that a filter of the DenseNet sees; odd.
    :param densenet_first_num_filters: of its first layers.
    :param densenet_num_filters: of its other layers.
    :param densenet_last_num_filters: of its output for each word.
    :param num_filters: of the CNN, of each kernel size.
    :param kernel_sizes: words a filter of the CNN sees.
    """

    model_type = "potstill-densenet-cnn"

    def __init__(
        self,
        densenet_kernels: list[list[int]] | None = None,
        densenet_first_num_filters: int = 200,
        densenet_num_filters: int = 100,
        densenet_last_num_filters: int = 400,
        num_filters: int = 256,
        kernel_sizes: tuple[int, ...] | list[int] = (2, 3, 4),
        dropout: float = 0.3,
        **kwargs: Any,
    ) -> None:
        self.densenet_kernels = densenet_kernels or [[1, 1], [3, 3], [3, 5], [3, 7], [3, 9]]
        self.densenet_first_num_filters = densenet_first_num_filters
        self.densenet_num_filters = densenet_num_filters
        self.densenet_last_num_filters = densenet_last_num_filters
        self.num_filters = num_filters
        self.kernel_sizes = list(kernel_sizes)
        super().__init__(dropout=dropout, **kwargs)


class DenseNetCNNForSequenceClassification(StudentModel):
    """A DenseNet over the words, filters over its output, the maximum of each, one linear layer."""

    config_class = DenseNetCNNConfig

    def __init__(self, config: DenseNetCNNConfig) -> None:
        super().__init__(config)
        self.densenet = DenseNet(
            config.embedding_width,
            config.densenet_kernels,
            first_filters=config.densenet_first_num_filters,
            filters=config.densenet_num_filters,
            last_filters=config.densenet_last_num_filters,
        )
        self.norm_densenet = nn.LayerNorm(config.densenet_last_num_filters)
        self.filters = MaxOverTime(config.densenet_last_num_filters, config.num_filters, config.kernel_sizes)
        width = self.head_width(self.filters.width)
        self.norm_filters = nn.LayerNorm(width)
        self.output = nn.Linear(width, int(config.num_labels or 0))
        self.post_init()

    def pool(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """The vector of each text: see the base class."""
        x = self.norm_densenet(self.densenet(embedded, mask)) * mask.unsqueeze(-1)
        pooled: Tensor = self.filters(self.dropout(x), mask)  # [batch, sizes * num_filters]
        return pooled

    def head(self, pooled: Tensor) -> Tensor:
        """Logits of vectors: see the base class."""
        logits: Tensor = self.output(self.dropout(self.norm_filters(pooled)))  # [batch, n_labels]
        return logits

    def pool_to_onnx(self, graph: OnnxGraph) -> str:
        """In its ONNX graph: see the base class."""
        words = graph.gather(self.embedding.weight, graph.ids)
        x = graph.layer_norm(self.densenet.to_onnx(graph, words), self.norm_densenet)
        return self.filters.to_onnx(graph, graph.quantize(x))

    def head_to_onnx(self, graph: OnnxGraph, pooled: str) -> str:
        """In its ONNX graph: see the base class."""
        x = graph.layer_norm(pooled, self.norm_filters)
        return graph.linear(x, self.output.weight, self.output.bias)

    def pool_to_plan(self, plan: CorePlan) -> int:
        """For the core: see the base class."""
        x = self.densenet.to_plan(plan, plan.words("embedding.weight"), "densenet")
        x = plan.layer_norm(x, "norm_densenet", self.norm_densenet.eps)
        return self.filters.to_plan(plan, plan.quantize(x), "filters")

    def head_to_plan(self, plan: CorePlan, pooled: int) -> None:
        """For the core: see the base class."""
        plan.linear(plan.layer_norm(pooled, "norm_filters", self.norm_filters.eps), "output")
