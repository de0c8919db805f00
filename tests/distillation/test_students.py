"""Several students in one run, what they learn from, and the best of them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import potstill
from potstill.artifacts import read_json, read_manifest
from potstill.commands.export import ExportOptions, export
from potstill.corpus.examples import read_examples
from potstill.corpus.transfer import read_transfer, write_shard
from potstill.distillation.distill import distill
from potstill.errors import PotstillError
from potstill.model_folder import ModelFolder
from potstill.runtime.cascade import Cascade
from potstill.runtime.core_graph import CoreGraph
from potstill.runtime.onnx_graphs import open_onnx
from potstill.runtime.student_graph import StudentGraph
from small_runs import small_run, written


def begun(finished: Path, out: Path) -> Path:
    """A new run folder with the finished one's stages up to the transfer set."""
    for stage in ("data", "teacher", "augmented", "transfer"):
        shutil.copytree(finished / stage, out / stage)
    return out


def table(run: Path) -> dict[str, dict[str, Any]]:
    """The rows of the table by name, in its order."""
    return {score["name"]: score for score in read_json(run / "evaluation" / "evaluation.json")["scores"]}


def test_all_trains_every_student_and_its_baseline_and_the_best_on_valid_becomes_student(
    finished: Path, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    run = begun(finished, tmp_path / "run")
    done = distill(small_run(tiny_data, tiny_encoder, tiny_vectors, run, student=("all",), student_epochs=1))
    names = ["cnn", "densenet-cnn", "densenet-dsa", "bilstm", "ngram", "char-ngram"]
    rows = table(run)
    assert list(rows)[1:] == [row for name in names for row in (name, f"{name}, gold labels alone")]
    assert [score.name for score in done.scores] == list(rows)
    folders = [path.name for path in (run / "students").iterdir() if not path.name.startswith(".")]
    assert sorted(folders) == sorted(folder for name in names for folder in (name, f"{name}-gold"))
    best = max(names, key=lambda name: rows[name]["valid"]["accuracy"])
    for file in ("model.safetensors", "model.onnx", "config.json", "tokenizer.json"):
        assert (run / "student" / file).read_bytes() == (run / "students" / best / file).read_bytes()
    assert done.student == run / "student" and read_manifest(done.student)
    assert potstill.load(done.student).classes_.tolist() == ["0", "1"]


@pytest.fixture(scope="module")
def joined(
    finished: Path, tmp_path_factory: pytest.TempPathFactory, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path
) -> Callable[..., Path]:
    """Runs students, without baselines, on the teacher's vectors and those of a file end to end, in one folder."""
    run = begun(finished, tmp_path_factory.mktemp("runs") / "joined")
    vectors = Path(f"teacher:6+{tiny_vectors}")

    def go_on(*students: str) -> Path:
        changes: dict[str, Any] = {"student": students, "student_epochs": 1, "gold_epochs": 0}
        distill(small_run(tiny_data, tiny_encoder, vectors, run, **changes))
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
    stages = ("data", "teacher", "augmented", "transfer", "prepared", "students/ngram")
    before = written(run, *stages)
    with caplog.at_level("INFO", logger="potstill"):
        joined("ngram", "bilstm")
    assert written(run, *stages) == before
    assert "students/ngram: done already" in caplog.text
    assert list(table(run))[1:] == ["ngram", "bilstm"]
    assert read_manifest(run / "students" / "bilstm") and not (run / "students" / "bilstm-gold").exists()


def test_a_student_that_reads_characters_needs_neither_vectors_nor_an_analyzer(
    finished: Path, tiny_data: Path, tiny_encoder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = begun(finished, tmp_path / "run")
    shutil.rmtree(run / "transfer")  # another one is given, and no run.json says that this one may be replaced
    changes: dict[str, Any] = {"student": ("char-ngram",), "student_epochs": 1, "gold_epochs": 1}
    changes |= {"transfer": (finished / "transfer",), "analyzer": "khaiii"}  # which is not installed
    options = small_run(tiny_data, tiny_encoder, Path("no-vectors.txt"), run, **changes)
    distill(options)
    assert not (run / "prepared").exists() and not (run / "prepared-char-ngram" / "embedding.npy").exists()
    config = read_json(run / "student" / "config.json")
    assert config["model_type"] == "potstill-char-ngram" and not config.get("analyzer")
    test = read_examples(run / "data" / "test.parquet")
    assert table(run)["char-ngram"]["coverage"]["words"] == sum(len(" ".join(row.text.split())) + 2 for row in test)
    before = written(run, "prepared-char-ngram", "students/char-ngram")
    with caplog.at_level("INFO", logger="potstill"):
        distill(options)
    assert written(run, "prepared-char-ngram", "students/char-ngram") == before
    assert "prepared-char-ngram: done already" in caplog.text


def test_transformers_are_students_too(
    finished: Path, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    run = begun(finished, tmp_path / "run")
    students = (str(tiny_encoder), "teacher")
    changes: dict[str, Any] = {"student": students, "layers": 1, "student_epochs": 1, "gold_epochs": 0}
    distill(small_run(tiny_data, tiny_encoder, tiny_vectors, run, **changes))
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
    distill(small_run(tiny_data, tmp_path / "big", tiny_vectors, run, **changes))
    teacher, student = (load_file(run / name / "model.safetensors") for name in ("teacher", "student"))
    for student_layer, teacher_layer in ((0, 0), (1, 2)):
        name = "bert.encoder.layer.{}.attention.self.query.weight"
        np.testing.assert_allclose(student[name.format(student_layer)], teacher[name.format(teacher_layer)], atol=1e-6)
    np.testing.assert_allclose(student["classifier.weight"], teacher["classifier.weight"], atol=1e-6)
    assert not any(name.startswith("bert.encoder.layer.2.") for name in student)


def test_sets_are_averaged_and_learnt_as_probabilities_with_gold_labels(
    finished: Path, tiny_data: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    labelled = read_transfer(finished / "transfer")
    write_shard(tmp_path / "other.parquet", labelled.texts, labelled.logits[::-1])
    sets = (finished / "transfer", tmp_path / "other.parquet")
    changes: dict[str, Any] = {"transfer": sets, "loss": "kl", "temperature": 2.0, "gold_weight": 0.5}
    changes["own_share"] = 0.0
    run = tmp_path / "run"
    distill(small_run(tiny_data, finished / "teacher", tiny_vectors, run, gold_epochs=0, **changes))
    average = read_transfer(run / "transfer")
    assert average.texts == labelled.texts
    np.testing.assert_allclose(average.logits, (labelled.logits + labelled.logits[::-1]) / 2, atol=1e-5)
    known = {example.text: int(str(example.label)) for example in read_examples(tiny_data / "train.txt")}
    gold = np.load(run / "prepared" / "transfer" / "gold.npy").tolist()
    assert gold == [known.get(str(text), -100) for text in labelled.texts]
    assert sum(label >= 0 for label in gold) == len(known)
    inputs = (read_manifest(run / "students" / "cnn") or {})["inputs"]
    assert [inputs[f"student_{name}"] for name in ("loss", "temperature", "gold_weight")] == ["kl", 2.0, 0.5]
    assert list(table(run))[1:] == ["cnn"]


def test_two_students_of_one_name_are_refused(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    students = ("cnn", "one/small", "other/small")
    with pytest.raises(PotstillError, match="one/small and other/small would have the same folder"):
        distill(small_run(tiny_data, tiny_encoder, tiny_vectors, tmp_path / "run", student=students))


def test_a_students_texts_are_split_the_fast_way(finished: Path) -> None:
    """As it is saved after training its tokenizer has other marks than when it was built."""
    assert isinstance(potstill.load(finished / "student")._graph, CoreGraph)
    graph = open_onnx(ModelFolder(finished / "student"), None, 1)
    assert isinstance(graph, StudentGraph) and graph._words is not None


def test_a_student_without_an_onnx_graph_of_its_own_passes_every_stage(
    plain_student: str, finished: Path, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    run = begun(finished, tmp_path / "run")
    changes: dict[str, Any] = {"student": (plain_student, "cnn"), "student_epochs": 1, "gold_epochs": 0}
    distill(small_run(tiny_data, tiny_encoder, tiny_vectors, run, **changes))
    rows = table(run)
    assert rows[plain_student]["coverage"] == rows["cnn"]["coverage"] and rows["cnn"]["coverage"]["words"]
    assert rows[plain_student]["cascades"] and (run / "report.html").is_file()

    folder = run / "students" / plain_student
    exported = export(ExportOptions(folder, int8=True, check=run / "data", max_drop=100))
    assert list(exported.precisions) == ["fp32", "int8"]
    texts = [row.text for row in read_examples(run / "data" / "test.parquet")]
    exact, coarse = (potstill.load(folder, precision=precision) for precision in ("fp32", "int8"))
    np.testing.assert_allclose(coarse.predict_proba(texts), exact.predict_proba(texts), atol=0.05)
    teacher = potstill.load(run / "teacher")
    for below, expected in ((1.0, teacher), (0.01, exact)):
        probabilities = Cascade(exact, teacher, below).predict_proba(texts)
        np.testing.assert_allclose(probabilities, expected.predict_proba(texts), atol=1e-6)
