"""benchmarks/peers.py: what is chosen, what is on the front, and a whole run with one peer."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import peers
from potstill.artifacts import read_json, write_json
from potstill.corpus.examples import read_examples
from potstill.corpus.words import build_tokenizer
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.peers import PEERS, Peer, PeerFailed, PeerKind, PeerTask, Settings
from potstill.export.onnx_files import save_model
from potstill.training.fitting import new_student
from potstill.training.vocabulary import Vocabulary


def test_a_row_is_on_the_front_unless_another_is_faster_and_as_accurate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "take_turns", lambda sides, *_: dict(zip(sides, (9000.0, 1000.0, 5000.0), strict=True)))
    rows = [peers.Row("x", "peer", "fp32", [share], [share], 1.0, None) for share in (0.8, 0.7, 0.7)]
    part = Labelled(["a"], ["0"])
    timed = peers.time_rows([(row, str) for row in rows], peers.Data(part, part, part), peers.Options(Path(), ()))
    assert [(row.ms, row.on_front) for row in timed] == [(9, True), (1, True), (5, False)]


def test_settings_are_chosen_on_valid_and_only_the_best_are_compressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compressed = []

    def train(task: PeerTask, settings: Settings, seed: int) -> Iterator[Peer]:
        def predict(texts: object) -> list[str]:
            return settings["says"]  # type: ignore[no-any-return]

        yield Peer("full", predict, 2, 1)
        compressed.append(settings["says"])
        yield Peer("small", predict, 1, 1)

    said = tuple({"says": labels} for labels in (["b", "b"], ["a", "b"], ["a", "b", ""][:2], ["a", "a"]))
    monkeypatch.setitem(PEERS, "echo", PeerKind(train, said, (), ""))
    valid, test = Labelled(["1", "2"], ["a", "b"]), Labelled(["1", "2"], ["a", "a"])
    chosen, forms = peers.select("echo", PeerTask(valid, valid, tmp_path), peers.Data(valid, valid, test), seed=1)
    assert chosen is said[1] and compressed == [["a", "b"]]
    assert [form.precision for form in forms] == ["full", "small"]


def test_settings_at_which_a_library_fails_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def train(task: PeerTask, settings: Settings, seed: int) -> Iterator[Peer]:
        if settings["lr"] or seed == 2:
            raise RuntimeError("Encountered NaN.")
        yield Peer("full", lambda texts: ["a"] * len(texts), 2, 1)

    monkeypatch.setitem(PEERS, "nan", PeerKind(train, ({"lr": 1}, {"lr": 0}), (), ""))
    part = Labelled(["1", "2"], ["a", "b"])
    data = peers.Data(part, part, part)
    ((row, _),) = peers.measure_peer("nan", PeerTask(part, part, tmp_path), data, (1, 2, 3))
    assert row.settings == {"lr": 0} and row.test == [0.5, 0.5]
    assert "left out: nan fails with lr=1 (Encountered NaN.)" in capsys.readouterr().err
    monkeypatch.setitem(PEERS, "nan", PeerKind(train, ({"lr": 1},), (), ""))
    (tmp_path / "again").mkdir()
    with pytest.raises(PeerFailed, match="nan fails with all of its settings"):
        peers.select("nan", PeerTask(part, part, tmp_path / "again"), data, seed=1)


def test_a_students_seconds_are_those_of_the_stages_before_it(tmp_path: Path) -> None:
    seconds = {"data": 1, "teacher": 10, "transfer": 100, "prepared": 1000, "students/cnn": 10_000, "students/x": 7}
    write_json(tmp_path / "run.json", {"stages": {name: {"seconds": value} for name, value in seconds.items()}})
    assert peers.seconds_of(tmp_path / "students" / "cnn") == 11_111
    assert peers.seconds_of(tmp_path / "teacher") == 10
    assert peers.seconds_of(tmp_path / "student") is None  # a link to one of them
    assert peers.seconds_of(tmp_path.parent / "elsewhere") is None
    record = read_json(tmp_path / "run.json")
    record["stages"]["data"]["seconds"] = None
    write_json(tmp_path / "run.json", record)
    assert peers.seconds_of(tmp_path / "students" / "cnn") is None
    assert peers.seconds_of(tmp_path / "teacher") == 10


def test_folders_of_one_name_are_seeds_of_one_student() -> None:
    folders = [Path("a/cnn"), Path("a/ngram"), Path("b/cnn")]
    assert peers.by_name(folders) == {"cnn": [Path("a/cnn"), Path("b/cnn")], "ngram": [Path("a/ngram")]}


def test_the_table_and_the_file_have_a_row_for_each_model(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = sorted({word for row in read_examples(tiny_data / "train.txt") for word in row.text.split()})
    table = np.random.default_rng(0).normal(size=(len(words) + 3, 16)).astype(np.float32)
    students = [tmp_path / run / "ngram" for run in "ab"]
    for seed, folder in enumerate(students):
        folder.mkdir(parents=True)
        vocabulary = Vocabulary(build_tokenizer(words, lower=True), table)
        save_model(*new_student("ngram", {}, vocabulary, ["0", "1"], embedding_trainable=True, seed=seed), folder)
    options = peers.Options(
        tiny_data, tuple(students), peers=("tfidf",), seeds=(1, 2), n_train=30, rounds=1, texts=5, out=tmp_path / "out"
    )
    peers.main(options)
    printed = capsys.readouterr().out
    assert "ngram fp32" in printed and "tfidf fp64" in printed and "30 texts of train" in printed
    rows = read_json(tmp_path / "out")["rows"]
    assert [(row["name"], len(row["test"]), row["ms"] > 0) for row in rows] == [("ngram", 2, True), ("tfidf", 2, True)]
    assert rows[1]["settings"]["C"] in (1, 4, 16) and any(row["on_front"] for row in rows)
