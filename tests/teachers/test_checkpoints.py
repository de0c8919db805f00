"""Opening checkpoints as teachers."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from potstill.corpus.encoded import encode, limited
from potstill.errors import PotstillError
from potstill.teachers.checkpoints import (
    TextForm,
    check_model_type,
    is_finetuned,
    open_encoder,
    open_finetuned,
    open_tokenizer,
    read_config,
)
from potstill.teachers.inference import in_torch, predict_logits

Make = Callable[[dict[int, str]], Path]


def test_logits_are_put_in_the_datas_order(classifier_folder: Make) -> None:
    folder = classifier_folder({0: "good", 1: "bad", 2: "so so"})
    assert is_finetuned(read_config(str(folder)), ["bad", "good", "so so"])
    own, reordered = open_finetuned(str(folder)), open_finetuned(str(folder), ["bad", "good", "so so"])
    tokenizer = limited(own.tokenizer.backend_tokenizer, 50)
    encoded = encode(["the film is fine"], tokenizer)
    own_logits, reordered_logits = (
        predict_logits(in_torch(teacher.model), encoded, pad_id=0)[0] for teacher in (own, reordered)
    )
    np.testing.assert_allclose(own_logits[[1, 0, 2]], reordered_logits, atol=1e-6)
    assert reordered.labels == ["bad", "good", "so so"]


def test_labelling_by_length_gives_each_text_its_own_logits(classifier_folder: Make) -> None:
    teacher = open_finetuned(str(classifier_folder({0: "no", 1: "yes"})))
    texts = ["film " * n for n in (7, 1, 30, 2, 2, 19)]
    encoded = encode(texts, limited(teacher.tokenizer.backend_tokenizer, 100))
    together = predict_logits(in_torch(teacher.model), encoded, pad_id=0, budget=40)
    for row, text in enumerate(texts):
        inputs = teacher.tokenizer([text], return_tensors="pt")
        with torch.inference_mode():
            np.testing.assert_allclose(together[row], teacher.model(**inputs).logits[0].numpy(), atol=1e-5)


def test_another_data_sets_classifier_is_refused(classifier_folder: Make) -> None:
    with pytest.raises(PotstillError, match="its labels are no, yes, the data's are red, green"):
        open_finetuned(str(classifier_folder({0: "no", 1: "yes"})), ["red", "green"])


def test_a_bare_encoder_is_no_classifier(tiny_encoder: Path) -> None:
    assert not is_finetuned(read_config(str(tiny_encoder)), ["0", "1"])
    with pytest.raises(PotstillError, match="not a fine-tuned classifier"):
        open_finetuned(str(tiny_encoder))


@pytest.mark.parametrize("encoder", ["tiny_encoder", "tiny_roberta", "tiny_electra"])
def test_encoders_get_a_new_head(encoder: str, request: pytest.FixtureRequest) -> None:
    name = str(request.getfixturevalue(encoder))
    checkpoint = open_encoder(name, ["a", "b", "c"], dropout=0.3, form=TextForm(), seed=1)
    assert checkpoint.model.config.num_labels == 3
    assert checkpoint.model.config.classifier_dropout == 0.3
    assert checkpoint.tokenizer.model_max_length == 100


def test_half_a_checkpoint_is_refused(classifier_folder: Make, tiny_encoder: Path, tmp_path: Path) -> None:
    shutil.copytree(classifier_folder({0: "no", 1: "yes"}), tmp_path / "lacking")
    weights = load_file(tmp_path / "lacking" / "model.safetensors")
    weights.pop("classifier.weight")
    save_file(weights, tmp_path / "lacking" / "model.safetensors", {"format": "pt"})
    with pytest.raises(PotstillError, match=r"1 weights of a bert are missing \(classifier\.weight"):
        open_finetuned(str(tmp_path / "lacking"))
    shutil.copytree(tiny_encoder, tmp_path / "short")
    content = (tiny_encoder / "model.safetensors").read_bytes()
    (tmp_path / "short" / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(PotstillError, match="half of one") as raised:
        open_encoder(str(tmp_path / "short"), ["a", "b"], dropout=0.1, form=TextForm(), seed=1)
    assert "\n" not in str(raised.value)


def test_a_checkpoint_that_is_nowhere_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match="neither a folder here nor a model that the hub gives") as raised:
        read_config(str(tmp_path / "none"))
    assert "\n" not in str(raised.value)


def test_another_kind_is_refused(tiny_electra: Path) -> None:
    check_model_type(str(tiny_electra), "electra")
    with pytest.raises(
        PotstillError, match="a checkpoint of kind 'electra', but the configuration's emb_class is 'bert'"
    ):
        check_model_type(str(tiny_electra), "bert")


@pytest.mark.parametrize("encoder", ["tiny_cased_encoder", "tiny_roberta"])
def test_lower_casing_outlives_saving(encoder: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    name = str(request.getfixturevalue(encoder))
    as_it_is = open_tokenizer(name, TextForm())
    lower = open_tokenizer(name, TextForm(lower=True))
    read_config(name).save_pretrained(tmp_path)
    lower.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again("The FILM")["input_ids"] == lower("The FILM")["input_ids"] == as_it_is("the film")["input_ids"]
    assert as_it_is("The FILM")["input_ids"] != as_it_is("the film")["input_ids"]
    mask = f"a {lower.mask_token} film"
    assert lower.mask_token_id in again(mask)["input_ids"]


def test_a_text_form_longer_than_the_encoder_is_refused(tiny_encoder: Path) -> None:
    with pytest.raises(PotstillError, match="n_ctx is 1000"):
        open_tokenizer(str(tiny_encoder), TextForm(n_ctx=1000))
