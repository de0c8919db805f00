"""A student that defines ``pool`` and ``head`` alone, so that torch's exporter writes its ONNX graph."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from torch import Tensor, nn

from potstill.students import STUDENTS, StudentConfig, StudentModel, register

PLAIN = "mean"


class MeanConfig(StudentConfig):
    """No fields of its own."""

    model_type = "potstill-mean"


class MeanForSequenceClassification(StudentModel):
    """The mean of the words' vectors, and a linear layer."""

    config_class = MeanConfig

    def __init__(self, config: MeanConfig) -> None:
        super().__init__(config)
        self.output = nn.Linear(self.head_width(config.embedding_width), int(config.num_labels or 0))
        self.post_init()

    def pool(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """The vector of each text: see the base class."""
        return embedded.sum(dim=1) / mask.sum(dim=1, keepdim=True)

    def head(self, pooled: Tensor) -> Tensor:
        """Logits of vectors: see the base class."""
        logits: Tensor = self.output(pooled)
        return logits


@contextmanager
def registered() -> Iterator[None]:
    """For this time it is one of ``STUDENTS``, as a line there would make it."""
    register(MeanForSequenceClassification)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(STUDENTS, PLAIN, MeanForSequenceClassification)
        yield


@pytest.fixture(scope="module")
def plain_student() -> Iterator[str]:
    """The name of a student that defines no graph of its own, for this module one of ``STUDENTS``."""
    with registered():
        yield PLAIN
