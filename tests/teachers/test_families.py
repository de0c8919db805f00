"""Encoders of many families of transformers as teachers; benchmarks/teacher_families.py tries all of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import potstill
from families import write_family
from potstill.artifacts import read_json
from potstill.corpus.encoded import encode, limited
from potstill.errors import PotstillError
from potstill.progress import silent
from potstill.teachers import checkpoints, trial
from potstill.teachers.checkpoints import Checkpoint, TextForm, open_bare_encoder, open_encoder, open_finetuned
from potstill.teachers.inference import in_torch, predict_logits
from potstill.training.fitting import fit
from potstill.training.options import Optimisation
from standins import sentences

PADDED = (
    "albert",
    "bert",
    "deberta-v2",
    "distilbert",
    "electra",
    "modernbert",
    "modernbert-decoder",
    "roberta",
)
NOT_PADDED = ("gpt2", "llama", "qwen3")
TEXTS = ["the film is fine", "dull", "the story is warm , a clever plot and it doesn't end"]


def opened(folder: Path) -> Checkpoint:
    return open_encoder(str(folder), ["no", "yes"], dropout=0.1, form=TextForm(n_ctx=60), seed=1)


def logits(checkpoint: Checkpoint, texts: list[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    tokenizer, pad_id = limited(checkpoint.tokenizer.backend_tokenizer, 60), checkpoint.model.config.pad_token_id
    return predict_logits(in_torch(checkpoint.model), encode(texts, tokenizer), pad_id=pad_id)


@pytest.mark.parametrize("kind", [*PADDED, *NOT_PADDED])
def test_a_bare_encoder_is_opened_whole_with_a_new_head(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "try_export", lambda *_: None)  # which takes seconds a family
    pads: dict[str, Any] = {} if kind in PADDED else {"pads": False, "pad_token_id": None}
    checkpoint = opened(write_family(kind, tmp_path, **pads))
    weights = open_bare_encoder(str(tmp_path)).state_dict()
    for name, weight in checkpoint.model.base_model.state_dict().items():
        if name in weights and "pooler." not in name:
            torch.testing.assert_close(weight, weights[name])
    together = logits(checkpoint, TEXTS)
    alone = np.concatenate([logits(checkpoint, [text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert len(np.unique(together, axis=0)) == len(TEXTS)


def test_a_decoder_without_a_padding_token_gets_the_one_that_ends_a_text(tmp_path: Path) -> None:
    write_family("gpt2", tmp_path / "encoder", pads=False, pad_token_id=None)
    checkpoint, out = opened(tmp_path / "encoder"), tmp_path / "out"
    assert checkpoint.model.config.pad_token_id == checkpoint.tokenizer.eos_token_id
    out.mkdir()
    tokenizer = limited(checkpoint.tokenizer.backend_tokenizer, 60)
    rows = sentences(32, 0)
    train = encode([text for text, _ in rows], tokenizer, gold=np.array([int(label) for _, label in rows]))
    options = Optimisation(lr=1e-3, epoch=1, batch_size=16, use_transformers_optimizer=True)
    fit(checkpoint.model, checkpoint.tokenizer, train, train, options, out, progress=silent, description="fine-tuning")
    assert read_json(out / "config.json")["pad_token_id"] == checkpoint.tokenizer.eos_token_id
    deployed = potstill.load(out)
    together = deployed.logits(TEXTS)
    np.testing.assert_allclose(together, np.concatenate([deployed.logits([text]) for text in TEXTS]), atol=1e-4)
    np.testing.assert_allclose(together, logits(open_finetuned(str(out)), TEXTS), atol=1e-4)


def test_a_decoder_that_can_have_no_padding_is_one_line(tmp_path: Path) -> None:
    write_family("gpt2", tmp_path, pads=False, pad_token_id=None)
    file = tmp_path / "tokenizer_config.json"
    file.write_text(file.read_text().replace('"eos_token"', '"no_token"'))
    with pytest.raises(PotstillError, match="neither a padding token nor one that ends a text: write the pad_token_id"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("bart", "cannot be run on a text's tokens"),
        ("layoutlmv3", "cannot be run on a text's tokens"),
        ("xlnet", "gives a text other logits when it is padded"),
    ],
)
def test_what_cannot_be_deployed_is_one_line_before_it_is_trained(kind: str, said: str, tmp_path: Path) -> None:
    write_family(kind, tmp_path)
    with pytest.raises(PotstillError, match=f"{tmp_path}: a {kind} {said}") as raised:
        opened(tmp_path)
    assert "\n" not in str(raised.value)


def test_the_exporter_writes_no_pages_on_what_it_cannot_trace(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_family("longformer", tmp_path, attention_window=[4, 4])
    capfd.readouterr()
    with pytest.raises(PotstillError, match="a longformer cannot be run on a text's tokens alone, or not as an ONNX"):
        opened(tmp_path)
    assert "def forward" not in "".join(capfd.readouterr())


def test_layers_whose_kind_goes_by_their_number_are_not_cut(tmp_path: Path) -> None:
    from potstill.teachers.layers import keep_layers

    model = open_bare_encoder(str(write_family("jamba", tmp_path)))
    with pytest.raises(PotstillError, match="--layers=1: which kind a jamba's layer is goes by its number"):
        keep_layers(model, 1)


def test_a_family_that_can_be_deployed_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path / "cache"))
    tried: list[object] = []
    monkeypatch.setattr(trial, "export_onnx", lambda model, *_: tried.append(model))
    write_family("bert", tmp_path / "encoder")
    for _ in range(2):
        opened(tmp_path / "encoder")
    assert len(tried) == 1


def test_a_weight_of_another_size_is_not_silently_made_anew(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    write_family("bert", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["embeddings.word_embeddings.weight"] = weights["embeddings.word_embeddings.weight"][:300].clone()
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(PotstillError, match="1 weights of a bert are missing"):
        opened(tmp_path)
