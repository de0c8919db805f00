"""A model's folder from anybody: what does not fit is one line, and nothing outside the folder is read."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

import potstill
from potstill.artifacts import read_json, write_json
from standins import refused, write_student

pytestmark = pytest.mark.usefixtures("without_core")


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with random weights: a stand-in."""
    return write_student(tmp_path_factory.mktemp("student"))


@pytest.fixture
def copy(student: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(student, tmp_path / "copy"))


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "precision.json"])
@pytest.mark.parametrize("content", ["[]", "4", "null", '"text"', "[" * 100_000, "9" * 5000, b"\xff\xfe"])
def test_a_file_that_is_no_json_object_is_named(copy: Path, name: str, content: str | bytes) -> None:
    (copy / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(copy, rf"{name}: not a JSON (object|file)")


@pytest.mark.parametrize(
    ("name", "field", "value", "complaint"),
    [
        ("config.json", "id2label", {}, "no id2label in it"),
        ("config.json", "id2label", ["no", "yes"], "no id2label in it"),
        ("config.json", "id2label", {"0": "no", "2": "yes"}, "id2label is not the labels by their numbers from 0"),
        ("config.json", "id2label", {"no": 0, "yes": 1}, "id2label is not the labels by their numbers from 0"),
        ("config.json", "id2label", {"0": "no", "1": ["yes"]}, "id2label is not the labels by their numbers from 0"),
        ("config.json", "id2label", {"0": "no", "1": "\ud800"}, "id2label is not the labels by their numbers from 0"),
        ("config.json", "id2label", {"0": "a", "1": "b", "2": "c"}, r"gives \(\d, 2\) for \(\d, 3\) texts and labels"),
        ("config.json", "pad_token_id", "0", "pad_token_id is not a number above 0"),
        ("config.json", "pad_token_id", [0], "pad_token_id is not a number above 0"),
        ("config.json", "calibration_temperature", 0, "calibration_temperature is not a number above 0"),
        ("config.json", "calibration_temperature", -1.5, "calibration_temperature is not a number above 0"),
        ("config.json", "calibration_temperature", float("nan"), "calibration_temperature is not a number above 0"),
        ("config.json", "calibration_temperature", True, "calibration_temperature is not a number above 0"),
        ("config.json", "analyzer", ["mecab"], "there is no morphological analyzer"),
        ("tokenizer_config.json", "model_max_length", "long", "model_max_length is not a number above 0"),
        ("tokenizer_config.json", "model_max_length", -1, "model_max_length is not a number above 0"),
        ("precision.json", "default", "../fp32\n", r"there is no precision '\.\./fp32': choose one of fp32, int8"),
    ],
)
def test_a_value_of_another_kind_is_named(copy: Path, name: str, field: str, value: Any, complaint: str) -> None:
    fields = read_json(copy / name) if (copy / name).is_file() else {}
    (copy / name).write_text(json.dumps(fields | {field: value}))
    refused(copy, complaint)


def test_numbers_as_labels_are_accepted(copy: Path) -> None:
    write_json(copy / "config.json", read_json(copy / "config.json") | {"id2label": {"0": 0, "1": 1}})
    assert set(potstill.load(copy, threads=1).predict(["a b"])) <= {"0", "1"}


def test_a_vocabulary_beyond_the_models_is_one_line(copy: Path) -> None:
    fields = read_json(copy / "tokenizer.json")
    fields["model"]["vocab"]["a"] = 10**6
    write_json(copy / "tokenizer.json", fields)
    refused(copy, "the model does not belong to its tokenizer or configuration, or is damaged")


def test_a_tokenizer_without_its_unknown_word_is_one_line(copy: Path) -> None:
    fields = read_json(copy / "tokenizer.json")
    fields["model"]["unk_token"] = "none"
    write_json(copy / "tokenizer.json", fields)
    refused(copy, r"tokenizer\.json: cannot be loaded, it is damaged")


def write_graph(
    path: Path, *, input_name: str = "input_ids", kind: int = TensorProto.INT64, location: str = ""
) -> None:
    """A graph whose logits are its weights, whatever it is given; they may lie in another file."""
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [1, 2], [1.0, 2.0])
    if location:
        weights.ClearField("float_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=location)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["weights"], ["logits"])],
        "logits",
        [helper.make_tensor_value_info(input_name, kind, ["batch", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 2])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("location", ["../secret", "{outside}/secret", "link", "inside/../../secret", "inside/../link"])
def test_no_weights_are_loaded_from_outside_the_folder(copy: Path, location: str) -> None:
    (copy.parent / "secret").write_bytes(np.array([3, 4], np.float32).tobytes())
    (copy / "inside").mkdir()
    (copy / "link").symlink_to(copy.parent / "secret")
    write_graph(copy / "model.onnx", location=location.format(outside=copy.parent))
    refused(copy, r"model\.onnx: cannot be loaded, it is damaged or of a kind that is not read here .*[Ee]xternal")


def test_weights_next_to_the_model_are_loaded(copy: Path) -> None:
    """Else the test before would show nothing; a teacher of more than 2 GB has such a file."""
    (copy / "inside").write_bytes(np.array([3, 4], np.float32).tobytes())
    write_graph(copy / "model.onnx", location="inside")
    assert potstill.load(copy, threads=1).logits(["a"]).tolist() == [[3, 4]]


@pytest.mark.parametrize("shape", ["weights", "texts"])
def test_a_graph_that_asks_for_much_memory_is_refused_before_it_has_it(copy: Path, student: Path, shape: str) -> None:
    """40 GB, as a constant and of what it is given; another model works on."""
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [2], [100_000, 100_000])
    graph = helper.make_graph(
        [
            helper.make_node("Abs", ["sizes"], ["some"])
            if shape == "weights"
            else helper.make_node("Shape", ["input_ids"], ["some"]),
            helper.make_node("Max", ["some", "sizes"], ["asked"]),
            helper.make_node("ConstantOfShape", ["asked"], ["array"], name="a_node_with_a_long_name" * 10),
            helper.make_node("ReduceSum", ["array"], ["logits"], keepdims=1),
        ],
        "much",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 1])],
        [sizes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (copy / "model.onnx").write_bytes(model.SerializeToString())
    refused(copy, "the model needs more than 4 GB of memory")
    assert len(potstill.load(student, threads=1).predict(["a b"])) == 1


@pytest.mark.parametrize("wrong", [{"input_name": "words"}, {"kind": TensorProto.FLOAT}])
def test_a_graph_with_other_inputs_is_refused(copy: Path, wrong: dict[str, Any]) -> None:
    write_graph(copy / "model.onnx", **wrong)
    refused(copy, r"model\.onnx: does not take a tokenizer's numbers and give logits")


def test_a_name_in_the_graph_that_is_not_utf8_is_one_line(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_graph(copy / "model.onnx")
    content = (copy / "model.onnx").read_bytes()
    for name in (b"input_ids", b"length"):
        (copy / "model.onnx").write_bytes(content.replace(name, b"\xff" + name[1:]))
        refused(copy, r"model\.onnx: (cannot be loaded|does not take)")
    assert capfd.readouterr() == ("", "")  # ONNX Runtime keeps to itself what is said in the error
