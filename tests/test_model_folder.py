"""What a model's folder says of itself."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from potstill.artifacts import hash_file, write_json
from potstill.errors import PotstillError
from potstill.model_folder import NO_LIMIT, ModelFolder, is_student_type
from potstill.students import STUDENTS
from standins import write_student


@pytest.fixture
def student(tmp_path: Path) -> ModelFolder:
    """A student with random weights: a stand-in."""
    return ModelFolder(write_student(tmp_path / "student"))


def test_a_student_is_distinguished_from_a_transformer(
    student: ModelFolder, classifier_folder: Callable[[dict[int, str]], Path]
) -> None:
    assert student.is_student and not ModelFolder(classifier_folder({0: "no", 1: "yes"})).is_student


@pytest.mark.parametrize("name", STUDENTS)
def test_every_student_of_the_list_has_a_students_type(name: str) -> None:
    assert is_student_type(STUDENTS[name].config_class.model_type)


def test_the_deployed_files_are_what_the_core_opens_and_their_size_is_the_models(student: ModelFolder) -> None:
    files = student.files()
    assert [file.name for file in files] == ["config.json", "tokenizer.json", "plan.json", "model.safetensors"]
    assert student.megabytes() == sum(len(file.read_bytes()) for file in files) / 1e6


def test_without_a_plan_the_onnx_file_is_deployed(student: ModelFolder) -> None:
    (student.path / "plan.json").unlink()
    assert [file.name for file in student.files()] == ["config.json", "tokenizer.json", "model.onnx"]


def test_a_precision_is_there_where_its_files_are(student: ModelFolder) -> None:
    assert student.precisions == ["fp32"] and student.default_precision == "fp32"
    (student.path / "model.int8.onnx").write_bytes(b"small")
    write_json(student.path / "precision.json", {"default": "int8"})
    assert student.precisions == ["fp32", "int8"] and student.default_precision == "int8"
    assert student.files()[2].name == "model.int8.onnx" and student.files("fp32")[2].name == "plan.json"
    assert student.megabytes() < student.megabytes("fp32")
    (student.path / "model.int8.onnx").unlink()
    write_json(student.path / "plan.int8.json", {"weights": "plan.int8.safetensors"})
    assert student.precisions == ["fp32"]
    (student.path / "plan.int8.safetensors").write_bytes(b"small")
    assert student.precisions == ["fp32", "int8"] and student.files()[2].name == "plan.int8.json"


def test_a_copy_with_int8_alone_is_loaded_in_it(student: ModelFolder) -> None:
    for file in ("plan.json", "model.onnx", "model.safetensors"):
        (student.path / file).unlink()
    assert student.default_precision == "fp32"
    write_json(student.path / "plan.int8.json", {"weights": "plan.int8.safetensors"})
    (student.path / "plan.int8.safetensors").write_bytes(b"small")
    assert student.default_precision == "int8" and student.files()[3].name == "plan.int8.safetensors"


def test_a_folder_without_its_files_is_named(student: ModelFolder, tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"nowhere: no config\.json in it; give the folder of a trained model"):
        ModelFolder(tmp_path / "nowhere").megabytes()
    with pytest.raises(PotstillError, match="no precision 'int4': choose one of fp32, int8"):
        student.files("int4")


def test_the_hash_is_that_of_the_weights_and_a_name_has_none(student: ModelFolder) -> None:
    assert student.weights_hash == hash_file(student.path / "model.safetensors")
    assert ModelFolder(Path("user/a-name-on-the-hub")).weights_hash is None


def test_the_parameters_are_the_numbers_of_all_weights(student: ModelFolder) -> None:
    weights = load_file(student.path / "model.safetensors")
    expected = sum(table.size for table in weights.values())
    assert student.n_parameters == expected > 0
    save_file({"more": np.zeros((2, 3), np.float32)}, student.path / "model-00002.safetensors")
    assert student.n_parameters == expected + 6


def test_a_runs_folder_is_its_student(tmp_path: Path) -> None:
    assert ModelFolder.find(tmp_path).path == tmp_path
    (tmp_path / "run.json").write_text("{}")
    assert ModelFolder.find(tmp_path).path == tmp_path / "student"


def test_an_omitted_field_of_the_configuration_has_its_default(student: ModelFolder) -> None:
    write_json(student.path / "config.json", {"id2label": {"0": "no", "1": 1}})
    write_json(student.path / "tokenizer_config.json", {"model_max_length": 128})
    bare = ModelFolder(student.path)
    assert (bare.labels, bare.temperature, bare.pad_id, bare.max_length) == (["no", "1"], 1.0, 0, 128)
    (student.path / "tokenizer_config.json").unlink()
    assert ModelFolder(student.path).max_length == NO_LIMIT


def test_a_classifier_whose_labels_transformers_left_out_has_its_two_defaults(student: ModelFolder) -> None:
    write_json(student.path / "config.json", {"architectures": ["BertForSequenceClassification"]})
    assert ModelFolder(student.path).labels == ["LABEL_0", "LABEL_1"]
    write_json(student.path / "config.json", {"architectures": ["BertModel"]})
    with pytest.raises(PotstillError, match="no id2label in it"):
        _ = ModelFolder(student.path).labels
