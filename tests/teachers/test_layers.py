"""Cutting a transformer down to fewer layers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from potstill.errors import PotstillError
from potstill.teachers.layers import keep_layers

IDS = torch.arange(3, 43).reshape(2, 20)
SHAPE: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "initializer_range": 0.5,  # so that every layer makes a difference
}
# Some of its layers see a window of 4 tokens alone: 20 tokens show which of them do.
MODERN = {"local_attention": 4, "cls_token_id": 1, "bos_token_id": 1, "sep_token_id": 2, "eos_token_id": 2}
KINDS: dict[str, dict[str, Any]] = {"bert": {}, "roberta": {}, "electra": {"embedding_size": 8}, "modernbert": MODERN}
SHARED: dict[str, dict[str, Any]] = {"albert": {"embedding_size": 8}}  # kinds whose layers are one


def classifier(kind: str, layers: int) -> Any:
    """A random classifier: a stand-in."""
    torch.manual_seed(0)
    opener: Any = AutoModelForSequenceClassification  # which has no types
    return opener.from_config(
        AutoConfig.for_model(kind, num_hidden_layers=layers, **SHAPE, **(KINDS | SHARED)[kind])
    ).eval()


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        output: torch.Tensor = model(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits
    return output


@pytest.mark.parametrize(
    ("before", "layers", "remaining"),
    [
        (6, 1, [0]),
        (6, 2, [0, 5]),
        (5, 3, [0, 2, 4]),
        (7, 4, [0, 2, 4, 6]),
        (3, 3, [0, 1, 2]),
    ],
)
def test_the_layers_that_stay_are_evenly_spread_from_the_first_to_the_last(
    before: int, layers: int, remaining: list[int]
) -> None:
    model = classifier("bert", before)
    all_of_them = list(model.bert.encoder.layer)
    keep_layers(model, layers)
    assert [all_of_them.index(layer) for layer in model.bert.encoder.layer] == remaining
    assert model.config.num_hidden_layers == layers


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_saved_and_opened_again_it_gives_the_same_logits(kind: str, tmp_path: Path) -> None:
    model = classifier(kind, 6)
    before = logits(model)
    keep_layers(model, 3)
    assert logits(model).shape == (2, 2)
    assert not torch.allclose(logits(model), before, atol=1e-4)
    model.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert again.config.num_hidden_layers == 3
    torch.testing.assert_close(logits(again), logits(model))


def test_all_layers_are_no_change() -> None:
    model = classifier("bert", 3)
    before = logits(model)
    keep_layers(model, 3)
    torch.testing.assert_close(logits(model), before)


def test_more_layers_than_there_are_are_refused() -> None:
    with pytest.raises(PotstillError, match="--layers=4: it has 3 layers"):
        keep_layers(classifier("bert", 3), 4)


def test_a_transformer_whose_layers_are_one_is_refused() -> None:
    with pytest.raises(PotstillError, match="--layers=2: a albert has no list of layers to take some from"):
        keep_layers(classifier("albert", 4), 2)
