"""The server's responses over real HTTP."""

import gzip
from pathlib import Path

import pytest

import potstill
from servers import Client, Serve

TEXTS = ["a b c", "d", "e f a b c d e f"]


@pytest.fixture(scope="module")
def client(serve: Serve, student: Path, teacher: Path) -> Client:
    """One student under its own name, one under a given one."""
    return serve(f"first={student}", f"second={teacher}")


@pytest.mark.parametrize("name", ["first", "second"])
def test_a_prediction_is_that_of_the_named_model_without_a_server(
    client: Client, student: Path, teacher: Path, name: str
) -> None:
    offline = potstill.load({"first": student, "second": teacher}[name])
    reply = client.post("/predict", {"texts": TEXTS, "model": name})
    assert reply.status == 200 and reply.json["model"] == name and reply.json["milliseconds"] > 0
    predictions = reply.json["answers"]
    assert [prediction["label"] for prediction in predictions] == offline.predict(TEXTS).tolist()
    assert {prediction["answered_by"] for prediction in predictions} == {name}
    for prediction, row in zip(predictions, offline.predict_proba(TEXTS), strict=True):
        expected = dict(zip(offline.classes_.tolist(), row.tolist(), strict=True))
        assert prediction["probabilities"] == pytest.approx(expected, abs=2e-6)
        assert next(iter(prediction["probabilities"])) == prediction["label"]  # the likeliest comes first


def test_the_first_model_predicts_where_none_is_named(client: Client) -> None:
    single, several = client.post("/predict", {"text": "a b c"}), client.post("/predict", {"texts": ["a b c"]})
    assert single.json["model"] == several.json["model"] == "first"
    assert single.json["answers"] == several.json["answers"]


def test_the_models_are_listed_in_their_order(client: Client) -> None:
    assert client.get("/models").json == {
        "models": [{"name": "first", "labels": ["no", "yes sir"]}, {"name": "second", "labels": ["yes sir", "no"]}]
    }


def test_health_is_short(client: Client) -> None:
    assert client.get("/health").json == {"status": "ok", "version": potstill.__version__}


@pytest.mark.parametrize(
    ("body", "status", "complaint"),
    [
        ({"text": ""}, 422, "text 1 is empty"),
        ({"texts": ["a", " \n\t"]}, 422, "text 2 is empty"),
        ({"texts": []}, 422, "give at least one"),
        ({"texts": ["a"] * 65}, 422, "there are 65 texts: give at most 64 at once"),
        ({"text": "a" * 10_001}, 422, "text 1 has 10001 characters: give at most 10000"),
        ({"text": "a \ud800"}, 422, "text 1 has half a surrogate pair"),
        ({}, 422, 'give either "text" or "texts"'),
        ({"text": "a", "texts": ["b"]}, 422, 'give either "text" or "texts"'),
        ({"text": 3}, 422, "text: Input should be a valid string"),
        ({"texts": ["a", None]}, 422, "texts.1: "),
        ({"text": "a", "modle": "first"}, 422, "modle: "),
        ({"text": "a", "model": "third"}, 404, "there is no model 'third': choose one of first, second"),
        ({"text": "a", "model": "\ud800"}, 404, "there is no model"),
        (["a"], 422, "send a JSON object"),
        (b"{", 422, "the body is not JSON: "),
        (b"", 422, ""),
        (b"\xff\xfe", 422, ""),
        (b"[" * 100_000, 400, "the body is not JSON in UTF-8"),
        ('{"text": "\u00e9"}'.encode("latin-1"), 400, "the body is not JSON in UTF-8"),
    ],
)
def test_a_request_without_a_prediction_is_refused_with_a_reason(
    client: Client, body: object, status: int, complaint: str
) -> None:
    reply = client.post("/predict", body)
    assert (reply.status, list(reply.json)) == (status, ["error"])
    assert complaint in reply.json["error"]


def test_the_texts_at_the_limits_are_predicted(client: Client) -> None:
    assert client.post("/predict", {"texts": ["a"] * 64}).status == 200
    assert client.post("/predict", {"text": "a" * 10_000}).status == 200


def test_a_compressed_body_is_refused_with_a_reason(client: Client) -> None:
    reply = client.post("/predict", gzip.compress(b'{"text": "a"}'), **{"content-encoding": "gzip"})
    assert reply.status == 415 and "without content-encoding" in reply.json["error"]


@pytest.mark.parametrize("path", ["/health", "/", "/models"])
def test_a_head_is_that_of_the_whole_response(client: Client, path: str) -> None:
    head, whole = client.ask("HEAD", path), client.get(path)
    assert (head.status, head.text) == (200, "")
    assert head.headers["content-length"] == whole.headers["content-length"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/predict", 405)])
def test_other_paths_and_methods_are_refused_as_json(client: Client, method: str, path: str, status: int) -> None:
    reply = client.ask(method, path)
    assert reply.status == status and reply.json["error"]


def test_a_server_that_cannot_keep_up_says_when_to_ask_again(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("potstill.serving.batcher.MAX_WAITING", 0)
    reply = client.post("/predict", {"text": "a"})
    assert reply.status == 503 and reply.headers["retry-after"] == "1" and "too many texts wait" in reply.json["error"]


def test_an_internal_error_is_logged_and_not_shown(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the inner workings")

    with monkeypatch.context() as patched:
        patched.setattr("potstill.serving.models.ServedModel.predict", broken)
        reply = client.post("/predict", {"text": "a"})
    assert reply.status == 500 and reply.json == {"error": "the server failed on this request; its log says why"}
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert client.post("/predict", {"text": "a"}).status == 200
    assert "the inner workings" in caplog.text  # by now: it is logged after the response is sent


def test_an_explanation_is_of_the_named_model_and_leaves_out_one_word_at_a_time(client: Client, teacher: Path) -> None:
    offline = potstill.load(teacher)
    reply = client.post("/explain", {"text": "a b, c", "model": "second"}).json
    whole, *without = offline.predict_proba(["a b, c", " b, c", "a , c", "a b c", "a b, "])
    label = int(whole.argmax())
    assert reply["label"] == offline.classes_[label] and reply["method"] == "leave-one-out"
    assert [(word["word"], word["start"], word["end"]) for word in reply["words"]] == [
        ("a", 0, 1), ("b", 2, 3), (",", 3, 4), ("c", 5, 6),
    ]  # fmt: skip
    weights = [float(whole[label] - row[label]) for row in without]
    assert [word["weight"] for word in reply["words"]] == pytest.approx(weights, abs=2e-6)


def test_a_single_word_is_not_explained_and_a_long_text_is_refused(client: Client) -> None:
    assert client.post("/explain", {"text": "a"}).json["words"] == []
    assert len(client.post("/explain", {"text": "a b " * 100}).json["words"]) == 200  # in several calls of the model
    reply = client.post("/explain", {"text": "a b c " * 67})
    assert reply.status == 422 and "the text has 201 words: give at most 200" in reply.json["error"]


def test_requests_and_predictions_are_counted(serve: Serve, student: Path) -> None:
    client = serve(f"one={student}")
    label = client.post("/predict", {"texts": ["a b", "a b"]}).json["answers"][0]["label"]
    client.post("/predict", {"text": ""})
    for path in ("/nothing", "/nothing-else"):
        client.get(path)
    assert client.metric(f'potstill_answers_total{{answered_by="one",label="{label}",model="one"}}') == 2
    assert client.metric('potstill_requests_total{path="/predict",status="200"}') == 1
    assert client.metric('potstill_requests_total{path="/predict",status="422"}') == 1
    assert client.metric('potstill_requests_total{path="other",status="404"}') == 2
    assert client.metric('potstill_request_seconds_count{path="/predict"}') == 2
    assert client.metric('potstill_batch_texts_sum{model="one"}') == 2
    assert client.get("/metrics").headers["content-type"].startswith("text/plain; version=")


def test_a_cascade_says_which_model_predicted_and_what_the_student_predicted(
    serve: Serve, student: Path, teacher: Path
) -> None:
    offline = potstill.load(student).predict_proba(TEXTS)
    below = float(sorted(offline.max(axis=1))[1])  # one text is below it
    cascade = potstill.Cascade(potstill.load(student), potstill.load(teacher), below)
    client = serve(f"small={student}", fallback=f"large={teacher}", below=below)
    expected = cascade.predict_with_source(TEXTS)
    predictions = client.post("/predict", {"texts": TEXTS}).json["answers"]
    models = ["large" if is_fallback else "small" for is_fallback in expected.from_fallback]
    assert [prediction["answered_by"] for prediction in predictions] == models and models.count("large") == 1
    assert [prediction["label"] for prediction in predictions] == cascade.predict(TEXTS).tolist()
    for prediction, own, row in zip(predictions, offline, expected.probabilities, strict=True):
        assert [prediction["probabilities"][label] for label in ("no", "yes sir")] == pytest.approx(
            row.tolist(), abs=2e-6
        )
        assert ("student" in prediction) == (prediction["answered_by"] == "large")
        student_probabilities = prediction.get("student", prediction)["probabilities"]
        assert [student_probabilities[label] for label in ("no", "yes sir")] == pytest.approx(own.tolist(), abs=2e-6)
    assert client.metric('potstill_fallback_answers_total{model="small"}') == 1
    assert client.get("/models").json["models"][0] == {
        "name": "small", "labels": ["no", "yes sir"], "fallback": "large", "below": below,
    }  # fmt: skip
    predictions = client.post("/predict", {"texts": TEXTS, "model": "large"}).json["answers"]
    assert {prediction["answered_by"] for prediction in predictions} == {"large"}
