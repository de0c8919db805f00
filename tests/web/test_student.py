"""A student in JavaScript, on Node: thresholds, several labels, and errors of one line."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import potstill
from javascript import ask_node, asked, served_folder
from potstill.artifacts import CONFIG
from potstill.commands.web import SCRIPTS
from potstill.tasks import MULTI_LABEL
from standins import change_json, write_student

TEXTS = ["a b", "c d e f", "f f b", "b c"]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_folder(tmp_path_factory.mktemp("scripts"))


@pytest.fixture
def student(tmp_path: Path) -> Path:
    folder = tmp_path / "a student"  # a path with a space
    folder.mkdir()
    return write_student(folder)


def one(scripts: Path, folder: Path | str, *calls: list[Any], **options: Any) -> Any:
    """The results of the calls, or the error of loading."""
    told = ask_node(scripts, [asked(folder, *calls, **options)])[0]
    return told["error"] if "error" in told else told["results"]


def test_several_labels_have_thresholds_and_temperatures_of_their_own(scripts: Path, tmp_path: Path) -> None:
    write_student(tmp_path, labels=("x", "y", "z"), problem_type=MULTI_LABEL)
    change_json(tmp_path / CONFIG, calibration_temperature=[0.05, 1.0, 3.0])
    middle = np.median(potstill.load(tmp_path).predict_proba(TEXTS), axis=0) - 1e-4
    change_json(tmp_path / CONFIG, label_thresholds=middle.tolist())
    model = potstill.load(tmp_path)
    predicted, likely, probabilities, single = one(
        scripts,
        tmp_path,
        ["predict", TEXTS],
        ["predict", TEXTS, {"atLeast": 0.5}],
        ["probabilities", TEXTS],
        ["predict", TEXTS[0]],
    )
    assert predicted == model.predict(TEXTS).tolist() and single == predicted[0]
    assert likely == model.predict(TEXTS, at_least=0.5).tolist()
    assert len({len(labels) for labels in predicted}) > 1
    np.testing.assert_allclose(probabilities, model.predict_proba(TEXTS), atol=1e-5)


def test_a_label_below_a_probability_or_a_name_is_null(scripts: Path, student: Path) -> None:
    change_json(student / CONFIG, calibration_temperature=0.1)
    highest = potstill.load(student).predict_proba(TEXTS).max(axis=1)
    least = float(np.sort(highest)[1:3].mean())  # two of the four are below it
    change_json(student / CONFIG, confidence_thresholds={"sure": {"at_least": least}})
    by_number, by_name, unknown, beyond = one(
        scripts,
        student,
        *(["predict", TEXTS, {"atLeast": value}] for value in (least, "sure", "surer", 2)),
    )
    assert by_number == by_name == potstill.load(student).predict(TEXTS, at_least="sure").tolist()
    assert by_number.count(None) == 2
    assert unknown == "PotstillError: no threshold 'surer': it has sure; or give a probability, such as 0.8"
    assert beyond == "PotstillError: at least 2: a probability is between 0 and 1"


@pytest.mark.parametrize("worker", [False, True])
def test_a_text_that_is_none_is_refused_by_its_number(scripts: Path, student: Path, worker: bool) -> None:
    given = ["  \x1c", "a \ud800", 3, None, {"text": "a", "pair": "b"}]
    expected = [
        "text 2 is empty",
        "text 2 has half a surrogate pair",
        "text 2 is not a string, but number",
        "text 2 is not a string, but null",
        "text 2 is a pair of texts: this student takes single texts only",
    ]
    told = one(scripts, student, *(["predict", ["a", text]] for text in given), ["predict", "a"], worker=worker)
    for message, start in zip(told, expected, strict=False):
        assert message.startswith(f"PotstillError: {start}"), message
    assert told[-1] in ("no", "yes sir")  # it goes on


def test_a_text_as_long_as_a_book_and_thousands_at_once(scripts: Path, student: Path) -> None:
    book, many = "a b c d e f " * 20_000, ["a b", "c d e"] * 500
    logits, rows = one(scripts, student, ["logits", book], ["logits", many])
    model = potstill.load(student)
    np.testing.assert_allclose([logits], model.logits([book]), atol=1e-4)
    np.testing.assert_allclose(rows, model.logits(many), atol=1e-4)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", None, "config.json: not found; give a student's folder"),
        ("config.json", "{", "config.json: not a JSON object"),
        ("config.json", '{"model_type": "bert"}', "a bert, not a student"),
        ("config.json", {"analyzer": "kiwi"}, "reads morphemes, by the analyzer 'kiwi', which runs in Python only"),
        ("config.json", {"problem_type": "regression"}, "its problem_type is 'regression'"),
        ("config.json", {"calibration_temperature": 0}, "calibration_temperature is not a number above 0"),
        ("config.json", {"id2label": {"0": "x"}}, "one number for each label"),
        ("plan.json", None, "no plan.json in it; write it with: potstill export"),
        ("plan.json", "", "plan.json: not a JSON object"),
        ("plan.json", {"weights": "../model.safetensors"}, "does not name its weights"),
        ("plan.json", {"format": 0}, "of another version"),
        ("tokenizer.json", None, "tokenizer.json: not found"),
        ("tokenizer.json", "{}", "tokenizer.json has not the vocabulary"),
        ("model.safetensors", None, "model.safetensors: not found; plan.json names it"),
        ("model.safetensors", "cut", "no safetensors file, or damaged"),
    ],
)
def test_what_is_missing_or_damaged_is_one_line(
    scripts: Path, student: Path, file: str, content: Any, message: str
) -> None:
    if content is None:
        (student / file).unlink()
    elif isinstance(content, dict):
        change_json(student / file, **content)
    else:
        (student / file).write_text(content)
    told = one(scripts, student)
    assert isinstance(told, str) and message in told and "\n" not in told
    assert told.startswith("PotstillError: ")


def test_a_precision_that_is_not_there_and_one_that_does_not_exist(scripts: Path, student: Path) -> None:
    assert "no plan.int8.json in it; write it with: potstill export FOLDER --int8" in one(
        scripts, student, precision="int8"
    )
    assert "no precision 'int4': choose one of fp32, int8" in one(scripts, student, precision="int4")


def test_words_are_those_that_students_read(scripts: Path, student: Path) -> None:
    from potstill.serving.explaining import split_words

    text = "Don't 😀 U.S. e\u0301t\u00e9 1,000.5 -- ok"
    words = one(scripts, student, ["words", text])[0]
    assert [(word["word"], word["start"], word["end"]) for word in words] == [
        (word.word, word.start, word.end) for word in split_words(text)
    ]


def test_the_npm_package_has_the_version_of_the_python_package_and_no_dependency() -> None:
    package = json.loads((Path(__file__).parents[2] / "js" / "package.json").read_text())
    assert package["version"] == potstill.__version__ and not package.get("dependencies")
    for file in package["exports"].values():
        names = file.values() if isinstance(file, dict) else [file]
        assert all((SCRIPTS / Path(name).name).is_file() for name in names)


def test_a_student_that_was_closed_says_so(scripts: Path, student: Path) -> None:
    for worker in (False, True):
        told = one(scripts, student, ["predict", "a b"], ["close"], ["predict", "a b"], ["words", "a b"], worker=worker)
        assert told[2] == told[3] == "PotstillError: this student was closed: load it again"


def test_the_types_name_every_method() -> None:
    types, script = (SCRIPTS / "potstill.d.ts").read_text(), (SCRIPTS / "potstill.js").read_text()
    methods = re.findall(r"^  (?:static async )?(\w+)\(.*\{$", script, re.MULTILINE)
    assert {"load", "predict", "probabilities", "logits", "words", "close"} == set(methods) - {"constructor"}
    remote = re.findall(r"^  (\w+)\(.*\{$", (SCRIPTS / "remote.js").read_text(), re.MULTILINE)
    assert set(methods) - {"load"} <= set(remote)
    of_class, of_worker = types.split("export interface RemotePotstill")
    for method in set(methods) - {"constructor", "load"}:
        assert f"  {method}(" in of_class and f"  {method}(" in of_worker
