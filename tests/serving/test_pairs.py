"""Pairs of texts over real HTTP, and on the page: in students of pairs, and in transformers, which take both kinds."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.support.ui import WebDriverWait

import potstill
from browsers import console, element, elements
from potstill.corpus.texts import Text
from potstill.errors import PotstillError
from potstill.export.onnx_files import save_model
from potstill.serving.batcher import Batcher
from potstill.serving.models import predict_mixed
from potstill.serving.schemas import ExplainResponse, ModelsResponse, PredictResponse
from potstill.tasks import MULTI_LABEL
from potstill.teachers.checkpoints import open_finetuned
from servers import Client, Serve
from standins import write_student

PAIRS = [["a b c", "d"], ["d", "a b c"], ["e f", "a b c d e f"]]
ALL = [(first, second) for first, second in PAIRS]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student of pairs with random weights."""
    return write_student(tmp_path_factory.mktemp("pairs"), reads_pairs=True)


@pytest.fixture(scope="module")
def transformer(classifier_folder: Callable[[dict[int, str]], Path]) -> Path:
    """A transformer with random weights, which knows the same labels in another order."""
    folder = classifier_folder({0: "yes sir", 1: "no"})
    checkpoint = open_finetuned(str(folder))
    save_model(checkpoint.model, checkpoint.tokenizer, folder)
    return folder


@pytest.fixture(scope="module")
def client(serve: Serve, pairs: Path, student: Path, transformer: Path) -> Client:
    return serve(f"pairs={pairs}", f"single={student}", f"both={transformer}", max_characters=20)


def expect(answers: list[dict[str, Any]], folder: Path, texts: list[Any]) -> None:
    """Check that these are the predictions of a model without a server."""
    offline = potstill.load(folder)
    assert [answer["label"] for answer in answers] == offline.predict(texts).tolist()
    for answer, row in zip(answers, offline.predict_proba(texts), strict=True):
        shares = dict(zip(offline.classes_.tolist(), row.tolist(), strict=True))
        assert answer["probabilities"] == pytest.approx(shares, abs=2e-6)


def test_pairs_are_predicted_as_without_a_server(client: Client, pairs: Path, transformer: Path) -> None:
    reply = client.post("/predict", {"texts": PAIRS}).json
    PredictResponse.model_validate(reply, extra="forbid", strict=True)
    expect(reply["answers"], pairs, ALL)
    probabilities = potstill.load(pairs).predict_proba(ALL)
    assert np.abs(probabilities[0] - probabilities[1]).max() > 1e-3  # which text is the first one counts
    one = client.post("/predict", {"text": PAIRS[1][0], "text_pair": PAIRS[1][1]}).json["answers"]
    assert one == reply["answers"][1:2]
    for texts, expected in ((PAIRS, ALL), (["a", "b c"], ["a", "b c"])):
        expect(client.post("/predict", {"texts": texts, "model": "both"}).json["answers"], transformer, expected)


def test_a_pair_is_counted_as_one_text(serve: Serve, pairs: Path) -> None:
    client = serve(f"pairs={pairs}", max_texts=2)
    label = client.post("/predict", {"texts": [PAIRS[0]] * 2}).json["answers"][0]["label"]
    assert client.metric(f'potstill_answers_total{{answered_by="pairs",label="{label}",model="pairs"}}') == 2
    assert client.metric('potstill_batch_texts_sum{model="pairs"}') == 2
    assert client.post("/predict", {"texts": PAIRS}).status == 422


def test_a_model_says_whether_it_reads_pairs(client: Client) -> None:
    reply = client.get("/models").json
    ModelsResponse.model_validate(reply, extra="forbid", strict=True)
    assert [model.get("reads") for model in reply["models"]] == ["pairs", None, "both"]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"text": "a"}, 'text 1 is a single text, and pairs reads pairs: give "text_pair" beside "text"'),
        ({"texts": [["a", "b"], "c"]}, "text 2 is a single text, and pairs reads pairs"),
        ({"text": "a", "text_pair": "b", "model": "single"}, "text 1 is a pair, and single reads single texts"),
        ({"texts": ["a", ["b", "c"]], "model": "single"}, "text 2 is a pair, and single reads single texts"),
        ({"texts": ["a", ["b", "c"]], "model": "both"}, "some texts are pairs and some are not"),
        ({"text": "a", "text_pair": " "}, "text 1 is a pair with an empty text"),
        ({"text": "", "text_pair": "a"}, "text 1 is a pair with an empty text"),
        ({"text": "a", "text_pair": "\ud800"}, "text 1 has half a surrogate pair"),
        ({"text": "a" * 10, "text_pair": "b" * 11}, "text 1 has 21 characters: give at most 20"),
        ({"texts": [["a", "b"]] * 65}, "there are 65 texts: give at most 64 at once"),
        ({"texts": [["a", "b"]], "text_pair": "c"}, '"text_pair" goes with "text"'),
        ({"text_pair": "c"}, 'give either "text" or "texts"'),
        ({"texts": [["a", "b", "c"]]}, "texts.0: give a string, or for a pair of texts a list of two strings"),
        ({"texts": [["a", "b"], ["a", 3]]}, "texts.1: give a string, or for a pair of texts a list of two strings"),
    ],
)
def test_a_request_that_no_model_takes_is_refused_with_a_reason(
    client: Client, body: dict[str, Any], complaint: str
) -> None:
    reply = client.post("/predict", body)
    assert reply.status == 422 and complaint in reply.json["error"]
    if "text" in body:
        explained = client.post("/explain", body)
        assert explained.status == 422 and complaint in explained.json["error"]


def test_the_limit_of_characters_is_that_of_both_texts(client: Client) -> None:
    assert client.post("/predict", {"text": "a" * 10, "text_pair": "b" * 10}).status == 200


def test_requests_of_pairs_and_of_single_texts_share_a_call() -> None:
    calls: list[list[Text]] = []

    def model(texts: list[Text]) -> NDArray[np.float32]:
        assert len({isinstance(text, str) for text in texts}) == 1
        calls.append(texts)
        return np.array([[float("".join(text))] for text in texts], dtype=np.float32)

    async def scenario() -> None:
        batcher = Batcher(lambda texts: predict_mixed(model, texts), 8, lambda _: None)
        asked: list[list[Text]] = [[("1", "2")], ["3", "4"], [("5", "6"), ("7", "8")], ["9"]]
        results = await asyncio.gather(*map(batcher.predict, asked))
        assert [rows.ravel().tolist() for rows in results] == [[12], [3, 4], [56, 78], [9]]
        batcher.close()

    asyncio.run(scenario())
    assert calls == [["3", "4", "9"], [("1", "2"), ("5", "6"), ("7", "8")]]


def test_words_of_both_texts_are_explained_each_left_out_in_turn(client: Client, pairs: Path) -> None:
    reply = client.post("/explain", {"text": "a b", "text_pair": "c 😀 d"}).json
    ExplainResponse.model_validate(reply, extra="forbid", strict=True)
    left_out = [(" b", "c 😀 d"), ("a ", "c 😀 d"), ("a b", " 😀 d"), ("a b", "c  d"), ("a b", "c 😀 ")]
    whole, *without = potstill.load(pairs).predict_proba([("a b", "c 😀 d"), *left_out])
    label = int(whole.argmax())
    weights = [float(whole[label] - row[label]) for row in without]
    words = [*reply["words"], *reply["pair_words"]]
    assert [word["weight"] for word in words] == pytest.approx(weights, abs=2e-6) and any(weights)
    assert [(word["word"], word["start"], word["end"]) for word in words] == [
        ("a", 0, 1), ("b", 2, 3), ("c", 0, 1), ("😀", 2, 3), ("d", 4, 5),
    ]  # fmt: skip
    single = client.post("/explain", {"text": "a", "text_pair": "b c"}).json  # without it nothing would be left
    assert (single["words"], len(single["pair_words"])) == ([], 2)
    assert "pair_words" not in client.post("/explain", {"text": "a b", "model": "single"}).json


def test_too_many_words_are_those_of_both_texts(serve: Serve, pairs: Path) -> None:
    client = serve(f"pairs={pairs}")
    assert client.post("/explain", {"text": "a " * 100, "text_pair": "b " * 100}).status == 200
    reply = client.post("/explain", {"text": "a " * 100, "text_pair": "b " * 101})
    assert reply.status == 422 and "the two texts have 201 words: give at most 200" in reply.json["error"]


def test_a_cascade_of_pairs(serve: Serve, pairs: Path, transformer: Path) -> None:
    student = potstill.load(pairs)
    below = float(np.sort(student.predict_proba(ALL).max(axis=1))[1])  # one pair is below it
    cascade = potstill.Cascade(student, potstill.load(transformer), below)
    client = serve(f"small={pairs}", fallback=f"large={transformer}", below=below)
    answers = client.post("/predict", {"texts": PAIRS}).json["answers"]
    from_fallback = cascade.predict_with_source(ALL).from_fallback
    assert [answer["answered_by"] for answer in answers] == ["large" if each else "small" for each in from_fallback]
    assert from_fallback.sum() == 1 and [answer["label"] for answer in answers] == cascade.predict(ALL).tolist()
    assert client.metric('potstill_fallback_answers_total{model="small"}') == 1


def test_a_fallback_reads_what_its_student_reads(serve: Serve, pairs: Path, student: Path, transformer: Path) -> None:
    for first, second in ((pairs, student), (student, pairs)):
        complaint = f"{pairs.name} reads pairs of texts and {student.name} single ones: give a fallback that reads"
        with pytest.raises(PotstillError, match=complaint):
            serve(str(first), fallback=str(second), below=0.5)
    client = serve(f"small={transformer}", fallback=f"large={pairs}", below=1.0)
    assert client.get("/models").json["models"][0]["reads"] == "pairs"  # its fallback takes nothing else
    assert client.post("/predict", {"texts": PAIRS}).status == 200
    assert "small reads pairs" in client.post("/predict", {"text": "a"}).json["error"]


def test_several_labels_and_none(serve: Serve, tmp_path: Path, pairs: Path) -> None:
    folder = write_student(tmp_path, labels=("x", "y", "z"), problem_type=MULTI_LABEL, reads_pairs=True)
    client = serve(f"several={folder}", f"one={pairs}")
    answers = client.post("/predict", {"texts": PAIRS}).json["answers"]
    assert [answer["labels"] for answer in answers] == potstill.load(folder).predict(ALL).tolist()
    answer = client.post("/predict", {"texts": PAIRS, "model": "one", "at_least": 0.999}).json["answers"][0]
    assert answer["label"] is None and "below 0.999" in answer["reason"]


def opened(browser: Chrome, client: Client) -> Chrome:
    browser.get(f"http://127.0.0.1:{client.port}/")
    console(browser)  # forget what was before
    return browser


def test_the_page_has_two_fields(browser: Chrome, serve: Serve, pairs: Path, student: Path) -> None:
    page = opened(browser, serve(f"pairs={pairs}", f"single={student}"))
    names = [element(page, selector).accessible_name for selector in ("#text", "#pair")]
    assert names == ["First text", "Second text"]
    element(page, "#text").send_keys("a b", Keys.ENTER)
    assert not elements(page, "article") and page.switch_to.active_element == element(page, "#pair")
    element(page, "#pair").send_keys("c <b>d</b>", Keys.ENTER)
    WebDriverWait(page, 30).until(lambda _: len(elements(page, "article .words:not([hidden])")) == 2)
    cards = elements(page, "article")
    expected = (potstill.load(pairs).predict([("a b", "c <b>d</b>")])[0], potstill.load(student).predict(["a b"])[0])
    assert tuple(element(card, ".label").text for card in cards) == expected
    assert [part.text for part in elements(cards[0], ".words .part")] == ["a b", "c <b>d</b>"]
    assert [part.text for part in elements(cards[1], ".words .part")] == ["a b"]
    assert "this is of the first one" in element(cards[1], ".note").text
    assert not element(cards[0], ".note").is_displayed() and console(page) == []


def test_the_second_field_may_stay_empty_where_all_models_read_both(
    browser: Chrome, serve: Serve, transformer: Path
) -> None:
    page, model = opened(browser, serve(str(transformer))), potstill.load(transformer)
    cases: list[tuple[str, Text]] = [("", "a film"), ("the story", ("a film", "the story"))]
    for number, (second, text) in enumerate(cases, start=1):
        for selector, typed in (("#text", "a film"), ("#pair", second)):
            element(page, selector).clear()
            element(page, selector).send_keys(typed)
        element(page, "#go").click()
        WebDriverWait(page, 30).until(lambda _, n=number: len(elements(page, "article .words .part")) == n)  # type: ignore[misc]
        shares = sorted(model.predict_proba([text])[0], reverse=True)
        assert element(page, ".best td:last-child").text == f"{100 * shares[0]:.1f} %"


def test_there_is_no_second_field_where_a_model_reads_single_texts(
    serve: Serve, student: Path, transformer: Path
) -> None:
    assert 'id="pair"' not in serve(f"one={student}", f"both={transformer}").get("/").text
