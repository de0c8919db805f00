"""What a run's first stages say, and which teachers they refuse."""

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from potstill.artifacts import read_json, write_json
from potstill.distillation.distill import distill
from potstill.distillation.teacher import warn_of_few_steps
from potstill.errors import PotstillError
from potstill.training.options import Optimisation
from small_runs import small_run


@pytest.mark.parametrize(("n_texts", "epochs", "is_said"), [(400, 3, True), (400, 15, False), (67_349, 2, False)])
def test_a_teacher_of_few_steps_is_a_warning_with_the_options_that_fix_it(
    n_texts: int, epochs: int, is_said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_few_steps(n_texts, Optimisation(lr=5e-5, epoch=epochs, batch_size=64))
    assert ("--teacher_epochs" in caplog.text) == is_said
    assert ("400 texts are only 21 steps" in caplog.text) == is_said


def test_a_teacher_that_gets_its_fewest_steps_is_not(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_few_steps(400, Optimisation(lr=5e-5, epoch=2, min_steps=300, batch_size=64))
    assert not caplog.text


Make = Callable[[dict[int, str]], Path]


def lean_to(folder: Path, label_id: int) -> Path:
    """A classifier that gives one label to every text."""
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][label_id] += 100
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.fixture
def mostly_good(tmp_path: Path) -> Path:
    """A data folder whose valid is good alone."""
    for split in ("train", "valid", "test"):
        rows = [f"film {n}\tgood\n" for n in range(20)] + ["dull\tbad\n"] * (split == "train")
        (tmp_path / f"{split}.txt").write_text("".join(rows))
    return tmp_path


@pytest.mark.parametrize("is_further", [False, True])
def test_a_teacher_with_its_labels_the_wrong_way_round_stops_the_run(
    is_further: bool, classifier_folder: Make, mostly_good: Path, tiny_vectors: Path
) -> None:
    wrong = lean_to(classifier_folder({0: "LABEL_0", 1: "LABEL_1"}), 0)
    right = lean_to(classifier_folder({0: "LABEL_0", 1: "LABEL_1"}), 1)
    changes = {"teacher": right, "ensemble": (str(wrong),)} if is_further else {"teacher": wrong}
    options = small_run(mostly_good, vectors=tiny_vectors, out=mostly_good / "run", **changes)
    with pytest.raises(PotstillError, match=f"{wrong}: 0.0% of valid is right.*by position: LABEL_0 is bad") as raised:
        distill(options)
    assert 'with {"0": "good", "1": "bad"} in the id2label of its config.json it would be 100.0%' in str(raised.value)


def test_a_run_tells_how_its_teachers_labels_were_matched(
    classifier_folder: Make, mostly_good: Path, tiny_vectors: Path, caplog: pytest.LogCaptureFixture
) -> None:
    teacher = lean_to(classifier_folder({0: "BAD", 1: "GOOD"}), 1)
    with caplog.at_level("INFO", logger="potstill"):
        distill(small_run(mostly_good, teacher, tiny_vectors, mostly_good / "run", gold_epochs=0))
    assert "100.0% of valid is right; its labels were matched by name, whatever its case: BAD is bad" in caplog.text


def test_a_classifier_of_another_task_is_fine_tuned_and_says_what_is_true_then(
    classifier_folder: Make, tiny_data: Path, tiny_vectors: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="potstill")
    other = classifier_folder({0: "LABEL_0", 1: "LABEL_1"})
    earlier = {
        "problem_type": "multi_label_classification",
        "finetuning_task": "mrpc",
        "task_specific_params": {"text-classification": {"top_k": 3}},
        "function_to_apply": "sigmoid",
        "sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"},
    }
    write_json(other / "config.json", read_json(other / "config.json") | earlier)
    distill(small_run(tiny_data, other, tiny_vectors, tmp_path / "run", gold_epochs=0))
    assert "has another task (multi_label_classification): fine-tuned with a new last layer" in caplog.text
    config = read_json(tmp_path / "run" / "teacher" / "config.json")
    assert config["problem_type"] == "single_label_classification"
    assert config["id2label"] == {"0": "0", "1": "1"} and config["label2id"] == {"0": 0, "1": 1}
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert not (earlier.keys() - {"problem_type"}) & config.keys()
