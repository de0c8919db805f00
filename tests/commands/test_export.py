"""Export: a file a precision, and an inexact one only where it keeps the accuracy."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import potstill
from families import write_family
from potstill.artifacts import read_json, read_manifest, write_json, write_manifest
from potstill.cli import main
from potstill.commands import export as stage
from potstill.commands.export import ExportOptions, export
from potstill.corpus.columns import Columns
from potstill.corpus.examples import read_examples
from potstill.corpus.words import build_tokenizer
from potstill.errors import PotstillError
from potstill.evaluation.labelled import Labelled
from potstill.export.onnx_files import save_model
from potstill.locks import Locked, locked
from potstill.manifests import find_faults
from potstill.tasks import MULTI_LABEL
from potstill.training.fitting import new_student
from potstill.training.vocabulary import Vocabulary
from standins import write_reviews, write_student


@pytest.fixture
def student(tmp_path: Path, tiny_data: Path) -> Path:
    """A student with random weights over the words of the data: a stand-in, with a manifest as training leaves it."""
    words = sorted({word for row in read_examples(tiny_data / "train.txt") for word in row.text.split()})
    table = np.random.default_rng(0).normal(size=(len(words) + 3, 16)).astype(np.float32)
    folder = tmp_path / "student"
    folder.mkdir()
    vocabulary = Vocabulary(build_tokenizer(words, lower=True), table)
    save_model(*new_student("cnn", {}, vocabulary, ["0", "1"], embedding_trainable=True, seed=1), folder)
    write_manifest(folder, {"written": "by training"})
    return folder


def texts_of(data: Path) -> list[str]:
    return [row.text for row in read_examples(data / "valid.txt")]


def test_int8_that_keeps_the_accuracy_is_there_measured_and_listed(student: Path, tiny_data: Path) -> None:
    exported = export(ExportOptions(student, int8=True, check=tiny_data, max_drop=100))
    assert list(exported.precisions) == ["fp32", "int8"] and exported.n_valid == 20
    assert (student / "model.int8.onnx").stat().st_size < 0.4 * (student / "model.onnx").stat().st_size
    recorded = read_json(student / "precision.json")
    assert recorded["default"] == exported.default
    assert recorded["precisions"]["fp32"]["drop"] == 0
    manifest = read_manifest(student)
    assert manifest is not None and manifest["inputs"] == {"written": "by training"}
    assert {"model.onnx", "model.int8.onnx", "precision.json"} <= set(manifest["files"])
    assert set(manifest["files"]) | {"manifest.json"} == {file.name for file in student.iterdir()}
    exact, coarse = (potstill.load(student, precision=name).logits(texts_of(tiny_data)) for name in ("fp32", "int8"))
    assert 0 < np.abs(exact - coarse).max() < 0.1


def test_a_model_that_another_process_works_on_stays_as_it_is(student: Path) -> None:
    before = sorted(student.iterdir())
    with locked(student, student / ".export.lock"), pytest.raises(Locked):
        export(ExportOptions(student))
    assert sorted(student.iterdir()) == before


def test_load_uses_the_fastest_precision_or_the_one_that_is_named(student: Path, tiny_data: Path) -> None:
    export(ExportOptions(student, int8=True, check=tiny_data, max_drop=100))
    texts = texts_of(tiny_data)
    for default in ("int8", "fp32"):
        write_json(student / "precision.json", {"default": default})
        chosen, named = potstill.load(student), potstill.load(student, precision=default)
        np.testing.assert_array_equal(chosen.logits(texts), named.logits(texts))
    with pytest.raises(PotstillError, match="no precision 'int4': choose one of fp32, int8"):
        potstill.load(student, precision="int4")


def test_int8_that_loses_too_much_is_refused_with_figures_and_nothing_changes(
    student: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {file.name: file.read_bytes() for file in student.iterdir()}
    lossy = stage.Precision("accuracy", share=0.815, agreement=0.9, drop=1.5, p50_ms=0.1, megabytes=1)
    exact = stage.Precision("accuracy", share=0.83, agreement=1, drop=0, p50_ms=0.2, megabytes=4)
    monkeypatch.setattr(stage, "_measure", lambda *_: {"fp32": exact, "int8": lossy})
    with pytest.raises(SystemExit) as raised:
        main(["export", str(student), "--int8", "--check", str(tiny_data), "--max-drop=1.4"])
    printed = capsys.readouterr().err.splitlines()[-1]
    assert raised.value.code == 2
    assert "int8 loses 1.50 points of accuracy on valid (83.00 to 81.50), more than --max_drop=1.4: refused" in printed
    assert {file.name: file.read_bytes() for file in student.iterdir()} == before


@pytest.mark.parametrize(
    ("fp32_ms", "int8_ms", "chosen"), [(0.2, 0.1, "int8"), (0.1, 0.2, "fp32"), (0.200, 0.201, "int8")]
)
def test_the_fastest_is_chosen_and_of_two_as_fast_the_smaller(
    fp32_ms: float, int8_ms: float, chosen: str, student: Path
) -> None:
    fp32, int8 = (
        stage.Precision("accuracy", 0.8, 1, 0, ms, megabytes) for ms, megabytes in ((fp32_ms, 8), (int8_ms, 2))
    )
    assert stage._choose(student, {"fp32": fp32, "int8": int8}, 0.3) == chosen


def test_without_int8_an_older_int8_file_goes(student: Path, tiny_data: Path) -> None:
    export(ExportOptions(student, int8=True, check=tiny_data, max_drop=100))
    exported = export(ExportOptions(student))
    assert exported.default == "fp32" and exported.precisions == {}
    assert not (student / "model.int8.onnx").exists() and not (student / "precision.json").exists()


REPLACED = {
    "model.onnx",
    "model.int8.onnx",
    "plan.int8.safetensors",
    "plan.json",
    "plan.int8.json",
    "precision.json",
}


def test_stopped_while_it_replaces_files_an_export_leaves_a_complete_folder(
    student: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ExportOptions(student, int8=True, check=tiny_data, max_drop=100)
    export(options)
    listed = set((read_manifest(student) or {})["files"])

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(stage, "write_json", stop)  # precision.json is written last
        export(options)
    assert set((read_manifest(student) or {})["files"]) == listed - REPLACED
    assert potstill.load(student).classes_.tolist() == ["0", "1"]
    (student / ".export").mkdir()  # where a kill would have left it
    export(options)
    assert set((read_manifest(student) or {})["files"]) == listed and not (student / ".export").exists()
    assert find_faults(student) == []


def test_a_teacher_is_exported_too(classifier_folder: Callable[[dict[int, str]], Path], tiny_data: Path) -> None:
    folder = classifier_folder({0: "0", 1: "1"})
    exported = export(ExportOptions(folder, int8=True, check=tiny_data, max_drop=100))
    assert set(exported.precisions) == {"fp32", "int8"}
    stored = onnx.load(folder / "model.int8.onnx").graph.initializer
    assert [tensor.data_type for tensor in stored if list(tensor.dims) == [400, 32]] == [
        onnx.TensorProto.UINT8
    ]  # tokens
    texts = texts_of(tiny_data)
    exact, coarse = (potstill.load(folder, precision=name).logits(texts) for name in ("fp32", "int8"))
    np.testing.assert_allclose(coarse, exact, atol=0.05)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"model": Path("nowhere"), "int8": True}, "nowhere: no config.json in it"),
        ({"int8": True}, "give --check DATA"),
        ({"int8": True, "check": Path("nowhere")}, "nowhere: no such folder"),
    ],
)
def test_a_model_that_cannot_be_exported_is_refused(student: Path, options: dict[str, object], complaint: str) -> None:
    with pytest.raises(PotstillError, match=complaint):
        export(ExportOptions(**({"model": student} | options)))  # type: ignore[arg-type]


def test_a_label_that_the_model_lacks_is_named(student: Path, tmp_path: Path) -> None:
    for split in ("train", "valid"):
        (tmp_path / f"{split}.txt").write_text("a fine film\tgood\n")
    with pytest.raises(PotstillError, match="no label 'good'"):
        export(ExportOptions(student, int8=True, check=tmp_path))


def test_a_drop_that_is_no_number_of_points_is_refused(student: Path) -> None:
    with pytest.raises(PotstillError, match="must be between 0 and 100"):
        ExportOptions(student, max_drop=-1)


def test_a_decoder_without_a_padding_token_is_exported_with_one(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    folder = write_family("gpt2", tmp_path, pads=False, pad_token_id=None)
    AutoModelForSequenceClassification.from_pretrained(folder).save_pretrained(folder)
    assert read_json(folder / "config.json")["pad_token_id"] is None
    export(ExportOptions(folder))
    config = read_json(folder / "config.json")
    assert config["pad_token_id"] == config["eos_token_id"]
    texts = ["the film is fine", "dull", "the story is warm , a clever plot and it doesn't end"]
    exported = potstill.load(folder)
    alone = np.concatenate([exported.logits([text]) for text in texts])
    np.testing.assert_allclose(exported.logits(texts), alone, atol=1e-4)


def test_the_data_may_have_columns_of_any_names(student: Path, tmp_path: Path) -> None:
    columns = Columns("opinion", label_column="verdict")
    data = write_reviews(tmp_path / "reviews")
    exported = export(ExportOptions(student, int8=True, check=data, columns=columns, max_drop=100))
    assert exported.n_valid == 20
    with pytest.raises(PotstillError, match="--text_column names a column of the data: give --check too"):
        ExportOptions(student, columns=columns)


def test_int8_of_several_labels_is_gated_on_macro_f1(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        rows = [
            {"text": f"a b {word}", "labels": labels} for word, labels in (("c", ["x"]), ("d", ["x", "y"]), ("e", []))
        ]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows * 8)))
    student = write_student(tmp_path / "student", labels=("x", "y"), problem_type=MULTI_LABEL)
    exported = export(ExportOptions(student, int8=True, check=tmp_path, max_drop=100))
    valid = Labelled.of(read_examples(tmp_path / "valid.jsonl"))
    for name, precision in exported.precisions.items():
        predicted = potstill.load(student, precision=name).predict(valid.texts)
        assert precision.figure == "macro F1" and precision.share == pytest.approx(valid.f1(predicted))
        assert precision.agreement == 1.0
    assert "macro F1 on the 24 texts of valid" in str(exported)
    with pytest.raises(PotstillError, match=r"int8 loses 2\.00 points of macro F1 on valid \(80\.00 to 78\.00\)"):
        measured = {
            name: stage.Precision("macro F1", share, 1, drop, 1.0, 8) for name, share, drop in
            (("fp32", 0.8, 0.0), ("int8", 0.78, 2.0))
        }  # fmt: skip
        stage._choose(student, measured, 0.3)


def test_data_of_several_labels_does_not_check_a_model_of_one(student: Path, tmp_path: Path) -> None:
    for split in ("train", "valid"):
        rows = [{"text": "fine", "labels": labels} for labels in (["0"], ["0", "1"], [])]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(PotstillError, match=r"valid:3: 0 labels|valid:2: 2 labels, where a text has one: keep one"):
        export(ExportOptions(student, check=tmp_path))
