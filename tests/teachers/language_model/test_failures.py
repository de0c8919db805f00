"""What a server does wrong: no answer is lost, none is made up, and what cannot go on is one line."""

import email.utils
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from potstill.cache import Cache
from potstill.corpus.label_file import from_names
from potstill.errors import PotstillError
from potstill.teachers.language_model import LanguageModelTeacher, asking, open_language_model
from potstill.teachers.language_model.options import LanguageModelOptions
from potstill.teachers.left_out import LeftOut
from stand_in_server import Behaviour, Reply, StandIn, error, expected, failing, good_answer, said, stand_in, text_of

LABELS = ["good", "bad"]
TEXTS = [f"film number {number} is fine" for number in range(8)]
BAD = TEXTS[3]

Serve = Callable[..., StandIn]


@pytest.fixture(autouse=True)
def _own_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(asking, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(asking, "LONGEST_WAIT", 0.05)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers."""
    with ExitStack() as stack:
        yield lambda behaviour=None, delay=0.0: stack.enter_context(stand_in(behaviour, delay))


def open_teacher(server: StandIn | str, **options: Any) -> LanguageModelTeacher:
    url = server if isinstance(server, str) else server.url
    given = LanguageModelOptions(**{"teacher_url": url, "teacher_orders": 1, **options})
    return open_language_model("small", from_names(LABELS), given)


def check_all(logits: Any, but: tuple[str, ...] = ()) -> None:
    """Each text has its own logits, and those that were left out none."""
    for text, row in zip(TEXTS, logits, strict=True):
        if text in but:
            assert np.isnan(row).all()
        else:
            np.testing.assert_allclose(np.exp(row), expected(text, LABELS), atol=1e-5)


def bad_text(reply: Callable[[dict[str, Any]], Reply]) -> Behaviour:
    """A server that does something with one of the texts."""
    return lambda body, _: reply(body) if text_of(body) == BAD else None


def first_times(n: int, reply: Callable[[dict[str, Any]], Reply]) -> Behaviour:
    """A server that does something the first times that a prompt comes."""
    return lambda body, n_before: reply(body) if n_before < n else None


PASSING = {
    "too many requests": lambda body: error(429, "slow down"),
    "an error of the server": lambda body: error(500, "oops"),
    "overloaded": lambda body: error(503, "overloaded", retry_after="0"),
    "a gateway's page": lambda body: Reply(b"<html>bad gateway</html>", 502, {"content-type": "text/html"}),
    "no answer": lambda body: Reply(hang=True),
    "half an answer": lambda body: Reply(good_answer(body), cut=True),
    "JSON that is cut short": lambda body: Reply(json.dumps(good_answer(body)).encode()[:-9]),
    "a page in place of JSON": lambda body: Reply(b"<html>log in</html>", headers={"content-type": "text/html"}),
    "JSON of another kind": lambda body: Reply({"object": "list", "data": []}),
}


@pytest.mark.parametrize("way", PASSING)
def test_what_passes_is_tried_again(serve: Serve, way: str) -> None:
    server = serve(first_times(2, PASSING[way]))
    teacher = open_teacher(server, teacher_timeout=0.3 if way == "no answer" else 60.0)
    check_all(teacher(TEXTS))
    assert not teacher.left_out and server.n_requests == 3 * len(TEXTS) == teacher.usage.n_requests


@pytest.mark.parametrize("way", PASSING)
def test_what_does_not_pass_leaves_the_text_out(serve: Serve, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE", 0.3)
    server = serve(bad_text(PASSING[way]))
    teacher = open_teacher(server, teacher_timeout=0.2 if way == "no answer" else 60.0)
    check_all(teacher(TEXTS), but=(BAD,))
    assert [each.text for each in teacher.left_out] == [BAD]
    assert teacher.left_out[0].reason.startswith("failed 6 times: ") and teacher.usage.left_out == {"failed 6 times": 1}
    n_tries = server.n_requests - (len(TEXTS) - 1)
    assert n_tries == asking.TRIES or (n_tries > asking.TRIES and way == "too many requests")


def test_at_a_limit_of_the_server_no_text_is_given_up(serve: Serve) -> None:
    """Fifty requests a second: the others are told so, more often than a failed request is sent again."""
    passed = [0.0]

    def limited(body: dict[str, Any], n_before: int) -> Reply | None:
        if n_before < asking.TRIES + 2 or time.time() - passed[-1] < 0.02:
            return error(429, "slow down", retry_after="0.01")
        passed.append(time.time())
        return None

    def after_first(body: dict[str, Any], n_before: int) -> Reply | None:
        return limited(body, n_before) if server.n_requests > 1 else None

    server = serve(after_first)
    teacher = open_teacher(server, teacher_concurrency=8)
    check_all(teacher(TEXTS))
    assert not teacher.left_out and server.n_requests > len(TEXTS) * (asking.TRIES + 2)


@pytest.mark.parametrize("value", ["0.4", "date"])
def test_nothing_is_sent_before_the_server_wants_it(serve: Serve, value: str) -> None:
    """After the first text, which shows what the server understands, one is told to wait: then all do."""
    times: list[tuple[str, float]] = []
    wait = value if value != "date" else email.utils.formatdate(time.time() + 2, usegmt=True)
    told: list[float] = []

    def limited(body: dict[str, Any], n_before: int) -> Reply | None:
        times.append((text_of(body), time.time()))
        if text_of(body) == BAD and not told:
            told.append(time.time())
            return error(429, "slow down", retry_after=wait)
        return None

    teacher = open_teacher(serve(limited, 0.05), teacher_concurrency=1)
    check_all(teacher(TEXTS))
    until = told[0] + 0.4 if value != "date" else email.utils.parsedate_to_datetime(wait).timestamp()
    after = [at for _, at in times if at > told[0]]
    assert len(after) == 5 and min(after) >= until - 0.01


REFUSING = {
    "refused": (
        lambda body: Reply(said("", {"I": 0.9}, refusal="I cannot judge this")),
        "refused: I cannot judge this",
    ),
    "in words": (lambda body: Reply(said("I", {"I": 0.9, "Sorry": 0.1})), "no label in the answer: I"),
    "another language": (lambda body: Reply(said("好", {"好": 0.9, "的": 0.1})), "no label in the answer: 好"),
    "empty": (lambda body: Reply(said("", {"": 1.0})), "empty answer"),
}


@pytest.mark.parametrize("way", REFUSING)
def test_an_answer_without_a_label_is_asked_for_again_then_left_out(serve: Serve, way: str) -> None:
    reply, reason = REFUSING[way]
    server = serve(bad_text(reply))
    teacher = open_teacher(server)
    check_all(teacher(TEXTS), but=(BAD,))
    assert teacher.left_out == [LeftOut(BAD, reason)]
    asked = [body for body in server.bodies or [] if text_of(body) == BAD]
    assert [(body["temperature"], body.get("seed")) for body in asked] == [(0, None), (1, 1000), (1, 2000)]
    again = open_teacher(server)
    check_all(again(TEXTS), but=(BAD,))
    assert server.n_requests == len(TEXTS) + asking.ASKED_AGAIN  # refusals are paid for too: not a second time
    assert again.left_out == teacher.left_out


WRONG = ['{"label": "terrible"}', "not JSON", "", '{"label": ["good"]}', "Das ist gut"]


@pytest.mark.parametrize("wrong", WRONG)
def test_json_with_a_wrong_label_is_never_a_label(serve: Serve, wrong: str) -> None:
    server = serve(bad_text(lambda body: Reply(said(wrong))))
    teacher = open_teacher(server, teacher_answers="json")
    logits = teacher(TEXTS)
    np.testing.assert_array_equal(np.isnan(logits).all(axis=1), [text == BAD for text in TEXTS])
    assert len(teacher.left_out) == 1 and server.n_requests == len(TEXTS) + asking.ASKED_AGAIN


def test_another_answer_counts_where_it_names_a_label(serve: Serve) -> None:
    server = serve(
        lambda body, _: Reply(said("Hm", {"Hm": 1.0})) if text_of(body) == BAD and not body["temperature"] else None
    )
    teacher = open_teacher(server)
    check_all(teacher(TEXTS))
    assert not teacher.left_out and server.n_requests == len(TEXTS) + 1


TOO_LONG = {
    "OpenAI's": error(400, "This model's maximum context length is 8192 tokens", "context_length_exceeded"),
    "llama.cpp's": error(400, "the request exceeds the available context size. try increasing it"),
    "a proxy's": error(413, "request entity too large"),
}


@pytest.mark.parametrize("way", TOO_LONG)
@pytest.mark.parametrize("number", [0, 3])
def test_a_text_that_is_too_long_is_left_out_the_first_one_too(serve: Serve, way: str, number: int) -> None:
    long = TEXTS[number]
    server = serve(lambda body, _: TOO_LONG[way] if text_of(body) == long else None)
    teacher = open_teacher(server)
    teacher.check(TEXTS)
    check_all(teacher(TEXTS), but=(long,))
    assert teacher.left_out[0].reason.startswith("too long: ") and teacher.usage.left_out == {"too long": 1}


FATAL = {
    "wrong key": (error(401, "Incorrect API key"), r"OPENAI_API_KEY is not set, and the server asks for one \(401\)"),
    "no right": (error(403, "not for you"), r"OPENAI_API_KEY .*\(403\): not for you"),
    "no model": (
        error(404, "The model 'small' does not exist"),
        r"no model 'small', or no http://\S*/v1/chat/completions \(404\)",
    ),
    "no money": (error(429, "You exceeded your quota", "insufficient_quota"), "there is no money left for the key"),
    "odd request": (error(400, "messages: too odd"), "refuses the request: messages: too odd"),
}


@pytest.mark.parametrize("way", FATAL)
def test_what_no_request_would_pass_is_one_line_at_once(serve: Serve, way: str) -> None:
    reply, message = FATAL[way]
    server = serve(lambda body, _: reply)
    with pytest.raises(PotstillError, match=message) as raised:
        open_teacher(server).check(TEXTS)
    assert "\n" not in str(raised.value) and server.n_requests == 1


def test_a_server_that_is_not_there_is_one_line_at_once() -> None:
    with stand_in() as server:
        pass
    with pytest.raises(PotstillError, match=r"http://127.0.0.1:\d+/v1: no server there .*; start it, or correct"):
        open_teacher(server).check(TEXTS)


def test_a_key_is_sent_and_none_is_needed_but_for_openais_server(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve()
    open_teacher(server)(TEXTS[:1])
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    open_teacher(server)(TEXTS[1:2])
    assert server.keys == {"none": 1, "secret": 1}
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(PotstillError, match="no key for OpenAI's server: set the variable OPENAI_API_KEY, or name"):
        open_teacher("").check(["another text"])


def test_a_server_that_goes_away_ends_it_and_what_came_is_kept(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_FAILURES", 5)
    monkeypatch.setattr(asking, "TRIES", 2)
    texts = [f"text {number}" for number in range(40)]

    def dying(body: dict[str, Any], _: int) -> Reply | None:
        return error(500, "out of memory") if server.n_requests > 10 else None

    server = serve(dying)
    with pytest.raises(
        PotstillError, match=r"has failed for 5 texts in a row, the last time: .*out of memory; the answ"
    ):
        open_teacher(server, teacher_concurrency=2)(texts)
    assert server.n_requests < 40  # of 80
    server.behaviour = None
    n_before = server.n_requests
    logits = open_teacher(server)(texts)
    assert np.isfinite(logits).all() and server.n_requests == n_before + len(texts) - 10


def test_five_percent_of_failures_lose_nothing_and_ask_nothing_twice(serve: Serve) -> None:
    texts = [f"text {number}" for number in range(300)]
    server = serve(failing(0.05))
    teacher = open_teacher(server)
    np.testing.assert_allclose(np.exp(teacher(texts)), [expected(text, LABELS) for text in texts], atol=1e-5)
    assert server.counts["answered"] == 300 and server.counts["answered_twice"] == 0 and server.n_requests > 305


def test_requests_stop_at_their_number_and_the_rest_is_left_out(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server = serve(first_times(1, lambda body: error(500, "oops")))  # those that fail count too
    teacher = open_teacher(server, max_requests=9, teacher_concurrency=4)
    with caplog.at_level("INFO", logger="potstill"):
        logits = teacher(TEXTS)
        more = teacher(["another"])
    assert server.n_requests == 9 and np.isnan(more).all()
    answered = np.asarray(np.isfinite(logits).all(axis=1))
    assert 0 < answered.sum() <= 4
    check_all(logits, but=tuple(text for text, has in zip(TEXTS, answered.tolist(), strict=True) if not has))
    assert {each.reason for each in teacher.left_out} == {"budget"}
    assert caplog.text.count("the budget is used up") == 1
    second = open_teacher(server, max_requests=100)
    check_all(second(TEXTS))  # what was paid for is in the cache
    assert second.usage.n_cached == sum(answered)


def test_no_more_is_spent_than_was_given(serve: Serve) -> None:
    """A request costs 52 by the server's count, at most about 300 by ours: what is under way is never too much."""
    server = serve(None, 0.02)
    teacher = open_teacher(server, max_cost=1000.0, price_in=1e6, price_out=2e6, teacher_concurrency=8)
    logits = teacher([f"text {number}" for number in range(100)])
    assert teacher.usage.cost == 52 * server.n_requests and 500 < 52 * server.n_requests <= 1000
    assert np.isfinite(logits).all(axis=1).sum() == server.n_requests
    assert teacher.usage.left_out == {"budget": 100 - server.n_requests}


def test_answers_that_cannot_be_kept_are_not_paid_for(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path / "file"))
    server = serve()
    with pytest.raises(PotstillError, match=r"answers cannot be kept here .*: free the place, or name a folder"):
        open_teacher(server).check(TEXTS)
    assert server.n_requests == 0


def test_where_answers_can_be_kept_no_more_no_more_are_paid_for(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve()
    store = Cache.store

    def full(cache: Cache, results: Any) -> None:
        if server.n_requests > 5:
            raise PotstillError("disk full")
        store(cache, results)

    monkeypatch.setattr(Cache, "store", full)
    with pytest.raises(PotstillError, match=r"^disk full$"):
        open_teacher(server, teacher_concurrency=2)([f"text {number}" for number in range(50)])
    assert server.n_requests < 12


def test_an_example_of_no_label_and_a_model_without_a_name_are_one_line() -> None:
    options = LanguageModelOptions(teacher_url="http://127.0.0.1:1/v1")
    with pytest.raises(PotstillError, match="the example 'dull' has the label 'meh', which is none of the labels good"):
        open_language_model("small", from_names(LABELS), options, shots=[("dull", "meh")])
    with pytest.raises(PotstillError, match="the teacher has no name after openai:"):
        open_language_model("openai:", from_names(LABELS), options)


def test_without_the_client_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PotstillError, match=r"this needs openai, aiohttp, .*pip install 'potstill\[llm\]'"):
        open_teacher("http://127.0.0.1:1/v1")


def test_a_model_that_names_no_label_at_all_is_one_line_before_it_is_paid_for_long(serve: Serve) -> None:
    server = serve(lambda body, _: Reply(said("", {"<think>": 1.0})))
    texts = [f"text {number}" for number in range(100)]
    with pytest.raises(PotstillError, match=r"no answer to any of the first 8 texts, such as: empty answer; see what"):
        open_teacher(server).check(texts)
    assert server.n_requests == 8 * (1 + asking.ASKED_AGAIN)


def test_an_empty_first_answer_shows_nothing_of_the_server(serve: Serve) -> None:
    """It has no logprobs, as there is no token: the other texts' have."""
    first = TEXTS[0]
    server = serve(lambda body, _: Reply(said("")) if text_of(body) == first else None)
    teacher = open_teacher(server)
    check_all(teacher(TEXTS), but=(first,))
    assert teacher.usage.answers.startswith("logprobs")


def test_models_of_nearly_one_name_are_told_apart(serve: Serve) -> None:
    server = serve()
    for model in ("a/b", "a-b", "a" * 300, "a" * 301):
        options = LanguageModelOptions(teacher_url=server.url, teacher_orders=1)
        open_language_model(model, from_names(LABELS), options)(TEXTS[:1])
    assert server.n_requests == 4
