"""The whole job on small stand-ins: stages done once, redone when their options change, resumed when killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import potstill
from potstill.artifacts import read_json, read_manifest
from potstill.augment.sampling import Rules
from potstill.errors import PotstillError
from potstill.stages.distill import distill
from potstill.stages.distill_options import DistillOptions

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


def options(data: Path, teacher: Path, vectors: Path, out: Path, **changes: object) -> DistillOptions:
    settings: dict[str, object] = {
        "data": str(data),
        "out": out,
        "teacher": str(teacher),
        "analyzer": "whitespace",
        "rules": Rules(n_iter=3),
        "embedding_path": str(vectors),
        "n_frequent": 50,
        "teacher_epochs": 1,
        "student_epochs": 2,
        "student_batch_size": 16,
        "gold_epochs": 1,
        "processes": 1,
    }
    return DistillOptions(**(settings | changes))  # type: ignore[arg-type]


def made(out: Path) -> dict[str, int]:
    """When each stage's manifest was written."""
    return {stage: (out / stage / "manifest.json").stat().st_mtime_ns for stage in STAGES}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path) -> Path:
    """A finished run on stand-ins."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    distill(options(tiny_data, tiny_encoder, tiny_vectors, out))
    return out


def test_a_run_leaves_every_stage_complete_and_a_table_of_three(finished: Path) -> None:
    assert all(read_manifest(finished / stage) for stage in STAGES)
    scores = read_json(finished / "evaluation" / "evaluation.json")["scores"]
    assert [score["name"] for score in scores][1:] == ["cnn", "cnn, gold labels alone"]
    assert all(score["total"] == 20 and score["p50_ms"] > 0 and score["megabytes"] > 0 for score in scores)


def test_run_json_records_configuration_seeds_versions_and_data(finished: Path) -> None:
    record = read_json(finished / "run.json")
    assert record["config"]["seed"] == 42
    assert record["config"]["rules"]["n_iter"] == 3
    assert set(record["data"]) == {"train.txt", "valid.txt", "test.txt"}
    assert {"python", "torch", "transformers", "potstill"} <= set(record["versions"])
    assert set(record["stages"]) == set(STAGES)


def test_a_second_run_does_nothing(
    finished: Path, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = made(finished)
    with caplog.at_level("INFO", logger="potstill"):
        again = distill(options(tiny_data, tiny_encoder, tiny_vectors, finished))
    assert made(finished) == before
    assert caplog.text.count("done already") == len(STAGES)
    assert len(again.scores) == 3


def test_a_changed_option_reruns_what_depends_on_it_and_says_so(
    finished: Path, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = made(finished)
    with caplog.at_level("INFO", logger="potstill"):
        distill(options(tiny_data, tiny_encoder, tiny_vectors, finished, student_lr=0.002))
    changed = {stage for stage, when in made(finished).items() if when != before[stage]}
    assert changed == {"students/cnn", "students/cnn-gold", "evaluation", "student"}
    assert "students/cnn: again, because student_lr was 0.001 and is 0.002" in caplog.text


def test_the_student_answers_alike_through_transformers_and_through_the_runtime(finished: Path) -> None:
    from transformers import pipeline

    import potstill.students  # registers the student

    texts = ["a truly fine film", "dull, and it doesn't end"]
    classify = pipeline("text-classification", str(finished / "student"), top_k=None, function_to_apply="none")
    found: Any = classify(texts)
    answers = [{entry["label"]: entry["score"] for entry in entries} for entries in found]
    student = potstill.load(finished / "student")
    expected = np.array([[answer[label] for label in student.classes_] for answer in answers])
    np.testing.assert_allclose(student.logits(texts), expected, atol=1e-4)


def test_a_teacher_fine_tuned_on_the_labels_is_not_fine_tuned_again(
    finished: Path, tiny_data: Path, tiny_vectors: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="potstill"):
        distill(options(tiny_data, finished / "teacher", tiny_vectors, tmp_path / "run", gold_epochs=0))
    assert "is fine-tuned on these labels: taken as it is" in caplog.text
    texts = ["a truly fine film"]
    ours, theirs = (potstill.load(folder / "teacher").logits(texts) for folder in (finished, tmp_path / "run"))
    np.testing.assert_array_equal(ours, theirs)


def test_a_transfer_set_that_is_given_is_taken(
    finished: Path, tiny_data: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    given = finished / "transfer"
    distill(options(tiny_data, finished / "teacher", tiny_vectors, out, transfer=(given,), gold_epochs=0))
    assert not (out / "augmented").exists()
    one, other = (potstill.load(folder / "teacher") for folder in (finished, out))
    assert one.classes_.tolist() == other.classes_.tolist()


def test_an_encoder_that_is_said_to_be_fine_tuned_is_refused(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    with pytest.raises(PotstillError, match="not a fine-tuned classifier"):
        distill(options(tiny_data, tiny_encoder, tiny_vectors, tmp_path / "run", teacher_is_finetuned=True))


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
        distill(options(tiny_data, tiny_encoder, tiny_vectors, tmp_path / "run", **changes))
    assert not (tmp_path / "run" / "data").exists()


def test_pairs_are_refused(tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.txt").write_text("a\tb\tyes\nc\td\tno\n")
    with pytest.raises(PotstillError, match="students take single texts"):
        distill(options(tmp_path, tiny_encoder, tiny_vectors, tmp_path / "run"))


def test_a_run_folder_that_cannot_be_written_is_one_line(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PotstillError, match="cannot write here"):
        distill(options(tiny_data, tiny_encoder, tiny_vectors, tmp_path / "file" / "run"))


def command(data: Path, teacher: Path, vectors: Path, out: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "potstill.cli", "distill", f"--data={data}", f"--teacher={teacher}", f"--out={out}"),
        *("--student=cnn", "--analyzer=whitespace", "--n_iter=3", f"--embedding_path={vectors}", "--n_frequent=50"),
        *("--teacher_epochs=3", "--student_epochs=4", "--student_batch_size=16", "--gold_epochs=0", "--threads=1"),
        *("--processes=1", "--quiet"),
    ]


def kill_when(given: list[str], sign: Path, pattern: str) -> None:
    """Start a command and kill it once a file of that pattern stands under ``sign``."""
    process = subprocess.Popen(given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while process.poll() is None and not any(sign.glob(pattern)):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert process.poll() is None, "it ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def test_killed_in_two_trainings_and_run_again_it_ends_as_if_never_killed(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(tiny_data, tiny_encoder, tiny_vectors, whole), check=True, capture_output=True)
    given = command(tiny_data, tiny_encoder, tiny_vectors, killed)
    kill_when(given, killed, ".teacher.partial/.checkpoints/checkpoint-*/trainer_state.json")
    kill_when(given, killed, "students/.cnn.partial/.checkpoints/checkpoint-*/model.safetensors")
    subprocess.run(given, check=True, capture_output=True)
    texts = ["a truly fine film", "a dull one"]
    for model in ("teacher", "student"):
        one, other = (potstill.load(run / model).logits(texts) for run in (whole, killed))
        np.testing.assert_array_equal(one, other)
    assert json.loads((killed / "run.json").read_text())["stages"].keys() == set(STAGES) - {"students/cnn-gold"}
