"""What every analyzer keeps to, and what each alone does."""

from pathlib import Path

import numpy as np
import pytest

import potstill.augment.analyzers
from potstill.augment.analyzers import ANALYZERS, Analyzer, make_analyzer
from potstill.augment.augmentation import augment
from potstill.augment.sampling import Rules
from potstill.corpus.words import MASK, word_splitter
from potstill.errors import PotstillError

TEXTS = ["It doesn't end-well, says Mr. Smith's film...", "fine", "do n't it 's", "3.5 stars  (of 5)", "좋다!"]


@pytest.fixture(scope="module", params=sorted(ANALYZERS))
def analyzer(request: pytest.FixtureRequest) -> Analyzer:
    return make_analyzer(request.param)


def test_words_tags_and_spaces_are_of_one_length_and_in_the_texts_order(analyzer: Analyzer) -> None:
    found = list(analyzer(TEXTS))
    assert len(found) == len(TEXTS)
    assert all(len(one.words) == len(one.tags) == len(one.spaces) > 0 for one in found)


def test_words_are_those_of_the_students_tokenizer(analyzer: Analyzer) -> None:
    expected = [[word for word, _ in word_splitter().pre_tokenize_str(text)] for text in TEXTS]
    assert [analysis.words for analysis in analyzer(TEXTS)] == expected


def test_words_and_spaces_give_the_text_back(analyzer: Analyzer) -> None:
    for text, analysis in zip(TEXTS, analyzer(TEXTS), strict=True):
        joined = "".join(word + " " * space for word, space in zip(analysis.words, analysis.spaces, strict=True))
        assert joined.rstrip() == " ".join(text.split())


def test_a_text_is_analysed_alike_alone_and_among_others(analyzer: Analyzer) -> None:
    assert [next(iter(analyzer([text]))) for text in TEXTS] == list(analyzer(TEXTS))


def test_no_texts_give_no_analyses(analyzer: Analyzer) -> None:
    assert list(analyzer([])) == []


def test_every_file_of_the_folder_is_registered() -> None:
    folder = Path(potstill.augment.analyzers.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "analysis"}
    assert files == set(ANALYZERS)


def test_spacy_tags_parts_of_speech() -> None:
    (analysis,) = make_analyzer("spacy")(["the film is dull"])
    assert analysis.tags == ["DET", "NOUN", "AUX", "ADJ"]


def test_whitespace_tags_nothing_so_nothing_is_replaced() -> None:
    rules = Rules(n_iter=30, p_mask=0, p_pos=1, p_ng=0)
    assert list(augment(["the film is dull"], rules, analyzer="whitespace")) == [(0, "the film is dull")]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("npc", "not public: choose one of spacy, whitespace"),
        ("khaii", "no analyzer 'khaii': choose one of spacy, whitespace"),
        ("whitespace:en", "takes no model, but was given 'en'"),
        ("spacy:xx_none", "python -m spacy download xx_none"),
    ],
)
def test_a_name_that_is_not_there_says_what_is(name: str, complaint: str) -> None:
    with pytest.raises(PotstillError, match=complaint):
        make_analyzer(name)


def test_new_text_of_random_pieces_splits_into_as_many_words_as_its_source() -> None:
    """Sampling changes words one for one, so whatever is glued together the count must come back."""
    pieces = [*["do", "n't", "it", "'s", "U.S.", "3.5", "...", "-", "--", ",", "(", "film", "영화", "!", "x"], "Mr. "]
    generator = np.random.default_rng(0)
    texts = []
    for _ in range(150):
        chosen = generator.choice(pieces, size=generator.integers(3, 12))
        texts.append("".join(piece + " " * int(generator.random() < 0.6) for piece in chosen).strip())
    splitter = word_splitter()
    n_words = [len(splitter.pre_tokenize_str(text)) for text in texts]
    n_new = 0
    for source, text in augment(texts, Rules(n_iter=10, p_mask=0.2, p_pos=0.3), analyzer="spacy"):
        assert len(splitter.pre_tokenize_str(text.replace(MASK, "MASK"))) == n_words[source], (texts[source], text)
        n_new += text != texts[source]
    assert n_new > 1000


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(PotstillError, match="--seed=-1: must not be negative"):
        list(augment(["fine"], Rules(), analyzer="whitespace", seed=-1))


def test_no_texts_give_no_new_ones() -> None:
    assert list(augment([], Rules(), analyzer="whitespace", processes=2)) == []
