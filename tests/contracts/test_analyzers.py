"""What every analyzer keeps to. khaiii, which pip does not bring, is a stand-in of the same shape."""

import re
import unicodedata
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path

import pytest

import potstill.augment.analyzers
import potstill.morphology
from potstill.augment.analyzers import ANALYZERS, analyzer_language, make_analyzer
from potstill.augment.augmentation import augment, rewrite
from potstill.augment.replaceable import Form, ReplaceableText
from potstill.augment.sampling import Rules
from potstill.augment.tagging import analyse_texts
from potstill.corpus.analysis import Analyzer, Token
from potstill.corpus.words import MASK, word_splitter
from potstill.morphology import MORPHOLOGIES

TEXTS = [
    "아름다운영화였어요 보는내내 감동이고 행복했어요.^^",
    "그 사람은 거예요, 친구예요  ㅋㅋㅋ",
    "It doesn't end-well, says Mr. Smith's film...",
    "3.5 stars  (of 5)\thttp://a.b",
    "마이클 키튼 짱",
    "fine",
]
ODD = [
    "",
    "   ",
    "\u200b",
    "\ufeff뭐\x00야\u3000ㅎ",
    "😀👍🏽",
    unicodedata.normalize("NFD", "한국 영화는 재밌다"),
    f"{MASK}는 재밌{MASK}다 :{MASK}",
    "ㅠ" * 500,
    "영화\r\n\r\n좋다",
    "예쁜\xa0 카페 \u3000 찾아가\x1f볼까?",
]
FORMS: tuple[Form, ...] = ("natural", "split")


@pytest.fixture(scope="module", params=sorted(ANALYZERS))
def name(request: pytest.FixtureRequest, khaiii: None) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def analyzer(name: str) -> Analyzer:
    return make_analyzer(name)


def analysed(texts: list[str], name: str, form: Form = "natural") -> Iterator[tuple[str, ReplaceableText]]:
    return zip(texts, analyse_texts(texts, name, form=form), strict=True)


def test_every_token_has_a_form_and_a_place_in_the_text(analyzer: Analyzer) -> None:
    for text, tokens in zip(TEXTS, analyzer(TEXTS), strict=True):
        assert tokens
        assert all(token.form and 0 <= token.start <= token.end <= len(text) for token in tokens)
        assert sorted(token.start for token in tokens) == [token.start for token in tokens]


@pytest.mark.parametrize("form", FORMS)
def test_words_keys_and_spaces_are_of_one_length_and_no_word_is_empty(name: str, form: Form) -> None:
    for _, analysis in analysed(TEXTS + ODD, name, form):
        assert len(analysis.words) == len(analysis.keys) == len(analysis.spaces)
        assert all(word.strip() for word in analysis.words)


def test_the_natural_form_gives_the_text_back(name: str, analyzer: Analyzer) -> None:
    for text, written in zip(TEXTS + ODD, rewrite(TEXTS + ODD, Rules(), analyzer=name), strict=True):
        assert written == " ".join(analyzer.normalize(text).split())


def test_the_split_form_splits_into_its_own_words(name: str) -> None:
    splitter = word_splitter()
    for _, analysis in analysed(TEXTS + ODD, name, "split"):
        written = " ".join(analysis.words).replace(MASK, "MASK")
        words = [word.replace(MASK, "MASK") for word in analysis.words]
        assert [word for word, _ in splitter.pre_tokenize_str(written)] == words


@pytest.mark.parametrize("word_analyzer", sorted(set(ANALYZERS) - set(MORPHOLOGIES)))
def test_an_analyzer_of_words_has_the_words_of_the_students_tokenizer(word_analyzer: str) -> None:
    splitter = word_splitter()
    for text, analysis in analysed(TEXTS, word_analyzer):
        assert analysis.words == [word for word, _ in splitter.pre_tokenize_str(text)]


def test_a_text_is_analysed_alike_alone_among_others_and_again(name: str, analyzer: Analyzer) -> None:
    together = list(analyzer(TEXTS))
    assert [next(iter(analyzer([text]))) for text in TEXTS] == together
    assert list(make_analyzer(name)(TEXTS)) == together


@pytest.mark.parametrize("form", FORMS)
def test_the_same_seed_gives_the_same_new_texts(name: str, form: Form) -> None:
    first, second = (list(augment(TEXTS, Rules(n_iter=5), analyzer=name, form=form, seed=3)) for _ in range(2))
    assert first == second and len(first) > len(TEXTS)


def test_no_texts_give_no_analyses(name: str, analyzer: Analyzer) -> None:
    assert list(analyzer([])) == [] == list(analyse_texts([], name))


@pytest.mark.parametrize("form", FORMS)
def test_a_mask_token_stays_whole(name: str, form: Form) -> None:
    (_, analysis), *_ = analysed([f"영화 {MASK}는 x{MASK}"], name, form)
    assert analysis.words.count(MASK) == 2


def test_an_analyzer_without_models_takes_none(name: str) -> None:
    if name != "spacy":
        with pytest.raises(potstill.PotstillError, match=f"{name} takes no model, but was given 'en'"):
            make_analyzer(f"{name}:en")


def test_a_normalized_text_is_what_can_be_seen_of_the_text_and_stays_as_it_is(analyzer: Analyzer) -> None:
    for text in TEXTS + ODD:
        normalized = analyzer.normalize(text)
        assert analyzer.normalize(normalized) == normalized
        visible = "".join(character for character in text if unicodedata.category(character) != "Cf")
        assert unicodedata.normalize("NFD", normalized) == unicodedata.normalize("NFD", visible)


def test_a_language_is_a_code_of_iso_639_1_and_known_without_loading(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Analyzer, model: str = "") -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(ANALYZERS[name], "__init__", refuse)
    language = analyzer_language(name)
    assert language is None or re.fullmatch("[a-z]{2}", language)


def test_an_extra_is_one_of_the_packages(name: str) -> None:
    extras = metadata("potstill").get_all("Provides-Extra") or []
    assert ANALYZERS[name].extra in ["", *extras]


def test_a_word_without_a_tag_or_of_a_kept_tag_is_never_replaced(analyzer: Analyzer) -> None:
    for tag in ["", *analyzer.kept_tags, *(f"{kept_tag}X" for kept_tag in analyzer.kept_tags)]:
        assert analyzer.replacement_key([Token("a", tag, 0, 1)], "a") == ""


def test_words_are_replaced_by_those_of_their_tag_alone_and_of_what_shares_their_place(analyzer: Analyzer) -> None:
    word, other, shared = Token("a", "N", 0, 1), Token("a", "V", 0, 1), Token("b", "W", 0, 1)
    together = [[word], [other], [word, shared], [word, shared._replace(form="c")], [word, shared._replace(tag="X")]]
    keys = [analyzer.replacement_key(tokens, "a") for tokens in together]
    assert all(keys) and len(set(keys)) == len(keys)
    assert analyzer.replacement_key([word._replace(form="d")], "d") == keys[0]


def test_every_file_of_the_folders_is_registered() -> None:
    for package, helpers, known in (
        (potstill.augment.analyzers, set[str](), set(ANALYZERS) - set(MORPHOLOGIES)),
        (potstill.morphology, {"korean", "morphemes"}, set(MORPHOLOGIES)),
    ):
        folder = Path(str(package.__file__)).parent
        assert {path.stem for path in folder.glob("*.py")} - {"__init__"} - helpers == known
    assert set(MORPHOLOGIES) < set(ANALYZERS)
