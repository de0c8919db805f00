"""Peers: trained on gold labels; what cannot be made is one line. fastText and model2vec are tested where they are."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from potstill.corpus.examples import read_examples
from potstill.errors import PotstillError
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.peers import (
    PEERS,
    Peer,
    PeerFailed,
    PeerKind,
    PeerTask,
    Settings,
    all_forms,
    check_peer,
    train_first,
    train_peer,
)


def task(data: Path, folder: Path, encoder: str = "") -> PeerTask:
    train, valid = (Labelled.of(read_examples(data / f"{split}.txt")) for split in ("train", "valid"))
    names = {"0": "not good", "1": "good"}  # labels may hold spaces
    train = Labelled([*train.texts] * 20, [names[str(label)] for label in train.labels] * 20)  # enough for 5 epochs
    return PeerTask(train, Labelled(valid.texts, [names[str(label)] for label in valid.labels]), folder, encoder)


@pytest.mark.parametrize("peer", ["tfidf", "fasttext", "model2vec"])
def test_a_peer_learns_gold_labels_in_each_of_its_settings(
    peer: str, tiny_data: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    for module in PEERS[peer].modules:
        pytest.importorskip(module)
    peer_task = task(tiny_data, tmp_path, str(tiny_encoder) if PEERS[peer].needs_encoder else "")
    forms = list(train_peer(peer, peer_task, seed=1))
    others = [all_forms(train_peer(peer, peer_task, settings, seed=1)) for settings in PEERS[peer].settings[1:]]
    assert sum(map(bool, others)) > len(others) / 2, "fasttext-numpy2-wheel fails at some"
    for form in forms + [full for full, *_ in filter(None, others)]:
        right = np.array(form.predict(peer_task.valid.texts)) == np.array(peer_task.valid.labels)
        assert right.mean() > 0.9 and form.seconds > 0
    assert [form.megabytes for form in forms] == sorted((form.megabytes for form in forms), reverse=True)


def test_an_unknown_peer_or_one_without_its_encoder_is_refused() -> None:
    with pytest.raises(PotstillError, match="there is no peer 'bert': choose one of fasttext, model2vec, tfidf"):
        check_peer("bert")
    with pytest.raises(PotstillError, match="the peer 'model2vec': write model2vec:ENCODER"):
        check_peer("model2vec")
    with pytest.raises(PotstillError, match="the peer 'tfidf:x': write tfidf"):
        check_peer("tfidf:x")
    assert check_peer("tfidf") == ("tfidf", "")


def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PotstillError, match="needs fasttext, not installed here: pip install fasttext-community"):
        check_peer("fasttext")


def unstable(fails_at: set[int], *, in_small: bool = False) -> PeerKind:
    """A peer whose library fails at some of its three settings, or in its compressed form."""

    def train(task: PeerTask, settings: Settings, seed: int) -> Iterator[Peer]:
        if settings["lr"] in fails_at:
            raise RuntimeError("Encountered NaN.\nand more")
        yield Peer(f"lr {settings['lr']}", lambda texts: ["good"] * len(texts), 2, 1)
        if in_small:
            raise RuntimeError("too small")

    return PeerKind(train, ({"lr": 0}, {"lr": 1}, {"lr": 2}), (), "")


def test_settings_at_which_its_library_fails_are_left_out_and_told(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    peer_task = task(tiny_data, tmp_path)
    monkeypatch.setitem(PEERS, "nan", unstable({0, 1}))
    with pytest.raises(PeerFailed, match=r"^nan fails with lr=0 \(Encountered NaN\.\)$"):
        next(train_peer("nan", peer_task))
    assert [form.precision for form in train_first("nan", peer_task)] == ["lr 2"]
    assert caplog.messages == [f"left out: nan fails with lr={lr} (Encountered NaN.)" for lr in (0, 1)]
    monkeypatch.setitem(PEERS, "nan", unstable({0, 1, 2}))
    assert train_first("nan", peer_task) == []


def test_a_compressed_form_at_which_its_library_fails_is_left_out(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(PEERS, "nan", unstable(set(), in_small=True))
    assert [form.precision for form in train_first("nan", task(tiny_data, tmp_path))] == ["lr 0"]
    assert "left out: nan fails with lr=0 (too small)" in caplog.text


def test_several_labels_are_given_from_thresholds_that_are_fitted_on_valid(tmp_path: Path) -> None:
    words = {"angry": "furious", "glad": "happy", "said": "film"}
    generator = np.random.default_rng(0)

    def part(n_texts: int) -> Labelled:
        labels = [tuple(name for name in words if name == "said" or generator.random() < 0.4) for _ in range(n_texts)]
        return Labelled([" ".join(["the", *(words[name] for name in own)]) for own in labels], labels)

    train, valid, test = part(200), part(40), part(40)
    (peer,) = train_peer("tfidf", PeerTask(train, valid, tmp_path))
    predicted = peer.predict(test.texts)
    assert test.is_right(predicted).all() and test.f1(predicted) == test.micro_f1(predicted) == 1.0


def test_pairs_are_read_as_one_text(tiny_data: Path, tmp_path: Path) -> None:
    def halves(part: Labelled) -> Labelled:
        return Labelled([(str(text)[:20], str(text)[21:]) for text in part.texts], part.labels)

    single = task(tiny_data, tmp_path)
    joined = Labelled([f"{str(text)[:20]} {str(text)[21:]}" for text in single.train.texts], single.train.labels)
    (one,) = train_peer("tfidf", PeerTask(joined, single.valid, tmp_path))
    (other,) = train_peer("tfidf", PeerTask(halves(single.train), halves(single.valid), tmp_path))
    texts = [f"{str(text)[:20]} {str(text)[21:]}" for text in single.valid.texts]
    assert list(one.predict(texts)) == list(other.predict(halves(single.valid).texts))


@pytest.mark.parametrize("labels", [[("always", "sad"), ("always",)], [("always",), ("always",)]])
def test_a_label_that_all_texts_have_is_given_to_all(labels: list[tuple[str, ...]], tmp_path: Path) -> None:
    train = Labelled(["a grey day", "a green day"] * 12, labels * 12)
    (peer,) = train_peer("tfidf", PeerTask(train, train, tmp_path))
    assert train.is_right(peer.predict(train.texts)).all()


def test_a_label_of_valid_that_train_lacks_is_never_given(tmp_path: Path) -> None:
    train = Labelled(["a grey day", "a green day"] * 12, [("sad",), ()] * 12)
    valid = Labelled(["a grey day", "a green day"], [("new", "sad"), ("new",)])
    (peer,) = train_peer("tfidf", PeerTask(train, valid, tmp_path))
    assert valid.is_right(peer.predict(valid.texts)).tolist() == [False, False]
    assert train.is_right(peer.predict(train.texts)).all()
