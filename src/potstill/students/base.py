"""What all students share: their configuration's common fields, the embedding table and the forward pass.

A student is a Hugging Face model over the ids of words or characters, saved as safetensors: ``from_pretrained`` and
``pipeline`` load it, and nothing is unpickled. It knows nothing of text, teachers or training.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import BatchEncoding, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.modeling_outputs import SequenceClassifierOutput

from potstill.corpus.encoded import Encoded
from potstill.corpus.words import MASK, PAD, UNK, UNK_ID
from potstill.morphology import MorphemeSplitter
from potstill.progress import Progress, silent
from potstill.students.core_plan import CorePlan
from potstill.students.onnx_graph import OnnxGraph
from potstill.tasks import find_task


class StudentConfig(PreTrainedConfig):
    """Fields that every student's configuration has.

    :param vocab_size: tokens (words, or characters), pad, unknown and mask included.
    :param embedding_width: numbers in a token's vector.
    :param dropout: probability, on the embedded words and between layers.
    :param analyzer: the morphological analyzer whose morphemes are the words of a text, if any. It is saved with the
        student, so that training, evaluation, the runtime and ``transformers`` split raw text alike.
    :param reads_pairs: whether it reads two texts.
    """

    def __init__(
        self,
        vocab_size: int = 3,
        embedding_width: int = 300,
        dropout: float = 0.2,
        analyzer: str = "",
        reads_pairs: bool = False,
        **kwargs: Any,
    ) -> None:
        self.reads_pairs = reads_pairs
        self.vocab_size = vocab_size
        self.embedding_width = embedding_width
        self.dropout = dropout
        self.analyzer = analyzer
        super().__init__(**{"pad_token_id": 0} | kwargs)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Hugging Face gives a configuration without an __init__ of its own that of a dataclass, which ignores ours.
        type.__setattr__(cls, "__init__", cls.__init__)
        super().__init_subclass__(**kwargs)


class StudentModel(PreTrainedModel):
    """A student: subclasses build their layers and define :meth:`pool` and :meth:`head`; :meth:`pool_to_onnx` and
    :meth:`head_to_onnx` are an optimisation.

    Of a pair of texts each is read by the same layers, up to its vector; the head gets the two vectors u and v as
    ``[u, v, |u - v|, u * v]`` (Conneau et al. 2017, https://arxiv.org/abs/1705.02364).

    No logit may depend on padding or on the other texts of a batch: training in padded batches and predicting one text
    give the same logits.

    :cvar reads_characters: whether its ids are characters; else they are words, with word vectors.
    """

    config_class: type[StudentConfig] = StudentConfig
    base_model_prefix = "student"
    main_input_name = "input_ids"
    reads_characters: ClassVar[bool] = False

    def __init__(self, config: StudentConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_width, padding_idx=config.pad_token_id)
        self.dropout = nn.Dropout(config.dropout)

    def get_input_embeddings(self) -> nn.Module:
        """The word table, where Hugging Face looks for it."""
        return self.embedding

    def fit_statistics(self, train: Encoded, progress: Progress = silent) -> None:
        """Count what the student has to know of its training set before the first step; by default nothing."""

    def embed(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """The words' vectors, in training with dropout.

        :param input_ids: ``[batch, length]``.
        :param mask: ``[batch, length]``, 1 for a word and 0 for padding.
        :return: ``[batch, length, channels]``, zero where the mask is.
        """
        vectors: Tensor = self.embedding(input_ids)
        dropped: Tensor = self.dropout(vectors * mask.unsqueeze(-1))
        return dropped

    def pool(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """The vector of each text.

        :param embedded: ``[batch, length, channels]``, zero where the mask is.
        :param mask: ``[batch, length]``, 1 for a word and 0 for padding; no logit may depend on padding.
        :return: ``[batch, width]``.
        """
        raise TypeError(f"{type(self).__name__} must define pool")

    def head(self, pooled: Tensor) -> Tensor:
        """Logits of vectors.

        :param pooled: ``[batch, width]``, of pairs of texts ``[batch, 4 * width]``.
        :return: ``[batch, n_labels]``.
        """
        raise TypeError(f"{type(self).__name__} must define head")

    def head_width(self, width: int) -> int:
        """The numbers that :meth:`head` gets, where a text's vector has ``width``."""
        return 4 * width if self.config.reads_pairs else width

    def pool_to_onnx(self, graph: OnnxGraph) -> str:
        """Write what :meth:`embed` and :meth:`pool` do, for texts of one length, whose ids are ``graph.ids``.

        Optional: torch's exporter writes the graph of a student that does not override it. An own graph has half the
        nodes, is written in a tenth of a second, and the same code gives floats or 8-bit integers.

        :return: the vectors' name, ``[batch, width]``.
        """
        raise TypeError(f"{type(self).__name__} has no ONNX graph of its own")

    def head_to_onnx(self, graph: OnnxGraph, pooled: str) -> str:
        """Write what :meth:`head` does.

        :param pooled: the vectors' name.
        :return: the logits' name, ``[batch, n_labels]``.
        """
        raise TypeError(f"{type(self).__name__} has no ONNX graph of its own")

    def to_onnx(self, graph: OnnxGraph) -> str:
        """Write the student's own ONNX graph.

        :return: the logits' name, ``[batch, n_labels]``.
        """
        pooled = self.pool_to_onnx(graph)
        if self.config.reads_pairs:
            graph.read_second()
            pooled = graph.combine(pooled, self.pool_to_onnx(graph))
        return self.head_to_onnx(graph, pooled)

    def pool_to_plan(self, plan: CorePlan) -> int:
        """List the layers of :meth:`pool` for the native core, which is faster than ONNX Runtime.

        Optional, as :meth:`pool_to_onnx` is: a student without a plan runs in ONNX Runtime.

        :return: the number of the vectors' value.
        """
        raise TypeError(f"{type(self).__name__} has no plan")

    def head_to_plan(self, plan: CorePlan, pooled: int) -> None:
        """List the layers of :meth:`head`; the last one gives the logits.

        :param pooled: the number of the vectors' value.
        """
        raise TypeError(f"{type(self).__name__} has no plan")

    @classmethod
    def has_plan(cls) -> bool:
        """Whether the student overrides :meth:`pool_to_plan`."""
        return cls.pool_to_plan is not StudentModel.pool_to_plan

    @classmethod
    def has_own_graph(cls) -> bool:
        """Whether the student overrides :meth:`pool_to_onnx`."""
        return cls.pool_to_onnx is not StudentModel.pool_to_onnx

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        pair_input_ids: Tensor | None = None,
        pair_attention_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        """Logits of word ids; with labels, their loss too, as Hugging Face's models do.

        :param input_ids: ``[batch, length]``.
        :param attention_mask: ``[batch, length]``; by default every id but the padding's counts.
        :param labels: gold labels as the task encodes them.
        :param pair_input_ids: of the second texts, ``[batch, their length]``, where the student reads pairs.
        :param pair_attention_mask: of the second texts.
        """
        pooled = self._read(input_ids, attention_mask)
        if self.config.reads_pairs:
            if pair_input_ids is None:
                raise ValueError("this student reads pairs of texts: give pair_input_ids too")
            pooled = combine(pooled, self._read(pair_input_ids, pair_attention_mask))
        logits = self.head(pooled)  # [batch, n_labels]
        loss = None if labels is None else find_task(self.config.problem_type).gold_loss(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)

    def _read(self, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        """The vectors of texts."""
        if attention_mask is None:
            attention_mask = input_ids != self.config.pad_token_id
        if not torch.compiler.is_compiling():  # a graph is given texts with words, unpadded or padded on the right
            input_ids, attention_mask = _words_first(input_ids, attention_mask)
        mask = attention_mask.to(self.embedding.weight.dtype)  # [batch, length]
        return self.pool(self.embed(input_ids, mask), mask)

    def _init_weights(self, module: nn.Module) -> None:
        """Keep torch's own initialisation: the recipe's."""


def combine(first: Tensor, second: Tensor) -> Tensor:
    """The vectors of two texts as one: both, their distance in each number, their products, ``[batch, 4 * width]``."""
    return torch.cat([first, second, (first - second).abs(), first * second], dim=1)


def _words_first(input_ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """A batch with each text's padding behind its words, wherever a tokenizer has put it.

    A text without any word, such as ``""``, is one unknown word: its logits are numbers.

    :param input_ids: ``[batch, length]``.
    :param mask: ``[batch, length]``, 0 for padding.
    """
    if not input_ids.shape[1]:
        input_ids, mask = (functional.pad(values, (0, 1)) for values in (input_ids, mask))
    is_word = mask != 0
    if is_word[:, 0].all():  # the usual case
        return input_ids, mask
    order = is_word.to(torch.uint8).argsort(dim=1, descending=True, stable=True)  # [batch, length]
    input_ids, is_word = input_ids.gather(1, order), is_word.gather(1, order)
    is_empty = ~is_word[:, 0]  # [batch]
    input_ids[is_empty, 0], is_word[is_empty, 0] = UNK_ID, True
    return input_ids, is_word


def set_word_vectors(model: StudentModel, table: NDArray[np.float32], trainable: bool) -> None:
    """Put word vectors into a student.

    :param table: float32 ``[vocab_size, embedding_width]``.
    :param trainable: whether training may change them.
    """
    with torch.no_grad():
        model.embedding.weight.copy_(torch.from_numpy(table))
    model.embedding.weight.requires_grad_(trainable)


class MorphemeTokenizer(PreTrainedTokenizerFast):
    """The tokenizer of a student that reads morphemes: the analyzer in ``tokenizer_config.json`` splits text first."""

    # With an __init__ of its own Hugging Face would rebuild it from its vocabulary, without our splitting.
    @cached_property
    def _split(self) -> Callable[[Sequence[str]], list[str]]:
        return MorphemeSplitter(self.init_kwargs["analyzer"])

    def _encode_plus(self, text: Any, *args: Any, **kwargs: Any) -> BatchEncoding:
        split = self._split([text])[0] if isinstance(text, str) else self._split(text)
        return super()._encode_plus(split, *args, **kwargs)


def wrap_tokenizer(tokenizer: Tokenizer, analyzer: str = "") -> PreTrainedTokenizerFast:
    """The Hugging Face tokenizer around a student's ``tokenizer.json``.

    :param analyzer: the student's morphological analyzer, if it has one.
    """
    settings: dict[str, Any] = {
        "tokenizer_object": tokenizer,
        "pad_token": PAD,
        "unk_token": UNK,
        "mask_token": MASK,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    return MorphemeTokenizer(analyzer=analyzer, **settings) if analyzer else PreTrainedTokenizerFast(**settings)
