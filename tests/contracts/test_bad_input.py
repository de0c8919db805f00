"""What holds for every entry that takes bytes from outside, whatever the bytes: see ``benchmarks/fuzz_targets.py``."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fuzz_forms import Finding, Target
from fuzz_targets import TARGETS
from potstill.corpus.examples import Example, read_examples
from potstill.corpus.transfer import as_fields, read_transfer, write_shard, write_tsv
from potstill.corpus.vector_files import load_vectors
from potstill.corpus.vectors import WordVectors
from standins import write_student

# The same inputs each time: a test must not fail by chance. The fuzzer looks for new ones.
bounded = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)
_texts = st.lists(_words, min_size=1, max_size=5).map(" ".join)
_numbers = st.floats(-1e6, 1e6, width=32)


@dataclass(frozen=True)
class Damage:
    """What is done to a good input: some bytes are replaced by others."""

    start: int
    length: int
    put: bytes

    def __call__(self, good: bytes) -> bytes:
        start = self.start % (len(good) + 1)
        return good[:start] + self.put + good[start + self.length :]


_damages = st.builds(Damage, st.integers(1, 4000), st.integers(0, 20), st.binary(max_size=12))


@pytest.fixture(scope="module")
def open_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Target]]:
    """A target by name, over a student with random weights: a stand-in."""
    student = write_student(tmp_path_factory.mktemp("student"))
    opened: dict[str, Target] = {}

    def find(name: str) -> Target:
        if name not in opened:
            opened[name] = TARGETS[name](tmp_path_factory.mktemp(name), student)
        return opened[name]

    yield find
    for target in opened.values():
        target.close()


@pytest.mark.parametrize("name", TARGETS)
def test_the_inputs_to_start_from_are_met_as_they_should_be(open_target: Callable[[str], Target], name: str) -> None:
    target = open_target(name)
    for seed in target.seeds:
        target.check(seed)


@pytest.mark.parametrize("name", TARGETS)
@bounded
@given(data=st.data())
def test_any_damage_is_refused_in_one_line_or_read_right(
    open_target: Callable[[str], Target], name: str, data: st.DataObject
) -> None:
    target = open_target(name)
    damage, seed = data.draw(_damages), data.draw(st.sampled_from(target.seeds))
    target.check(seed[:1] + damage(seed[1:]))


def test_a_wrong_prediction_is_a_finding(open_target: Callable[[str], Target], monkeypatch: pytest.MonkeyPatch) -> None:
    target = open_target("readers")
    monkeypatch.setattr("fuzz_targets.read_examples", lambda path: read_examples(path)[1:])
    with pytest.raises(Finding, match="a line that is not blank has no example"):
        target.check(target.seeds[0])


@bounded
@given(rows=st.lists(st.tuples(_texts, _texts), min_size=1, max_size=6))
def test_labelled_text_comes_back_from_each_format(rows: list[tuple[str, str]], tmp_path: Path) -> None:
    expected = [Example(text, label) for text, label in rows]
    (tmp_path / "a.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in rows), encoding="utf-8")
    lines = [json.dumps({"label": label, "text": text}) for text, label in rows]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    quoted = ['"' + text.replace('"', '""') + '","' + label.replace('"', '""') + '"' for text, label in rows]
    (tmp_path / "a.csv").write_text("text,label\n" + "\r\n".join(quoted), encoding="utf-8", newline="")
    for name in ("a.tsv", "a.jsonl", "a.csv"):
        assert read_examples(tmp_path / name) == expected


@bounded
@given(data=st.data(), texts=st.lists(_texts, min_size=1, max_size=6), width=st.integers(2, 5))
def test_transfer_sets_come_back(data: st.DataObject, texts: list[str], width: int, tmp_path: Path) -> None:
    rows = data.draw(
        st.lists(st.lists(_numbers, min_size=width, max_size=width), min_size=len(texts), max_size=len(texts))
    )
    logits = np.array(rows, dtype=np.float32)
    write_shard(tmp_path / "a.parquet", texts, logits)
    write_tsv(tmp_path / "a.txt", [(texts, as_fields(logits))])
    exact, rounded = read_transfer(tmp_path / "a.parquet"), read_transfer(tmp_path / "a.txt")
    assert exact.texts == rounded.texts == texts
    np.testing.assert_array_equal(exact.logits, logits)
    np.testing.assert_allclose(rounded.logits, logits, rtol=1e-6, atol=1e-6)


@bounded
@given(data=st.data(), words=st.lists(_words, min_size=1, max_size=6, unique=True), width=st.integers(1, 4))
def test_word_vectors_come_back(data: st.DataObject, words: list[str], width: int, tmp_path: Path) -> None:
    row = st.lists(_numbers, min_size=width, max_size=width)
    table = np.array(data.draw(st.lists(row, min_size=len(words), max_size=len(words))), dtype=np.float32)
    lines = [f"{word} {' '.join(map(repr, numbers))}\n" for word, numbers in zip(words, table.tolist(), strict=True)]
    (tmp_path / "a.vec").write_text(f"{len(words)} {width}\n" + "".join(lines), encoding="utf-8")
    (tmp_path / "a.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    np.save(tmp_path / "a.npy", table)
    for name in ("a.vec", "a.npy"):
        vectors = load_vectors(str(tmp_path / name))
        assert isinstance(vectors, WordVectors) and vectors.words == words
        np.testing.assert_array_equal(vectors.table, table)
