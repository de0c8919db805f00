"""A small random encoder of any family of transformers, made by one recipe: for tests, and a sweep of all families."""

import inspect
from pathlib import Path
from typing import Any

from standins import sentences

N_TOKENS = 400
_SIZES: dict[str, int] = {
    **dict.fromkeys(
        ("hidden_size", "embedding_size", "d_model", "n_embd", "dim", "emb_dim", "word_embed_proj_dim"), 32
    ),
    **dict.fromkeys(("rank", "input_embedding_size"), 16),
    **dict.fromkeys(("num_attention_heads", "num_heads", "n_head", "n_heads", "num_key_value_heads"), 2),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2),
    **dict.fromkeys(("head_dim", "d_kv", "attention_head_size", "d_head"), 16),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "d_ff", "hidden_dim", "n_inner", "dff", "d_inner"), 48),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 48),
    **dict.fromkeys(("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx"), 130),
    "vocab_size": N_TOKENS,
    "rotary_dim": 8,
}
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_IDS = {"pad_token_id": 0, "bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3}


def tiny_config(config_class: Any) -> Any:
    """A configuration with small sizes, those of its parts too."""
    return config_class(**_small_fields(config_class))


def _small_fields(config_class: Any) -> dict[str, Any]:
    names = set(inspect.signature(config_class).parameters) | set(getattr(config_class, "attribute_map", {}))
    fields: dict[str, Any] = {name: value for name, value in (_SIZES | _IDS).items() if name in names}
    own = getattr(config_class, "attribute_map", {})
    fields = {name: value for name, value in fields.items() if own.get(name) not in fields}
    for name, part in getattr(config_class, "sub_configs_defaults", {}).items():
        part_class = getattr(part, "config_class", part)
        if inspect.isclass(part_class) and part_class.__name__ != "AutoConfig":
            fields[name] = _small_fields(part_class)
    return fields


def write_words(folder: Path, *, pads: bool = True) -> Path:
    """A tokenizer over the grammar's words that no family owns.

    :param pads: whether it has a padding token, and puts a token before and after each text, as an encoder's does.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for text, _ in sentences(60, 0) for word in text.split()})
    vocabulary = {word: index for index, word in enumerate([*_SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"unk_token": "[UNK]", "eos_token": "[SEP]"}
    if pads:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        special |= {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    wrap: Any = PreTrainedTokenizerFast  # which has no types
    wrap(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    return folder


def write_family(kind: str, folder: Path, *, pads: bool = True, **fields: Any) -> Path:
    """A random encoder without a classification layer.

    :param kind: the ``model_type`` of its family.
    :param fields: of its configuration, other than the recipe's.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    config = tiny_config(type(AutoConfig.for_model(kind)))
    for name, value in fields.items():
        setattr(config, name, value)
    torch.manual_seed(0)
    opener: Any = AutoModel  # which has no types
    opener.from_config(config).save_pretrained(folder)
    return write_words(folder, pads=pads)
