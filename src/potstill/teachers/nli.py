"""A cross-encoder for natural-language inference as a zero-shot teacher (``nli:MODEL``).

Yin et al. 2019 (https://arxiv.org/abs/1909.00161): the text is the premise, and each label a hypothesis such as "This
text is about sport."; a label's logit is that of entailment.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedConfig

from potstill.artifacts import hash_json
from potstill.corpus.streams import in_parts
from potstill.corpus.texts import Text
from potstill.corpus.words import MASK, unify_masks
from potstill.errors import PotstillError, shown
from potstill.progress import Progress, silent
from potstill.teachers import Backend
from potstill.teachers.black_boxes import TEMPLATE
from potstill.teachers.checkpoints import check_transformer, is_classifier, open_finetuned, read_config
from potstill.teachers.label_matching import own_labels
from potstill.teachers.transformer import TransformerTeacher

_ENTAILMENT = "entail"  # begins the name of the logit that is used
_PAIRS = 4096  # of a text and a hypothesis, sorted by length together
_LONGEST = 0.5  # share of the tokens that a hypothesis may take


class NliTeacher:
    """A zero-shot classifier over any labels.

    :param pairs: the cross-encoder, over pairs of a text and a hypothesis.
    :param entailment: which of its logits is used.
    :param hypotheses: of each label, in order.
    :param mask_token: the cross-encoder's.
    """

    def __init__(
        self, pairs: TransformerTeacher, labels: list[str], *, entailment: int, hypotheses: list[str], mask_token: str
    ) -> None:
        self._pairs = pairs
        self._labels = labels
        self._entailment = entailment
        self._hypotheses = hypotheses
        self._mask_token = mask_token

    @property
    def labels(self) -> list[str]:
        """The label of each logit."""
        return self._labels

    @property
    def identity(self) -> str:
        """That of the cross-encoder, the labels and their hypotheses."""
        return f"nli {self._pairs.identity} {hash_json([self._labels, self._hypotheses])}"

    def check(self, texts: Sequence[Text]) -> None:
        """Check that texts are no pairs, and log how far a less exact backend's logits are from torch's in fp32.

        :raises PotstillError: for pairs.
        """
        if any(not isinstance(text, str) for text in texts):
            raise PotstillError("an nli: teacher reads single texts, each beside a hypothesis: these are pairs")
        self._pairs.check(self._paired(texts[:_PAIRS]))

    def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
        """The logits of texts, float32 ``[len(texts), n_labels]``."""
        # As transformers' pipeline does it for one label a text: the softmax of these logits are its scores. The
        # pipeline itself has no other backends and pads pairs in the order in which they come; it was no faster (46
        # pairs a second in batches of 32, 50 here: MiniLM-L6, one thread, six labels).
        parts = [np.zeros((0, len(self._labels)), dtype=np.float32)]
        with progress("labelling", len(texts)) as bar:
            for part in in_parts(texts, max(1, _PAIRS // len(self._labels))):
                logits = self._pairs(self._paired(part))[:, self._entailment]  # [n_texts * n_labels]
                parts.append(logits.reshape(len(part), len(self._labels)))
                bar.update(len(part))
        return np.concatenate(parts)

    def _paired(self, texts: Sequence[Text]) -> list[Text]:
        return [(unify_masks(str(text), self._mask_token), claim) for text in texts for claim in self._hypotheses]


def open_nli(
    model: str,
    descriptions: Sequence[tuple[str, str]],
    template: str = TEMPLATE,
    *,
    backend: Backend = "torch",
    n_ctx: int | None = None,
) -> NliTeacher:
    """A cross-encoder that is ready to label.

    :param model: a folder or a name on the hub, of a classifier of pairs that was fine-tuned on inference.
    :param descriptions: of each label its name, and what is put into the template; empty: the name.
    :param template: of the hypotheses, with ``{}`` where the description goes.
    :param n_ctx: its longest pair in tokens; default: as its tokenizer says.
    :raises PotstillError: as :func:`check_nli`; when a hypothesis is too long for the model.
    """
    check_nli(model, descriptions, template)
    checkpoint = open_finetuned(model)
    hypotheses = _hypotheses(descriptions, template)
    pairs = TransformerTeacher(checkpoint, model, backend=backend, n_ctx=n_ctx)
    _check_lengths(model, checkpoint.tokenizer, hypotheses, n_ctx)
    return NliTeacher(
        pairs,
        [name for name, _ in descriptions],
        entailment=_find_entailment(model, checkpoint.labels),
        hypotheses=hypotheses,
        mask_token=checkpoint.tokenizer.mask_token or MASK,
    )


def check_nli(model: str, descriptions: Sequence[tuple[str, str]], template: str = TEMPLATE) -> None:
    """Check what can be checked before a model is loaded.

    :raises PotstillError: when there is no such model, it does not name a logit of entailment, the template has no
        place for the description, or two labels would have one hypothesis.
    """
    hypotheses = _hypotheses(descriptions, template)
    if len(hypotheses) < 2:
        raise PotstillError(f"nli:{model}: a classifier needs two labels or more, not {len(hypotheses)}")
    for index, hypothesis in enumerate(hypotheses):
        first = hypotheses.index(hypothesis)
        if first < index:
            raise PotstillError(
                f"the labels '{descriptions[first][0]}' and '{descriptions[index][0]}' have one hypothesis "
                f"('{shown(hypothesis)}'): describe them differently"
            )
    check_transformer(model)
    config: PreTrainedConfig = read_config(model)
    if not is_classifier(config):
        raise PotstillError(
            f"{model}: not a classifier (its architecture is {config.architectures}): give one that was fine-tuned on "
            "natural-language inference"
        )
    _find_entailment(model, own_labels(config))


def _hypotheses(descriptions: Sequence[tuple[str, str]], template: str) -> list[str]:
    """One a label. A description that is a sentence loses its full stop where the template goes on."""
    before, place, after = template.partition("{}")
    if not place or "{" in before + after or "}" in before + after:
        raise PotstillError(f"--hypothesis='{shown(template)}': it must have {{}} once, where the label goes")
    texts = [" ".join((description or name).split()) for name, description in descriptions]
    return [f"{before}{text.removesuffix('.') if after.startswith('.') else text}{after}" for text in texts]


def _find_entailment(model: str, own: list[str]) -> int:
    """The number of the logit of entailment, by its name."""
    found = [index for index, label in enumerate(own) if label.lower().startswith(_ENTAILMENT)]
    if len(found) != 1:
        raise PotstillError(
            f"{model}: {'no' if not found else 'more than one'} label begins with 'entail' (it has "
            f"{shown(', '.join(own))}): give a model for natural-language inference, or name its labels in the "
            "id2label of its config.json"
        )
    return found[0]


def _check_lengths(model: str, tokenizer: Any, hypotheses: list[str], n_ctx: int | None) -> None:
    """Check that each hypothesis leaves most room for the text, which alone is cut then."""
    most = int(_LONGEST * (n_ctx or tokenizer.model_max_length))
    for hypothesis in hypotheses:
        n_tokens = len(tokenizer(hypothesis)["input_ids"])
        if n_tokens > most:
            raise PotstillError(
                f"{model}: the hypothesis '{shown(hypothesis, 60)}' has {n_tokens} tokens, {most} leave room for the "
                "text: describe the label in fewer words"
            )
