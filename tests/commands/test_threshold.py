"""potstill threshold: what it fits, where it is kept, and who takes it."""

import json
import shutil
from pathlib import Path

import pytest

import potstill
from potstill.artifacts import read_json
from potstill.cli import main
from potstill.commands.threshold import ThresholdOptions, threshold
from potstill.errors import PotstillError
from potstill.manifests import find_faults
from standins import write_student


@pytest.fixture
def student(tmp_path: Path) -> Path:
    return write_student(tmp_path / "student", labels=("a", "b"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "valid.txt"
    texts = [
        " ".join("abcdef"[(start + step) % 6] for step in range(length)) for start in range(6) for length in (1, 3)
    ]
    file.write_text("".join(f"{text}\t{'ab'[row % 3 == 0]}\n" for row, text in enumerate(texts)))
    return file


def test_it_is_kept_under_its_name_and_predict_takes_it(student: Path, data: Path) -> None:
    found = threshold(ThresholdOptions(student, data, coverage=0.5))
    assert "get a label" in str(found) and "area under the risk-coverage curve" in str(found)
    classifier = potstill.load(student)
    assert classifier.thresholds == {"default": found.point.at_least}
    texts = [line.split("\t")[0] for line in data.read_text().splitlines()]
    labels = classifier.predict(texts, at_least="default")
    given = [label is not None for label in labels]
    assert sum(given) == round(found.point.coverage * 12) and 6 <= sum(given) < 12
    confidence = classifier.predict_proba(texts).max(axis=1)
    assert given == (confidence >= found.point.at_least).tolist()
    assert labels.tolist() == classifier.predict(texts, at_least=found.point.at_least).tolist()
    assert None not in classifier.predict(texts).tolist()
    threshold(ThresholdOptions(student, data, coverage=1.0, name="all"))
    assert sorted(potstill.load(student).thresholds) == ["all", "default"]


def test_false_positives_are_of_texts_that_no_label_fits(student: Path, data: Path, tmp_path: Path) -> None:
    unknown = tmp_path / "unknown.txt"
    unknown.write_text("zzz\nf e d\na zzz\nzzz b c\n")
    found = threshold(ThresholdOptions(student, data, false_positives=0.5, unknown=unknown))
    assert found.refused_share is not None and found.refused_share >= 0.5
    assert "unknown without a label %" in str(found)
    assert read_json(student / "config.json")["confidence_thresholds"]["default"]["refused_unknown"] >= 0.5


def test_a_runs_student_keeps_it_and_stays_whole(reported: Path, tmp_path: Path) -> None:
    run = shutil.copytree(reported, tmp_path / "run")
    before = (
        run / read_json(run / "evaluation" / "evaluation.json")["scores"][1]["folder"] / "config.json"
    ).read_bytes()
    found = threshold(ThresholdOptions(run, coverage=0.8, name="four-fifths"))
    assert found.folder == run / "student" and find_faults(run / "student") == []
    assert potstill.load(run / "student").thresholds.keys() == {"four-fifths"}
    scores = read_json(run / "evaluation" / "evaluation.json")["scores"]
    assert (run / scores[1]["folder"] / "config.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, "give one of --precision, --coverage and --false_positives"),
        ({"precision": 0.9, "coverage": 0.9}, "give one of --precision, --coverage and --false_positives"),
        ({"precision": 95}, "--precision=95: a share is between 0 and 1"),
        ({"false_positives": 0.1}, "--false_positives is of texts that no label fits"),
        ({"coverage": 0.5, "name": "0.5"}, "--name=0.5: give a name that is no number"),
        ({"coverage": 0.5}, "--data: give labelled text"),
    ],
)
def test_bad_options_are_one_line(student: Path, options: dict[str, float], error: str) -> None:
    with pytest.raises(PotstillError, match=error):
        threshold(ThresholdOptions(student, **options))  # type: ignore[arg-type]


def test_predict_writes_none_or_null_and_refuses_names_that_nobody_knows(
    student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("a b\nc\n")
    main(["predict", str(student), "--input", str(texts), "--at_least", "1.0"])
    assert capsys.readouterr().out == "(none)\n(none)\n"
    main(["predict", str(student), "--input", str(texts), "--at_least", "1.0", "--json", "--proba"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["label"] for line in lines] == [None, None] and set(lines[0]["probabilities"]) == {"a", "b"}
    main(["predict", str(student), "--input", str(texts), "--json"])
    assert json.loads(capsys.readouterr().out.splitlines()[0])["label"] in ("a", "b")
    for wrong, error in (("low", "no threshold 'low': it has none"), ("1.5", "at least 1.5: a probability")):
        with pytest.raises(SystemExit) as raised:
            main(["predict", str(student), "--input", str(texts), "--at_least", wrong])
        assert raised.value.code == 2 and error in capsys.readouterr().err
