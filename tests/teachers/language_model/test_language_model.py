"""A language model as the teacher, against a stand-in for its server: scores, the cache, what is counted."""

import asyncio
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from potstill.corpus.label_file import from_names
from potstill.errors import PotstillError
from potstill.progress import Bar
from potstill.teachers.language_model import LanguageModelTeacher, asking, open_language_model
from potstill.teachers.language_model.options import LanguageModelOptions
from stand_in_server import Behaviour, Reply, StandIn, error, expected, good_answer, prompt_of, said, stand_in, text_of

LABELS = ["good", "bad", "neither"]
TEXTS = [f"film number {number} is fine" for number in range(12)]

Serve = Callable[..., StandIn]


@pytest.fixture(autouse=True)
def _own_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(asking, "FIRST_WAIT", 0.01)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers."""
    with ExitStack() as stack:
        yield lambda behaviour=None, delay=0.0: stack.enter_context(stand_in(behaviour, delay))


def open_teacher(server: StandIn, labels: list[str] | None = None, **options: Any) -> LanguageModelTeacher:
    given = LanguageModelOptions(**{"teacher_url": server.url, **options})
    return open_language_model("openai:small", from_names(labels or LABELS), given)


def probabilities(texts: list[str], labels: list[str] | None = None) -> Any:
    return np.array([expected(text, labels or LABELS) for text in texts])


def only(behaviour: Reply, *numbers: int) -> Behaviour:
    """A server that does something the first times that a prompt comes, by their numbers."""
    return lambda body, n_before: behaviour if n_before in numbers else None


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_logits_are_the_models_probabilities_whatever_the_order_of_the_labels(serve: Serve, api: str) -> None:
    server = serve()
    teacher = open_teacher(server, teacher_api=api, teacher_orders=3)
    teacher.check(TEXTS)
    logits = teacher(TEXTS)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(np.exp(logits), probabilities(TEXTS), atol=1e-5)
    assert server.n_requests == 3 * len(TEXTS) == teacher.usage.n_requests and not teacher.left_out
    assert server.bodies
    body = server.bodies[0]
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("small", 1, 0)
    asked = (body["logprobs"], body.get("top_logprobs"))
    assert asked == ((True, 20) if api == "chat" else (20, None))
    what = "letters" if api == "chat" else "the labels' names"
    assert (
        teacher.usage.answers == f"logprobs (the 20 likeliest tokens) of {what}, the mean over 3 orders of the labels"
    )


def test_a_bias_for_the_first_option_is_averaged_out_and_counted(serve: Serve) -> None:
    """The stand-in prefers A by a factor of nine: two labels of near equal probability turn with the order."""

    def biased(body: dict[str, Any], _: int) -> Reply:
        certain = text_of(body) == TEXTS[0]
        a_is_good = "A) good" in prompt_of(body)
        if certain:
            return Reply(said("A", {"A" if a_is_good else "B": 0.99, "B" if a_is_good else "A": 0.01}))
        return Reply(said("A", {"A": 0.9, "B": 0.1}))

    teacher = open_teacher(serve(biased), ["good", "bad"])
    logits = teacher(TEXTS[:4])
    np.testing.assert_allclose(np.exp(logits), [[0.99, 0.01], *[[0.5, 0.5]] * 3], atol=1e-5)
    usage = teacher.usage
    assert usage.n_compared == 4 and usage.disagreement == 0.75 and usage.distance == pytest.approx(0.75 * 0.8)
    assert "two orders of the labels disagree on 75.0% of the texts" in str(usage)


def test_a_server_without_logprobs_is_asked_for_json(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """It ignores the fields: the first answer shows it, and it alone is asked for twice."""

    def ignoring(body: dict[str, Any], _: int) -> Reply:
        return Reply(good_answer({name: value for name, value in body.items() if name != "logprobs"}))

    server = serve(lambda body, n: Reply(said("A")) if body.get("logprobs") else ignoring(body, n))
    teacher = open_teacher(server, teacher_smoothing=0.3)
    with caplog.at_level("INFO", logger="potstill"):
        logits = teacher(TEXTS)
    best = probabilities(TEXTS).argmax(axis=1)
    np.testing.assert_allclose(np.exp(logits), np.where(np.eye(3)[best] == 1, 0.8, 0.1), atol=1e-6)
    assert server.n_requests == len(TEXTS) + 1
    assert teacher.usage.answers == "JSON, one hard label, smoothed by 0.3" and teacher.usage.disagreement is None
    assert "the teacher's scores: JSON, one hard label, smoothed by 0.3" in caplog.text
    schema = (server.bodies or [])[-1]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["label"]["enum"] == LABELS


@pytest.mark.parametrize(
    ("complaint", "field"),
    [
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "max_tokens"),
        ("Unsupported value: 'temperature' does not support 0", "temperature"),
        ("logprobs is not supported", "logprobs"),
        ("logprobs must be at most 5", "top_logprobs"),
    ],
)
def test_a_field_that_the_server_refuses_is_asked_for_in_another_way(serve: Serve, complaint: str, field: str) -> None:
    def refuses(body: dict[str, Any], _: int) -> Reply | None:
        refused = body.get("top_logprobs") == 20 if field == "top_logprobs" else field in body
        return error(400, complaint) if refused else None

    server = serve(refuses)
    logits = open_teacher(server, teacher_orders=1)(TEXTS)
    np.testing.assert_array_equal(logits.argmax(axis=1), probabilities(TEXTS).argmax(axis=1))
    assert server.n_requests == len(TEXTS) + 1


@pytest.mark.parametrize(("taken", "answers"), [("json_object", "JSON"), (None, "labels in words")])
def test_a_server_that_takes_no_schema_is_given_another_form_or_words(
    serve: Serve, taken: str | None, answers: str
) -> None:
    def refuses(body: dict[str, Any], _: int) -> Reply | None:
        form = body.get("response_format", {}).get("type", taken)
        return None if form == taken else error(500, "1 validation error: response_format type is " + form)

    teacher = open_teacher(serve(refuses), teacher_answers="json")
    np.testing.assert_array_equal(teacher(TEXTS).argmax(axis=1), probabilities(TEXTS).argmax(axis=1))
    assert teacher.usage.answers.startswith(answers)


def test_probabilities_in_json_are_the_shares_of_samples(serve: Serve) -> None:
    """Each sample has a seed; every third one names another label."""

    def sampling(body: dict[str, Any], _: int) -> Reply:
        assert body["temperature"] == 1
        return Reply(said(json.dumps({"label": LABELS[int(body["seed"] % 3 == 0)]})))

    server = serve(sampling)
    teacher = open_teacher(server, teacher_answers="json", teacher_samples=6, teacher_smoothing=0.3)
    np.testing.assert_allclose(np.exp(teacher(TEXTS[:2])), [[0.7 * 4 / 6 + 0.1, 0.7 * 2 / 6 + 0.1, 0.1]] * 2, rtol=1e-5)
    assert server.n_requests == 12 and teacher.usage.answers == "JSON, shares of 6 samples, smoothed by 0.3"


def test_more_labels_than_letters_are_asked_for_in_json(serve: Serve) -> None:
    labels = [f"label {number}" for number in range(60)]
    logits = open_teacher(serve(), labels)(TEXTS[:3])
    np.testing.assert_array_equal(logits.argmax(axis=1), probabilities(TEXTS[:3], labels).argmax(axis=1))
    with pytest.raises(PotstillError, match="60 labels: logprobs are of one letter a label, at most 52"):
        open_teacher(serve(), labels, teacher_answers="logprobs")


def test_logprobs_that_the_server_ignores_are_one_line(serve: Serve) -> None:
    teacher = open_teacher(serve(lambda body, _: Reply(said("A"))), teacher_answers="logprobs")
    with pytest.raises(
        PotstillError, match=r"gives no logprobs .*: start it so that it does, or give --teacher_answers"
    ):
        teacher.check(TEXTS)


def test_a_transfer_set_is_not_made_of_two_kinds_of_answers(serve: Serve) -> None:
    """The server was started again without logprobs, half way."""
    open_teacher(serve())(TEXTS[:3])
    again = open_teacher(serve(lambda body, _: Reply(said("A")) if body.get("logprobs") else None))
    with pytest.raises(PotstillError, match="gives no logprobs"):
        again(TEXTS)


def test_no_text_is_asked_about_twice_in_one_run_or_another_at_whatever_address(serve: Serve) -> None:
    first, second = serve(), serve()
    expected_logits = open_teacher(first)([*TEXTS, *TEXTS])
    assert first.n_requests == 2 * len(TEXTS)
    teacher = open_teacher(second)
    np.testing.assert_array_equal(teacher([*TEXTS, *TEXTS]), expected_logits)
    assert second.n_requests == 0 and teacher.usage.n_cached == 2 * len(TEXTS)
    more = open_teacher(second, teacher_orders=3)
    more(TEXTS)
    assert second.n_requests == len(TEXTS)  # the third order alone
    open_teacher(second, ["good", "bad"])(TEXTS[:1])  # another prompt is another question
    assert second.n_requests == len(TEXTS) + 2


def test_without_its_server_a_cached_text_still_has_its_logits(serve: Serve) -> None:
    with stand_in() as server:
        logits = open_teacher(server)(TEXTS)
        teacher = open_teacher(server)
    np.testing.assert_array_equal(teacher(TEXTS), logits)


def test_a_text_has_the_same_logits_alone_and_among_others(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve()
    among = open_teacher(server, teacher_concurrency=5)(TEXTS)
    monkeypatch.setenv("POTSTILL_CACHE", os.environ["POTSTILL_CACHE"] + "-other")
    alone = np.concatenate([open_teacher(server)([text]) for text in TEXTS])
    np.testing.assert_array_equal(alone, among)


def test_as_many_requests_as_were_asked_for_run_at_the_same_time(serve: Serve) -> None:
    server = serve(None, 0.05)
    open_teacher(server, teacher_concurrency=7)(TEXTS)
    assert server.most_open == 7


def test_the_plan_sends_nothing_and_counts_what_is_there(serve: Serve) -> None:
    server = serve()
    teacher = open_teacher(server, price_in=1.0, price_out=10.0)
    teacher(TEXTS[:3])
    n_before = server.n_requests
    plan = teacher.plan(iter([*TEXTS, *TEXTS]))
    assert (plan.n_texts, plan.n_cached, plan.n_requests) == (12, 6, 18) and plan.tokens_out == 18
    assert plan.cost == pytest.approx((plan.tokens_in + 180) / 1e6) and server.n_requests == n_before
    assert "18 requests to be sent, 6 answers are in the cache" in str(plan)
    assert 0.5 < plan.tokens_in / 18 / 50 < 2  # the stand-in says 50 tokens a prompt


def test_progress_counts_texts_and_shows_the_cost(serve: Serve) -> None:
    shown: list[Any] = []

    class Counting:
        def update(self, n: int) -> None:
            shown.append(n)

        def note(self, text: str) -> None:
            shown.append(text)

    @contextmanager
    def progress(description: str, total: int) -> Iterator[Bar]:
        shown.append(total)
        yield Counting()

    teacher = open_teacher(serve(), price_in=1.0, price_out=10.0)
    teacher([*TEXTS, *TEXTS], progress)
    assert shown[0] == len(TEXTS) == sum(n for n in shown[1:] if isinstance(n, int))
    assert shown[-2] == f"cost {24 * 60 / 1e6:.4g}"
    assert teacher.usage.tokens_in == 24 * 50 and teacher.usage.cost == pytest.approx(24 * 60 / 1e6)


def test_what_a_killed_command_had_answers_to_is_not_asked_again(serve: Serve, tmp_path: Path) -> None:
    """Two requests are under way when it is killed: at most these are asked again."""
    server = serve(None, 0.02)
    script = f"""
import sys
from potstill.corpus.label_file import from_names
from potstill.teachers.language_model import open_language_model
from potstill.teachers.language_model.options import LanguageModelOptions
options = LanguageModelOptions(teacher_url="{server.url}", teacher_concurrency=2)
open_language_model("small", from_names({LABELS}), options)({[f"text {n}" for n in range(400)]})
"""
    process = subprocess.Popen([sys.executable, "-c", script])
    while server.n_requests < 20:
        time.sleep(0.01)
    process.kill()
    process.wait()
    time.sleep(0.1)
    n_answered = server.n_requests
    assert n_answered < 200
    open_teacher(server, teacher_concurrency=2)([f"text {n}" for n in range(200)])
    assert 400 <= server.n_requests <= 402


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_after_the_answers_that_are_under_way(serve: Serve, number: int) -> None:
    from potstill.ending import terminable

    server = serve(None, 0.3)
    teacher = open_teacher(server, teacher_concurrency=3)

    def send_signal() -> None:
        while server.n_requests < 4:  # one has shown what the server understands
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    # As in a process of its own: background jobs ignore the first, and Ray handles the second since its tests.
    own: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {each: signal.signal(each, handler) for each, handler in own.items()}
    threading.Thread(target=send_signal, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt), terminable():
            teacher(TEXTS)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler or signal.SIG_DFL)  # None: not Python's
    n_sent = server.n_requests
    assert n_sent < 12
    assert open_teacher(server).plan(TEXTS).n_cached == n_sent  # each is kept
    assert not [thread for thread in threading.enumerate() if thread.name == "language model"]


def test_it_runs_beside_another_event_loop(serve: Serve) -> None:
    teacher = open_teacher(serve())

    async def in_a_notebook() -> Any:
        return teacher(TEXTS[:2])

    assert asyncio.run(in_a_notebook()).shape == (2, 3)


def test_pickled_it_is_the_same_teacher(serve: Serve) -> None:
    server = serve()
    teacher = open_teacher(server)
    logits = teacher(TEXTS)
    sent = pickle.loads(pickle.dumps(teacher))
    np.testing.assert_array_equal(sent(TEXTS), logits)
    assert (sent.labels, sent.identity) == (teacher.labels, teacher.identity) and server.n_requests == 2 * len(TEXTS)


def test_its_identity_is_all_that_its_logits_depend_on(serve: Serve) -> None:
    server, other = serve(), serve()
    same = [open_teacher(server), open_teacher(other, teacher_concurrency=1, teacher_timeout=5.0)]
    different = [
        open_teacher(server, LABELS[::-1]),
        open_teacher(server, teacher_orders=3),
        open_teacher(server, teacher_answers="json"),
        open_teacher(server, teacher_smoothing=0.2),
        open_teacher(server, teacher_api="completions"),
        open_teacher(server, max_requests=7),  # texts without an answer are not among its logits
    ]
    assert len({teacher.identity for teacher in same}) == 1
    assert len({teacher.identity for teacher in (same[0], *different)}) == 7
