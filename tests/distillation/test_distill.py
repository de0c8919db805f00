"""The whole job on small stand-ins: stages done once, redone when their options change."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import potstill
from potstill.artifacts import FORMAT, LABELS, hash_json, read_json, read_manifest, write_json
from potstill.corpus.labels import read_labels
from potstill.distillation.distill import distill
from potstill.errors import PotstillError
from small_runs import small_run, written

STAGES = (
    "data",
    "teacher",
    "augmented",
    "transfer",
    "prepared",
    "students/cnn",
    "students/cnn-gold",
    "evaluation",
    "student",
)


def written_at(out: Path) -> dict[str, int]:
    """When each stage's manifest was written."""
    return {stage: (out / stage / "manifest.json").stat().st_mtime_ns for stage in STAGES}


def test_a_run_leaves_every_stage_complete_and_a_table_of_three(finished: Path) -> None:
    assert all(read_manifest(finished / stage) for stage in STAGES)
    scores = read_json(finished / "evaluation" / "evaluation.json")["scores"]
    assert [score["name"] for score in scores][1:] == ["cnn", "cnn, gold labels alone"]
    assert all(score["total"] == 20 and score["p50_ms"] > 0 and score["megabytes"] > 0 for score in scores)


def test_every_file_has_the_mode_that_a_new_one_has(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "new").touch()
    expected = (tmp_path / "new").stat().st_mode
    assert [file for file in finished.rglob("*") if file.is_file() and file.stat().st_mode != expected] == []


def test_teacher_and_student_are_calibrated_on_valid_and_the_table_says_what_it_gained(finished: Path) -> None:
    for folder in ("teacher", "students/cnn", "students/cnn-gold", "student"):
        temperature = read_json(finished / folder / "config.json")["calibration_temperature"]
        assert potstill.load(finished / folder).temperature == temperature != 1
    for score in read_json(finished / "evaluation" / "evaluation.json")["scores"]:
        assert 0 <= score["calibration_error"] <= 1 and score["calibration_error"] != score["uncalibrated_error"]


def test_run_json_records_configuration_seeds_versions_and_data(finished: Path) -> None:
    record = read_json(finished / "run.json")
    assert record["config"]["seed"] == 42
    assert record["config"]["rules"]["n_iter"] == 3
    assert set(record["data"]) == {"train.txt", "valid.txt", "test.txt"}
    assert {"python", "torch", "transformers", "potstill", "spacy"} <= set(record["versions"])
    assert set(record["stages"]) == set(STAGES)


def test_a_second_run_does_nothing(
    finished: Path, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = written_at(finished)
    with caplog.at_level("INFO", logger="potstill"):
        again = distill(small_run(tiny_data, tiny_encoder, tiny_vectors, finished))
    assert written_at(finished) == before
    assert caplog.text.count("done already") == len(STAGES)
    assert len(again.scores) == 3


def test_a_stage_that_a_kill_kept_from_the_record_is_recorded_without_its_seconds(
    finished: Path, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path
) -> None:
    record = read_json(finished / "run.json")
    seconds = record["stages"].pop("teacher").pop("seconds")
    write_json(finished / "run.json", record)
    distill(small_run(tiny_data, tiny_encoder, tiny_vectors, finished))
    stages = read_json(finished / "run.json")["stages"]
    assert seconds > 0 and stages["teacher"]["seconds"] is None
    inputs = (read_manifest(finished / "teacher") or {})["inputs"]
    assert stages["teacher"]["inputs"] == hash_json(inputs)
    assert "teacher not noted" in (finished / "report.html").read_text()


def test_a_run_of_another_format_is_refused_and_stays(
    finished: Path, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    record = read_json(run / "run.json")
    assert record["format"] == FORMAT
    write_json(run / "run.json", record | {"format": 9})
    before = (run / "run.json").read_bytes(), written_at(run)
    with pytest.raises(PotstillError, match=r"made by another version of potstill: its run\.json has format 9"):
        distill(small_run(tiny_data, tiny_encoder, tiny_vectors, run, student_lr=0.001))
    assert ((run / "run.json").read_bytes(), written_at(run)) == before


def test_a_changed_option_reruns_what_depends_on_it_and_says_so(
    finished: Path, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = written_at(finished)
    with caplog.at_level("INFO", logger="potstill"):
        distill(small_run(tiny_data, tiny_encoder, tiny_vectors, finished, student_lr=0.001))
    changed = {stage for stage, when in written_at(finished).items() if when != before[stage]}
    assert changed == {"students/cnn", "students/cnn-gold", "evaluation", "student"}
    assert "students/cnn: again, because student_lr was 0.002 and is 0.001" in caplog.text


def test_the_student_has_the_same_logits_in_transformers_and_in_the_runtime(finished: Path) -> None:
    from transformers import pipeline

    import potstill.students  # registers the student

    texts = ["a truly fine film", "dull, and it doesn't end"]
    classify = pipeline("text-classification", str(finished / "student"), top_k=None, function_to_apply="none")
    entries_of_texts: Any = classify(texts)
    scores_of_texts = [{entry["label"]: entry["score"] for entry in entries} for entries in entries_of_texts]
    student = potstill.load(finished / "student")
    expected = np.array([[scores[label] for label in student.classes_] for scores in scores_of_texts])
    np.testing.assert_allclose(student.logits(texts), expected, atol=1e-4)


def test_a_teacher_fine_tuned_on_the_labels_is_not_fine_tuned_again(
    finished: Path, tiny_data: Path, tiny_vectors: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="potstill"):
        distill(small_run(tiny_data, finished / "teacher", tiny_vectors, tmp_path / "run", gold_epochs=0))
    assert "is fine-tuned on these labels: used as it is" in caplog.text
    texts = ["a truly fine film"]
    first, second = (potstill.load(folder / "teacher").logits(texts) for folder in (finished, tmp_path / "run"))
    np.testing.assert_array_equal(first, second)
    before = written(tmp_path / "run", "data", "teacher")
    changes = {"gold_epochs": 0, "seed": 7, "teacher_lr": 1e-4, "teacher_dropout": 0.3}
    distill(small_run(tiny_data, finished / "teacher", tiny_vectors, tmp_path / "run", **changes))
    assert written(tmp_path / "run", "data", "teacher") == before, "neither depends on these"


def test_a_classifier_of_other_labels_is_an_encoder_that_has_learnt_something(
    classifier_folder: Callable[[dict[int, str]], Path],
    tiny_data: Path,
    tiny_vectors: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other, out = classifier_folder({0: "left", 1: "right", 2: "neither"}), tmp_path / "run"
    with caplog.at_level("INFO", logger="potstill"):
        distill(small_run(tiny_data, other, tiny_vectors, out, gold_epochs=0))
    assert "has other labels (left, right, neither): fine-tuned with a new last layer" in caplog.text
    assert potstill.load(out / "teacher").classes_.tolist() == read_labels(out / "data" / LABELS)


@pytest.mark.parametrize("option", ["teacher", "ensemble"])
def test_a_student_is_refused_as_a_teacher(
    finished: Path, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path, option: str
) -> None:
    student = finished / "student"
    teachers = {"teacher": tiny_encoder, "ensemble": (str(student),)} if option == "ensemble" else {"teacher": student}
    with pytest.raises(PotstillError, match="student: a student; give a transformer's checkpoint"):
        distill(small_run(tiny_data, vectors=tiny_vectors, out=tmp_path / "run", **teachers))


def test_a_transfer_set_that_is_given_is_used(
    finished: Path, tiny_data: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    transfer = finished / "transfer"
    distill(small_run(tiny_data, finished / "teacher", tiny_vectors, out, transfer=(transfer,), gold_epochs=0))
    assert not (out / "augmented").exists()
    first, second = (potstill.load(folder / "teacher") for folder in (finished, out))
    assert first.classes_.tolist() == second.classes_.tolist()


def test_an_encoder_that_is_said_to_be_fine_tuned_is_refused(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    with pytest.raises(PotstillError, match="not a fine-tuned classifier"):
        distill(small_run(tiny_data, tiny_encoder, tiny_vectors, tmp_path / "run", teacher_is_finetuned=True))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"student": ("cnm",)}, "there is no student 'cnm'"),
        ({"analyzer": "none"}, "there is no analyzer 'none'"),
        ({"embedding_path": "none.txt"}, "no such word vectors"),
    ],
)
def test_a_wrong_name_is_found_before_anything_expensive(
    changes: dict[str, str], complaint: str, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    with pytest.raises(PotstillError, match=complaint):
        distill(small_run(tiny_data, tiny_encoder, tiny_vectors, tmp_path / "run", **changes))
    assert not (tmp_path / "run" / "data").exists()


def test_a_run_folder_that_cannot_be_written_is_one_line(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PotstillError, match="cannot write here"):
        distill(small_run(tiny_data, tiny_encoder, tiny_vectors, tmp_path / "file" / "run"))
