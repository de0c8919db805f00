"""``potstill distill`` with a language model as the teacher: a stand-in of its server, which counts requests."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from potstill.artifacts import read_json
from potstill.cli import main
from potstill.corpus.columns import DistillColumns
from potstill.corpus.transfer import read_transfer
from potstill.distillation.distill import distill, make_plan
from potstill.errors import PotstillError
from potstill.evaluation.results import read_evaluation
from potstill.reporting.teacher import read_audit
from potstill.runs.options import DistillOptions
from potstill.teachers.language_model.options import LanguageModelOptions
from small_runs import small_run
from stand_in_server import Reply, StandIn, error, said, stand_in, text_of
from standins import sentences

TEXTS = [text for text, _ in sentences(80, 3)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of another test are not this one's."""
    monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as running:
        yield running


def options(data: Path | str, vectors: Path, server: StandIn, out: Path, **changes: Any) -> DistillOptions:
    """A small run whose teacher is behind the server; ``asked`` are changes of how it is asked."""
    asked = {"teacher_url": server.url, "teacher_orders": 2, "teacher_shots": 2} | changes.pop("asked", {})
    named = {"language_model": LanguageModelOptions(**asked), "reference_row": False, "student_steps": 10}
    with_rules = {} if "rules" in changes else {"rules": small_run(Path(data), out, vectors, out).rules}
    settings = {"labels": "0,1", "gold_epochs": 0} | named | with_rules | changes
    made = small_run(Path(data), Path("openai:small"), vectors, out, **settings)
    return DistillOptions(**vars(made) | {"data": str(data)})


def test_labelled_data_is_distilled_and_the_teacher_audited(
    server: StandIn, tiny_data: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    prices = {"price_in": 1.0, "price_out": 2.0}
    finished = distill(options(tiny_data, tiny_vectors, server, tmp_path / "run", asked=prices))
    evaluation = read_evaluation(finished.folder)
    assert evaluation.is_gold and evaluation.teacher.name == "teacher (openai:small)"
    assert evaluation.teacher.megabytes is None and evaluation.teacher.p50_ms > 0
    audit = read_audit(finished.folder)
    assert audit is not None and audit.text_cost is not None and audit.text_cost > 0
    n_texts = len(read_transfer(finished.folder / "transfer").texts)
    held_out = {text for seed in (1, 2) for text, _ in sentences(20, seed)}
    assert audit.n_texts == n_texts + len(held_out)
    assert server.counts["answered_twice"] == 0
    assert audit.n_requests == server.n_requests
    assert audit.tokens_in == 50 * 2 * audit.n_texts
    page = (finished.folder / "report.html").read_text()
    assert "A language model was asked" in page and "two orders disagree on" in page


def test_called_again_nothing_is_sent(server: StandIn, tiny_data: Path, tiny_vectors: Path, tmp_path: Path) -> None:
    first = options(tiny_data, tiny_vectors, server, tmp_path / "run")
    distill(first)
    n_sent = server.n_requests
    distill(first)
    distill(options(tiny_data, tiny_vectors, server, tmp_path / "another"))
    assert server.n_requests == n_sent


def test_new_texts_are_made_only_where_they_are_asked_for(
    server: StandIn, tiny_data: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    rules = type(small_run(tiny_data, tmp_path, tiny_vectors, tmp_path).rules)()
    finished = distill(options(tiny_data, tiny_vectors, server, tmp_path / "run", rules=rules))
    train = {text for text, _ in sentences(60, 0)}
    assert set(read_transfer(finished.folder / "transfer").texts) == train
    assert read_json(finished.folder / "run.json")["config"]["augment"] is False


def test_a_plan_counts_requests_and_sends_none(
    server: StandIn, tiny_data: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    asked = {"price_in": 1.0, "price_out": 1.0}
    rules = type(small_run(tiny_data, tmp_path, tiny_vectors, tmp_path).rules)()
    planned = make_plan(options(tiny_data, tiny_vectors, server, tmp_path / "run", rules=rules, asked=asked))
    n_texts = len({text for seed, n in ((0, 60), (1, 20), (2, 20)) for text, _ in sentences(n, seed)})
    assert f"{n_texts} different texts: {2 * n_texts} requests to be sent" in str(planned)
    assert server.n_requests == 0 and not (tmp_path / "run").exists()


def unlabelled(server: StandIn, vectors: Path, tmp_path: Path, **changes: Any) -> DistillOptions:
    (tmp_path / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    return options("", vectors, server, tmp_path / "run", unlabelled=(tmp_path / "texts.txt",), **changes)


def test_texts_without_labels_are_labelled_split_and_learnt(
    server: StandIn, tiny_vectors: Path, tmp_path: Path
) -> None:
    given = unlabelled(server, tiny_vectors, tmp_path)
    planned = make_plan(given)
    assert [stage.name for stage in planned.stages] == ["labelled"] and "are planned when it is made" in str(planned)
    assert server.n_requests == 0
    finished = distill(given)
    assert not finished.evaluation.is_gold and "as the teacher" in str(finished)
    assert {stage.state for stage in make_plan(given).stages} == {"done"}
    new = set(read_transfer(finished.folder / "transfer").texts) - set(TEXTS)
    assert server.n_requests == 2 * len(set(TEXTS)) + 2 * len(new)


def test_checked_texts_become_test(server: StandIn, tiny_vectors: Path, tmp_path: Path) -> None:
    given = unlabelled(server, tiny_vectors, tmp_path)
    distill(given)
    main(["sample", str(given.out), f"--out={tmp_path / 'check.csv'}", "--n=10", "--kinds=random", "--quiet"])
    with (tmp_path / "check.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (tmp_path / "check.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerows([("text", "label"), *((row["text"], "1") for row in rows)])
    n_sent = server.n_requests
    finished = distill(DistillOptions(**vars(given) | {"gold": tmp_path / "check.csv"}))
    assert finished.evaluation.is_gold and finished.evaluation.teacher.total == 10
    assert server.n_requests >= n_sent  # new texts are sampled from another train
    assert server.counts["answered_twice"] == 0


def test_a_budget_leaves_a_smaller_run_and_a_larger_one_goes_on(
    server: StandIn, tiny_vectors: Path, tmp_path: Path
) -> None:
    rules = type(small_run(tmp_path, tmp_path, tiny_vectors, tmp_path).rules)()
    small = unlabelled(server, tiny_vectors, tmp_path, rules=rules, asked={"max_requests": 60})
    distill(small)
    assert len(read_transfer(small.out / "labelled").texts) == 30 and server.n_requests == 60
    large = unlabelled(server, tiny_vectors, tmp_path, rules=rules, asked={"max_requests": 1000})
    distill(large)
    n_different = len(set(TEXTS))
    assert len(read_transfer(small.out / "labelled").texts) == n_different
    assert server.n_requests == 2 * n_different


def test_what_is_refused_is_left_out_and_listed(tiny_vectors: Path, tmp_path: Path) -> None:
    no = Reply(said("", {"I": 1.0}, refusal="I cannot judge this"))
    with stand_in(lambda body, _: no if "story" in text_of(body) else None) as server:
        finished = distill(unlabelled(server, tiny_vectors, tmp_path))
    refused = {text for text in TEXTS if "story" in text}
    assert not refused & set(read_transfer(finished.folder / "labelled").texts)
    listed = (finished.folder / "labelled" / "left_out.jsonl").read_text().splitlines()
    assert len(listed) == len(refused)
    audit = read_audit(finished.folder)
    assert audit is not None and audit.left_out["refused"] >= len(refused)


def test_texts_may_be_in_a_column_of_any_name(server: StandIn, tiny_vectors: Path, tmp_path: Path) -> None:
    with (tmp_path / "u.csv").open("w") as file:
        csv.writer(file).writerows([("id", "review"), *enumerate(TEXTS)])
    given = {"unlabelled": (tmp_path / "u.csv",), "columns": DistillColumns(text_column="review")}
    finished = distill(options("", tiny_vectors, server, tmp_path / "run", **given))
    assert set(read_transfer(finished.folder / "labelled").texts) == set(TEXTS)


def test_bad_options_are_found_before_anything_is_paid(server: StandIn, tiny_vectors: Path, tmp_path: Path) -> None:
    (tmp_path / "gold.csv").write_text("text,label\na film,perhaps\n")
    for changes in ({"student": ("nosuch",)}, {"gold": tmp_path / "gold.csv"}, {"embedding_path": "nosuch.txt"}):
        with pytest.raises(PotstillError):
            distill(unlabelled(server, tiny_vectors, tmp_path, **changes))
    assert server.n_requests == 0


def test_a_budget_too_small_for_valid_and_test_is_no_figure(
    server: StandIn, tiny_data: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    given = options(tiny_data, tiny_vectors, server, tmp_path / "run", asked={"max_requests": 20})
    for _ in range(2):
        with pytest.raises(PotstillError, match="have no answer yet: give a larger budget"):
            distill(given)


def test_a_server_that_goes_away_near_the_end_leaves_nothing_out(tiny_vectors: Path, tmp_path: Path) -> None:
    with stand_in() as server:
        gone = 2 * len(set(TEXTS)) - 20
        server.behaviour = lambda body, _: error(500, "down") if server.n_requests > gone else None
        given = unlabelled(server, tiny_vectors, tmp_path)
        with pytest.raises(PotstillError, match=r"texts in a row.*the same command goes on after them"):
            distill(given)
        server.behaviour = None
        finished = distill(given)
    assert set(read_transfer(finished.folder / "labelled").texts) == set(TEXTS)


def test_killed_and_run_again_no_request_is_repeated(tiny_vectors: Path, tmp_path: Path) -> None:
    with stand_in(delay=0.02) as server:
        (tmp_path / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS))
        command = [
            *(sys.executable, "-m", "potstill", "distill", f"--unlabelled={tmp_path / 'texts.txt'}"),
            *("--teacher=openai:small", f"--teacher_url={server.url}", "--labels=0,1", f"--out={tmp_path / 'run'}"),
            *("--teacher_concurrency=2", "--student=cnn", "--analyzer=whitespace", "--n_frequent=50", "--quiet"),
            *(f"--embedding_path={tiny_vectors}", "--student_steps=5", "--no-reference_row", "--processes=1"),
        ]
        first = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
        while server.n_requests < 40:
            assert first.poll() is None
            time.sleep(0.01)
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == 128 + signal.SIGTERM
        assert 40 <= server.n_requests < 2 * len(set(TEXTS))
        subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, timeout=300)
        assert server.n_requests == server.counts["prompts"] == 2 * len(set(TEXTS))
        assert server.counts["answered_twice"] == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": "0,1,2"}, "its labels are 0, 1, 2, the data's are 0, 1"),
        ({"labels": "no,NO"}, "differ only in case"),
        ({"teacher": "openai:"}, "what model"),
        ({"engine": "ray"}, "leave --engine ray out"),
    ],
)
def test_bad_options_are_one_line_before_any_request(
    changes: dict[str, Any], message: str, server: StandIn, tiny_data: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    given = options(tiny_data, tiny_vectors, server, tmp_path / "run")
    with pytest.raises(PotstillError, match=message):
        distill(DistillOptions(**vars(given) | changes))
    assert server.n_requests == 0 and not (tmp_path / "run").exists()


def test_a_server_that_refuses_the_key_is_one_line(tiny_data: Path, tiny_vectors: Path, tmp_path: Path) -> None:
    with (
        stand_in(lambda body, _: error(401, "bad key")) as server,
        pytest.raises(PotstillError, match="OPENAI_API_KEY") as raised,
    ):
        distill(options(tiny_data, tiny_vectors, server, tmp_path / "run"))
    assert "\n" not in str(raised.value)
