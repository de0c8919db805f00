"""Answers without a label, and with several, over real HTTP."""

from pathlib import Path

import pytest

import potstill
from potstill.tasks import MULTI_LABEL
from servers import Client, Serve
from standins import change_json, write_student

TEXTS = ["a b c", "d", "e f a b c d e f"]


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student whose texts may have several labels, with random weights."""
    folder = write_student(tmp_path_factory.mktemp("several"), labels=("x", "y", "z"), problem_type=MULTI_LABEL)
    probabilities = potstill.load(folder).predict_proba(TEXTS)
    change_json(folder / "config.json", label_thresholds=probabilities.mean(axis=0).round(4).tolist())
    return folder


@pytest.fixture(scope="module")
def client(serve: Serve, student: Path, several: Path, tmp_path_factory: pytest.TempPathFactory) -> Client:
    careful = write_student(tmp_path_factory.mktemp("careful"))
    change_json(careful / "config.json", confidence_thresholds={"sure": {"at_least": 0.99}})
    return serve(f"one={student}", f"several={several}", f"careful={careful}")


def test_a_label_that_is_not_likely_enough_is_null_with_the_reason(client: Client, student: Path) -> None:
    answer = client.post("/predict", {"text": "a b", "at_least": 0.999}).json["answers"][0]
    best, share = next(iter(answer["probabilities"].items()))
    assert answer["label"] is None
    assert answer["reason"] == f"the likeliest label, {best}, has a probability of {share:.4g}, below 0.999"
    assert client.post("/predict", {"text": "a b", "at_least": 0.1}).json["answers"][0]["label"] == best
    assert "reason" not in client.post("/predict", {"text": "a b"}).json["answers"][0]
    assert client.metric('potstill_answers_total{answered_by="one",label="(none)",model="one"}') == 1


def test_a_threshold_may_be_named(client: Client) -> None:
    models = {model["name"]: model for model in client.get("/models").json["models"]}
    assert models["careful"]["thresholds"] == {"sure": 0.99} and "thresholds" not in models["one"]
    asked = {"text": "a b", "model": "careful", "at_least": "sure"}
    assert client.post("/predict", asked).json["answers"][0]["label"] is None
    refused = client.post("/predict", {"text": "a b", "at_least": "sure"})
    assert refused.status == 422 and "no threshold 'sure': it has none" in refused.json["error"]


def test_several_labels_are_a_list(client: Client, several: Path) -> None:
    answers = client.post("/predict", {"texts": TEXTS, "model": "several"}).json["answers"]
    expected = potstill.load(several).predict(TEXTS).tolist()
    assert [answer["labels"] for answer in answers] == expected and any(expected)
    assert not any("label" in answer for answer in answers)
    for answer in client.post("/predict", {"texts": TEXTS, "model": "several", "at_least": 1}).json["answers"]:
        assert answer["labels"] == [] and "below 1" in answer["reason"]
    explained = client.post("/explain", {"text": TEXTS[2], "model": "several"}).json
    assert explained["labels"] == expected[2] and len(explained["words"]) == 8
    assert client.get("/models").json["models"][1]["several"] is True


def test_the_server_may_have_a_threshold_of_its_own(serve: Serve, student: Path, teacher: Path) -> None:
    client = serve(f"one={student}", fallback=f"large={teacher}", below=0.9, at_least="0.999")
    assert client.get("/models").json["models"][0]["at_least"] == 0.999
    answer = client.post("/predict", {"text": "a b"}).json["answers"][0]
    assert answer["label"] is None and answer["answered_by"] == "large"
    assert client.post("/predict", {"text": "a b", "at_least": 0}).json["answers"][0]["label"]
    assert client.post("/predict", {"text": "a b", "model": "large"}).json["answers"][0]["label"]
