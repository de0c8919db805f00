"""The student over characters' n-grams."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from potstill.corpus.characters import build_character_tokenizer
from potstill.corpus.encoded import Encoded, encode, limited
from potstill.export.onnx_files import export_int8, export_onnx
from potstill.training.fitting import new_student
from potstill.training.optimizers import make_optimizer
from potstill.training.options import Optimisation
from potstill.training.vocabulary import Vocabulary

TOKENIZER = build_character_tokenizer("abcdef", lower=True)
TEXTS = ["ab", "abc", "b", "ab ab"]


def texts(*texts: str) -> Encoded:
    return encode(texts, limited(TOKENIZER, 1000))


def student(n_labels: int = 3, **parameters: Any) -> Any:
    """One that knows the n-grams of TEXTS, with vectors as large as after training."""
    parameters = {"num_buckets": 5000, "ngram_width": 4} | parameters
    labels = [str(label) for label in range(n_labels)]
    vocabulary = Vocabulary(TOKENIZER, None)
    model: Any = new_student("char-ngram", parameters, vocabulary, labels, embedding_trainable=True, seed=1)[0]
    model.fit_statistics(texts(*TEXTS))
    with torch.no_grad():
        model.embedding.weight[1:].normal_()
    return model.eval()


def logits(model: Any, text: str) -> Any:
    with torch.inference_mode():
        return model(torch.from_numpy(texts(text).token_ids[None].astype(np.int64))).logits[0]


def rows(model: Any, text: str) -> list[int]:
    ids = torch.from_numpy(texts(text).token_ids[None].astype(np.int64))
    numbers: list[int] = model._rows(ids, torch.ones_like(ids)).flatten().tolist()
    return numbers


def test_equal_n_grams_have_equal_rows_and_others_have_others() -> None:
    model = student(max_ngram=2, num_buckets=10**9 // 100)
    numbers = rows(model, "ab ab")  # ▁ ▁a, a ab, b b▁, and again, and the last ▁ with nothing after it
    assert numbers[0:6] == numbers[6:12] and numbers[0] == numbers[12] and numbers[1] != numbers[13]
    assert len(set(numbers)) == 7
    assert set(rows(model, "ba")) & set(numbers) == {numbers[0], numbers[2], numbers[4], numbers[1 + 12]}


def test_weights_are_inverse_document_frequencies_and_nothing_where_train_has_nothing() -> None:
    model = student(max_ngram=1)
    space, a, _, b, _ = rows(model, "a b")
    c, d = rows(model, "cd")[1:3]
    expected = [np.log(5 / (1 + n)) + 1 for n in (4, 3, 4, 1)]
    np.testing.assert_allclose(model.weights[[space, a, b, c]], expected, rtol=1e-6)
    assert model.weights[d] == 0 and model.weights[0] == 0
    assert (model.weights > 0).sum() == 4


def test_the_logits_are_the_weighted_sum_over_the_weights_length() -> None:
    model = student()
    numbers = rows(model, "abc b")
    weights = model.weights[numbers].double()
    vector = (model.embedding.weight[numbers].double() * weights[:, None]).sum(dim=0) / weights.square().sum().sqrt()
    expected = model.output.weight.double() @ vector + model.output.bias
    torch.testing.assert_close(logits(model, "abc b").double(), expected, rtol=0, atol=1e-5)
    assert logits(model, "ab").sub(logits(model, "abc b")).abs().max() > 0.1


def test_sequences_that_train_lacks_change_nothing_and_leave_the_bias() -> None:
    model = student()
    torch.testing.assert_close(logits(model, "ddd"), logits(model, "eeee"))  # their ends are known
    with torch.no_grad():
        model.weights.zero_()
    torch.testing.assert_close(logits(model, "abc"), model.output.bias.detach())


@pytest.mark.parametrize("n_labels", [3, 9])  # the last layer within the table, and after it
def test_its_graph_has_the_same_logits_in_floats_and_nearly_so_in_integers(n_labels: int, tmp_path: Path) -> None:
    model = student(n_labels)
    export_onnx(model, ["input_ids"], tmp_path / "model.onnx")
    export_int8(model, tmp_path / "model.onnx", TOKENIZER, TEXTS)
    for name, tolerance in (("model.onnx", 1e-4), ("model.int8.onnx", 0.1)):
        session = onnxruntime.InferenceSession(str(tmp_path / name))
        for text in ("a", "abc", "abc " * 50, "dd", "ddd abc"):
            feed = {"input_ids": texts(text).token_ids[None].astype(np.int64)}
            np.testing.assert_allclose(session.run(None, feed)[0][0], logits(model, text), atol=tolerance, rtol=0)


def test_in_training_some_n_grams_are_left_out() -> None:
    model = student(dropout=0.5).train()
    ids = torch.from_numpy(texts("abc ab").token_ids[None].astype(np.int64))
    torch.manual_seed(0)
    outputs = torch.stack([model(ids).logits[0] for _ in range(20)])
    assert outputs.std(dim=0).min() > 0.01 and torch.isfinite(outputs).all()


def test_loaded_again_it_learns_with_any_optimizer(tmp_path: Path) -> None:
    student().save_pretrained(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path).train()
    ids = torch.from_numpy(texts("abc").token_ids[None].astype(np.int64))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    losses = []
    for _ in range(5):
        loss = model(ids, labels=torch.tensor([1])).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_a_step_changes_nothing_but_the_rows_that_it_has_read() -> None:
    model = student().train()
    before = model.embedding.weight.detach().clone()
    ids = torch.from_numpy(texts("abc").token_ids[None].astype(np.int64))
    model(ids).logits[0, 0].backward()
    assert model.embedding.weight.grad.is_sparse
    optimizer, _ = make_optimizer(model, Optimisation(lr=0.1), steps_an_epoch=1, steps=1)
    optimizer.step()
    changed = (model.embedding.weight.detach() != before).any(dim=1).nonzero().flatten().tolist()
    assert changed and set(changed) <= set(rows(model, "abc"))
