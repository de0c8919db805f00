"""The text that a model is trained on, as token ids in a folder."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from potstill.artifacts import read_manifest
from potstill.corpus.encoded import Chunk
from potstill.corpus.words import MASK_ID, build_tokenizer
from potstill.errors import PotstillError
from potstill.training import encoding
from potstill.training.encoding import encode_to_folder, load_encoded, split_chunks

MASKED = ["a [MASK] film", "a <mask> film"]


@pytest.mark.parametrize("encoder", ["tiny_roberta", "tiny_encoder"])
def test_every_mask_token_becomes_the_teachers_own(
    encoder: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(request.getfixturevalue(encoder))
    backend = tokenizer.backend_tokenizer
    folder = tmp_path / "encoded"
    encoded = encode_to_folder([Chunk(MASKED)], backend, folder, n_ctx=20, mask_token=tokenizer.mask_token, inputs={})
    first, second = np.split(encoded.token_ids, encoded.offsets[1:-1])
    assert first.tolist() == second.tolist() == tokenizer(f"a {tokenizer.mask_token} film")["input_ids"]
    assert first.tolist().count(tokenizer.mask_token_id) == 1


def test_every_mask_token_becomes_the_students(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(["a", "film"], lower=True)
    encoded = encode_to_folder([Chunk(MASKED)], tokenizer, tmp_path / "encoded", n_ctx=20, inputs={})
    assert encoded.token_ids.tolist() == [3, MASK_ID, 4] * 2


def test_a_tokenizer_without_a_mask_token_reads_the_text_as_it_is(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(["a", "film", "<", "mask", ">"], lower=True)
    chunks = [Chunk(MASKED[1:])]
    encoded = encode_to_folder(chunks, tokenizer, tmp_path / "encoded", n_ctx=20, mask_token=None, inputs={})
    assert encoded.token_ids.tolist() == [3, 5, 6, 7, 4]


@pytest.mark.parametrize("cuts", [(0, 3), (0, 1, 3)])
def test_text_logits_and_gold_labels_are_in_one_folder_whatever_the_chunks(
    cuts: tuple[int, ...], tmp_path: Path
) -> None:
    tokenizer = build_tokenizer(["a", "film"], lower=True)
    logits, gold = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32), np.array([1, -100, 0])
    texts = ["a film", "a", "film a film"]
    chunks = [Chunk(texts[start:stop], gold[start:stop], logits[start:stop]) for start, stop in pairwise(cuts)]
    folder = tmp_path / "encoded"
    encode_to_folder(chunks, tokenizer, folder, n_ctx=20, inputs={"from": "here"})
    encoded = load_encoded(folder, tokenizer)
    assert encoded.token_ids.tolist() == [3, 4, 3, 4, 3, 4] and encoded.offsets.tolist() == [0, 2, 3, 6]
    assert encoded.teacher_logits is not None and encoded.teacher_logits.tolist() == logits.tolist()
    assert encoded.gold is not None and encoded.gold.tolist() == gold.tolist()
    manifest = read_manifest(folder)
    assert manifest is not None and manifest["inputs"]["from"] == "here"
    with pytest.raises(PotstillError, match="encoded with another vocabulary"):
        load_encoded(folder, build_tokenizer(["another"], lower=True))


def test_chunks_are_split_in_one_stream_and_keep_their_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def split(texts: Iterable[str], analyzer: str, *_: object) -> Iterator[str]:
        calls.append(analyzer)
        return (text.upper() for text in texts)

    monkeypatch.setattr(encoding, "split_morphemes", split)
    chunks = [Chunk(["a", "b"], np.array([0, 1])), Chunk([], np.array([], dtype=np.int64)), Chunk(["c"], np.array([2]))]
    made = list(split_chunks(iter(chunks), "mecab"))
    assert [(chunk.texts, chunk.gold.tolist()) for chunk in made if chunk.gold is not None] == [
        (["A", "B"], [0, 1]),
        ([], []),
        (["C"], [2]),
    ]
    assert calls == ["mecab"], "each call starts its processes"


def test_without_an_analyzer_texts_are_read_as_they_are() -> None:
    assert [chunk.texts for chunk in split_chunks([Chunk(["a film"])], "")] == [["a film"]]
