"""The whole job on small stand-ins: stages done once, redone when their options change."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import potstill
from potstill.artifacts import hash_json, read_json, read_manifest, write_json
from potstill.augment.sampling import Rules
from potstill.corpus.examples import read_examples
from potstill.corpus.transfer import read_transfer, write_shard
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


def test_a_stage_that_a_kill_kept_from_the_record_is_recorded_without_its_seconds(
    finished: Path, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path
) -> None:
    record = read_json(finished / "run.json")
    seconds = record["stages"].pop("teacher").pop("seconds")
    write_json(finished / "run.json", record)
    distill(options(tiny_data, tiny_encoder, tiny_vectors, finished))
    stages = read_json(finished / "run.json")["stages"]
    assert seconds > 0 and stages["teacher"]["seconds"] is None
    inputs = (read_manifest(finished / "teacher") or {})["inputs"]
    assert stages["teacher"]["inputs"] == hash_json(inputs)
    assert "teacher not noted" in (finished / "report.html").read_text()


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
    before = written(tmp_path / "run", "data", "teacher")
    changes = {"gold_epochs": 0, "seed": 7, "teacher_lr": 1e-4, "teacher_dropout": 0.3}
    distill(options(tiny_data, finished / "teacher", tiny_vectors, tmp_path / "run", **changes))
    assert written(tmp_path / "run", "data", "teacher") == before, "neither depends on these"


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


def begun(finished: Path, out: Path) -> Path:
    """A new run folder with the finished one's stages up to the transfer set."""
    for stage in ("data", "teacher", "augmented", "transfer"):
        shutil.copytree(finished / stage, out / stage)
    return out


def table(run: Path) -> dict[str, dict[str, Any]]:
    """The rows of the table by name, in its order."""
    return {score["name"]: score for score in read_json(run / "evaluation" / "evaluation.json")["scores"]}


def written(run: Path, *stages: str) -> list[int]:
    """When these stages' manifests were written."""
    return [(run / stage / "manifest.json").stat().st_mtime_ns for stage in stages]


def test_all_trains_every_student_and_its_twin_and_the_best_on_valid_becomes_student(
    finished: Path, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    run = begun(finished, tmp_path / "run")
    done = distill(options(tiny_data, tiny_encoder, tiny_vectors, run, student=("all",), student_epochs=1))
    names = ["cnn", "densenet-cnn", "densenet-dsa", "bilstm", "ngram"]
    rows = table(run)
    assert list(rows)[1:] == [row for name in names for row in (name, f"{name}, gold labels alone")]
    assert [score.name for score in done.scores] == list(rows)
    folders = [path.name for path in (run / "students").iterdir() if not path.name.startswith(".")]
    assert sorted(folders) == sorted(folder for name in names for folder in (name, f"{name}-gold"))
    best = max(names, key=lambda name: rows[name]["valid_accuracy"])
    for file in ("model.safetensors", "model.onnx", "config.json", "tokenizer.json"):
        assert (run / "student" / file).read_bytes() == (run / "students" / best / file).read_bytes()
    assert done.student == run / "student" and read_manifest(done.student)
    assert potstill.load(done.student).classes_.tolist() == ["0", "1"]


@pytest.fixture(scope="module")
def joined(
    finished: Path, tmp_path_factory: pytest.TempPathFactory, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path
) -> Callable[..., Path]:
    """Runs students, without twins, on the teacher's vectors and those of a file end to end, in one folder."""
    run = begun(finished, tmp_path_factory.mktemp("runs") / "joined")
    vectors = Path(f"teacher:6+{tiny_vectors}")

    def go_on(*students: str) -> Path:
        changes: dict[str, Any] = {"student": students, "student_epochs": 1, "gold_epochs": 0}
        distill(options(tiny_data, tiny_encoder, vectors, run, **changes))
        return run

    return go_on


def test_a_run_takes_vectors_from_its_teacher(joined: Callable[..., Path]) -> None:
    run = joined("ngram")
    assert np.load(run / "prepared" / "embedding.npy").shape[1] == 6 + 8
    inputs = (read_manifest(run / "prepared") or {})["inputs"]
    assert inputs["teacher"] and inputs["embedding_path"][0] == "teacher:6"
    assert read_json(run / "student" / "config.json")["embedding_width"] == 14


def test_a_student_that_is_added_later_leaves_the_first_as_it_is(
    joined: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    run = joined("ngram")
    kept = ("data", "teacher", "augmented", "transfer", "prepared", "students/ngram")
    before = written(run, *kept)
    with caplog.at_level("INFO", logger="potstill"):
        joined("ngram", "bilstm")
    assert written(run, *kept) == before
    assert "students/ngram: done already" in caplog.text
    assert list(table(run))[1:] == ["ngram", "bilstm"]
    assert read_manifest(run / "students" / "bilstm") and not (run / "students" / "bilstm-gold").exists()


def test_transformers_are_students_too(
    finished: Path, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    run = begun(finished, tmp_path / "run")
    students = (str(tiny_encoder), "teacher")
    changes: dict[str, Any] = {"student": students, "layers": 1, "student_epochs": 1, "gold_epochs": 0}
    distill(options(tiny_data, tiny_encoder, tiny_vectors, run, **changes))
    names = [f"{tiny_encoder.name}-1-layers", "teacher-1-layers"]
    assert list(table(run))[1:] == names
    assert not (run / "prepared").exists()
    for name in names:
        assert read_json(run / "students" / name / "config.json")["num_hidden_layers"] == 1
        assert potstill.load(run / "students" / name).classes_.tolist() == ["0", "1"]
        assert (read_manifest(run / f"prepared-{name}") or {})["inputs"].keys() >= {"transfer", "data"}
    assert read_json(run / "student" / "config.json")["model_type"] == "bert"


def test_a_teacher_that_is_cut_begins_with_its_own_layers(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    small = BertConfig.from_pretrained(tiny_encoder, num_hidden_layers=3)
    BertForSequenceClassification(small).save_pretrained(tmp_path / "big")
    AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(tmp_path / "big")
    (tmp_path / "transfer.txt").write_text("the film is fine\t-1 1\nthe plot is dull\t1 -1\n")
    changes: dict[str, Any] = {"student": ("teacher",), "layers": 2, "student_steps": 1, "gold_epochs": 0}
    changes |= {"transfer": (tmp_path / "transfer.txt",), "teacher_lr": 1e-9}
    run = tmp_path / "run"
    distill(options(tiny_data, tmp_path / "big", tiny_vectors, run, **changes))
    teacher, student = (load_file(run / name / "model.safetensors") for name in ("teacher", "student"))
    for ours, theirs in ((0, 0), (1, 2)):
        name = "bert.encoder.layer.{}.attention.self.query.weight"
        np.testing.assert_allclose(student[name.format(ours)], teacher[name.format(theirs)], atol=1e-6)
    np.testing.assert_allclose(student["classifier.weight"], teacher["classifier.weight"], atol=1e-6)
    assert not any(name.startswith("bert.encoder.layer.2.") for name in student)


def test_sets_are_averaged_and_learnt_as_probabilities_beside_gold_labels(
    finished: Path, tiny_data: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    given = read_transfer(finished / "transfer")
    write_shard(tmp_path / "other.parquet", given.texts, given.logits[::-1])
    sets = (finished / "transfer", tmp_path / "other.parquet")
    changes: dict[str, Any] = {"transfer": sets, "loss": "kl", "temperature": 2.0, "gold_weight": 0.5}
    run = tmp_path / "run"
    distill(options(tiny_data, finished / "teacher", tiny_vectors, run, gold_epochs=0, **changes))
    average = read_transfer(run / "transfer")
    assert average.texts == given.texts
    np.testing.assert_allclose(average.logits, (given.logits + given.logits[::-1]) / 2, atol=1e-5)
    known = {example.text: int(example.label) for example in read_examples(tiny_data / "train.txt")}
    gold = np.load(run / "prepared" / "transfer" / "gold.npy").tolist()
    assert gold == [known.get(text, -100) for text in given.texts]
    assert sum(label >= 0 for label in gold) == len(known)
    inputs = (read_manifest(run / "students" / "cnn") or {})["inputs"]
    assert [inputs[f"student_{name}"] for name in ("loss", "temperature", "gold_weight")] == ["kl", 2.0, 0.5]
    assert list(table(run))[1:] == ["cnn"]


def test_two_students_of_one_name_are_refused(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    students = ("cnn", "one/small", "other/small")
    with pytest.raises(PotstillError, match="one/small and other/small would have the same folder"):
        distill(options(tiny_data, tiny_encoder, tiny_vectors, tmp_path / "run", student=students))
