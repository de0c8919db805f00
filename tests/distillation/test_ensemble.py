"""Several teachers that label together, on small stand-ins."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import potstill
from potstill.artifacts import hash_file, read_json, read_manifest
from potstill.augment.sampling import Rules
from potstill.corpus.soft_labels import SoftLabelFilter
from potstill.corpus.transfer import read_transfer
from potstill.corpus.words import unify_masks
from potstill.distillation.distill import distill
from potstill.distillation.teacher import find_ensemble
from potstill.errors import PotstillError
from potstill.runs.options import DistillOptions
from potstill.tasks import SingleLabel


@pytest.fixture(scope="module")
def other_teacher(tiny_roberta: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random RoBERTa classifier, with a tokenizer and a mask token of its own: a stand-in."""
    from transformers import AutoTokenizer, RobertaConfig, RobertaForSequenceClassification

    folder = tmp_path_factory.mktemp("teachers") / "other"
    config = RobertaConfig.from_pretrained(tiny_roberta)
    config.id2label, config.label2id = {0: "1", 1: "0"}, {"1": 0, "0": 1}  # not in the data's order
    torch.manual_seed(2)
    RobertaForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_roberta).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def teacher(classifier_folder: Callable[[dict[int, str]], Path]) -> Path:
    return classifier_folder({0: "0", 1: "1"})


def options(data: Path, teacher: Path, vectors: Path, out: Path, **changes: Any) -> DistillOptions:
    settings: dict[str, Any] = {
        "data": str(data),
        "out": out,
        "teacher": str(teacher),
        "analyzer": "whitespace",
        "rules": Rules(n_iter=1),
        "embedding_path": str(vectors),
        "n_frequent": 50,
        "student": ("ngram",),
        "student_steps": 2,
        "gold_epochs": 0,
        "processes": 1,
    }
    return DistillOptions(**(settings | changes))


@pytest.fixture(scope="module")
def go_on(
    tiny_data: Path, teacher: Path, tiny_vectors: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Runs students in one folder, with the options that are given."""
    run = tmp_path_factory.mktemp("runs") / "together"

    def go_on(**changes: Any) -> Path:
        distill(options(tiny_data, teacher, tiny_vectors, run, **changes))
        return run

    return go_on


def written(run: Path, *stages: str) -> list[int]:
    """When these stages' manifests were written."""
    return [(run / stage / "manifest.json").stat().st_mtime_ns for stage in stages]


def test_the_students_learn_the_average_of_all_teachers_and_the_table_names_them(
    go_on: Callable[..., Path], teacher: Path, other_teacher: Path
) -> None:
    run = go_on()
    alone, before = read_transfer(run / "transfer"), written(run, "teacher", "augmented")
    go_on(ensemble=(str(other_teacher),))
    assert written(run, "teacher", "augmented") == before
    together = read_transfer(run / "transfer")
    assert together.texts == alone.texts
    assert any("[MASK]" in text for text in together.texts)
    other = potstill.load(run / "teachers" / "other")
    assert other.classes_.tolist() == ["0", "1"]
    other_logits = other.logits([unify_masks(str(text), "<mask>") for text in together.texts])
    expected = (alone.logits + other_logits * (alone.logits.std() / other_logits.std())) / 2
    np.testing.assert_allclose(together.logits, expected, atol=1e-4)
    assert not np.allclose(together.logits, alone.logits, atol=1e-2)
    rows = [score["name"] for score in read_json(run / "evaluation" / "evaluation.json")["scores"]]
    assert rows == [f"teacher ({teacher.name})", "teacher (other)", "ngram"]
    card = (run / "student" / "README.md").read_text()
    assert f"distilled from `{teacher.name}` and `other` with" in card
    assert f"The student learnt the\nteachers' averaged logits of {len(together.texts)} texts" in card
    assert all(f"| `{row}` |" in card for row in rows)
    stages = {"augmented", "teacher", "teachers/other"}
    assert (read_manifest(run / "transfer") or {})["inputs"].keys() == {"labelling"} | stages
    weights = (read_manifest(run / "teachers" / "other") or {})["inputs"]["teacher_weights"]
    assert weights == hash_file(other_teacher / "model.safetensors")
    assert not list((run / "transfer").glob(".*"))


def test_labels_that_the_teachers_are_confident_of_are_learnt_in_place_of_their_logits(
    go_on: Callable[..., Path], other_teacher: Path
) -> None:
    run = go_on(ensemble=(str(other_teacher),))
    labelled, before = read_transfer(run / "transfer"), written(run, "augmented", "transfer")
    threshold = float(np.median(SingleLabel().entropy(labelled.logits)))
    go_on(ensemble=(str(other_teacher),), soft_labels=SoftLabelFilter(threshold, hard_labeling=True))
    assert written(run, "augmented", "transfer") == before, "nothing is labelled again"
    confident = SingleLabel().entropy(labelled.logits) <= threshold
    assert 0 < confident.sum() < len(confident)
    gold = np.load(run / "prepared" / "transfer" / "gold.npy")
    assert gold.dtype == np.int64 and gold.tolist() == labelled.logits[confident].argmax(axis=1).tolist()
    assert not (run / "prepared" / "transfer" / "teacher_logits.npy").exists()
    assert (read_manifest(run / "prepared") or {})["inputs"]["entropy_threshold"] == threshold
    learnt = f"teachers' averaged labels, where their entropy is at most {threshold:g} bits, of"
    assert learnt in (run / "student" / "README.md").read_text()


def test_a_teacher_of_other_labels_is_refused_before_the_first_one_is_fine_tuned(
    tiny_data: Path,
    tiny_encoder: Path,
    tiny_vectors: Path,
    classifier_folder: Callable[[dict[int, str]], Path],
    tmp_path: Path,
) -> None:
    run, other = tmp_path / "run", classifier_folder({0: "no", 1: "yes", 2: "perhaps"})
    with pytest.raises(PotstillError, match=f"{other}: its labels are no, yes, perhaps, the data's are 0, 1"):
        distill(options(tiny_data, tiny_encoder, tiny_vectors, run, ensemble=(str(other),)))
    assert not (run / "teacher").exists()


def test_two_teachers_of_one_name_are_refused() -> None:
    settings = options(Path("d"), Path("t"), Path("v"), Path("o"), ensemble=("a/b", "c/b"))
    with pytest.raises(PotstillError, match="--ensemble: a/b and c/b would have the same folder; leave one out"):
        find_ensemble(settings)


def test_more_teachers_with_a_labelled_set_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match="--transfer is a labelled set, to which --ensemble adds nothing"):
        options(Path("d"), Path("t"), Path("v"), Path("o"), ensemble=("a",), transfer=(tmp_path,))
