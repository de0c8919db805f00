"""BiLSTM: Distilling Task-Specific Knowledge from BERT into Simple Neural Networks (Tang et al. 2019),
https://arxiv.org/abs/1903.12136."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from potstill.students.base import StudentConfig, StudentModel
from potstill.students.core_plan import CorePlan
from potstill.students.onnx_graph import OnnxGraph


class BiLSTMConfig(StudentConfig):
    """The BiLSTM of the paper, wider: the paper has 150 and 200.

    :param hidden_size: of the LSTM in each direction.
    :param fc_hidden_size: width of the layer before the logits.
    """

    model_type = "potstill-bilstm"

    # Dropout 0.2, 0.4 and 0.6 have 82.2, 82.6, 82.0 on valid of the demo's movie reviews, 75.7, 77.5, 76.5 on
    # tweet-emotion's.
    def __init__(self, hidden_size: int = 256, fc_hidden_size: int = 256, dropout: float = 0.4, **kwargs: Any) -> None:
        self.hidden_size = hidden_size
        self.fc_hidden_size = fc_hidden_size
        super().__init__(dropout=dropout, **kwargs)


class BiLSTMForSequenceClassification(StudentModel):
    """One LSTM reads the words, another reads them backwards; the maximum of each over the text, two linear layers.

    The paper takes the last states instead of the maximum; the maximum learns faster.
    """

    config_class = BiLSTMConfig

    def __init__(self, config: BiLSTMConfig) -> None:
        super().__init__(config)
        self.forwards = nn.LSTM(config.embedding_width, config.hidden_size, batch_first=True)
        self.backwards = nn.LSTM(config.embedding_width, config.hidden_size, batch_first=True)
        self.hidden = nn.Linear(self.head_width(2 * config.hidden_size), config.fc_hidden_size)
        self.output = nn.Linear(config.fc_hidden_size, int(config.num_labels or 0))
        self.post_init()

    def pool(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """The vector of each text: see the base class."""
        # Only the words are mirrored, not the padding: the backward LSTM too reads a text's words before any padding.
        positions = torch.arange(mask.shape[1], device=mask.device)  # [length]
        lengths = mask.sum(dim=1, keepdim=True).long()  # [batch, 1]
        mirrored = torch.where(positions < lengths, lengths - 1 - positions, positions)  # [batch, length]
        reversed_words = embedded.gather(1, mirrored.unsqueeze(-1).expand_as(embedded))
        padding = (mask == 0).unsqueeze(-1)
        states = [
            lstm(words)[0].masked_fill(padding, float("-inf")).amax(dim=1)  # [batch, hidden_size]
            for lstm, words in ((self.forwards, embedded), (self.backwards, reversed_words))
        ]
        return torch.cat(states, dim=1)

    def head(self, pooled: Tensor) -> Tensor:
        """Logits of vectors: see the base class."""
        x = functional.relu(self.hidden(self.dropout(pooled)))  # [batch, fc_hidden_size]
        logits: Tensor = self.output(self.dropout(x))  # [batch, n_labels]
        return logits

    def pool_to_onnx(self, graph: OnnxGraph) -> str:
        """In its ONNX graph: see the base class. Without padding the backward LSTM needs no mirrored copy."""
        words = graph.gather(self.embedding.weight, graph.node("Transpose", graph.ids))  # [length, batch, width]
        states = graph.bidirectional_lstm(words, self.forwards, self.backwards)  # [length, 2, batch, hidden_size]
        pooled = graph.node("ReduceMax", states, np.array([0]), keepdims=0)
        return graph.node("Flatten", graph.node("Transpose", pooled, perm=[1, 0, 2]))  # [batch, 2 * hidden_size]

    def head_to_onnx(self, graph: OnnxGraph, pooled: str) -> str:
        """In its ONNX graph: see the base class."""
        x = graph.node("Relu", graph.linear(graph.quantize(pooled), self.hidden.weight, self.hidden.bias))
        return graph.linear(x, self.output.weight, self.output.bias)

    def pool_to_plan(self, plan: CorePlan) -> int:
        """For the core: see the base class."""
        return plan.bilstm(plan.words("embedding.weight"), "forwards", "backwards")

    def head_to_plan(self, plan: CorePlan, pooled: int) -> None:
        """For the core: see the base class."""
        plan.linear(plan.linear(plan.quantize(pooled), "hidden", slope=0.0), "output")
