"""Korean: what is replaced by what, and how texts are put back together in either form."""

import sys
import unicodedata

import pytest

from potstill.augment.analyzers import make_analyzer
from potstill.augment.augmentation import augment, rewrite
from potstill.augment.replaceable import Form, make_replaceable
from potstill.augment.sampling import Rules
from potstill.augment.tagging import analyse_texts
from potstill.corpus.analysis import Token
from potstill.errors import PotstillError
from potstill.morphology.korean import last_sound
from potstill.morphology.mecab import MecabAnalyzer

REPLACE = Rules(n_iter=60, p_mask=0, p_pos=1, p_ng=0)


MECAB = MecabAnalyzer()


def keys(text: str, analyzer: str, form: Form = "natural") -> dict[str, str]:
    (analysis,) = analyse_texts([text], analyzer, form=form)
    return dict(zip(analysis.words, analysis.keys, strict=True))


@pytest.mark.parametrize("form", ["natural", "split"])
@pytest.mark.parametrize("analyzer", ["kiwi", "mecab"])
def test_particles_endings_auxiliary_verbs_and_bound_nouns_are_never_replaced(analyzer: str, form: Form) -> None:
    keys_of_words = keys("그 사람은 볼 수 있는 영화를 먹고 있지 않다", analyzer, form)
    for word in ("은", "수", "를", "고", "않", "다"):
        assert keys_of_words[word] == "", word
    assert all(keys_of_words[word] for word in ("사람", "영화", "먹"))


@pytest.mark.parametrize("tag", ["JX", "JKS", "EP", "EF", "ETM", "VX", "VX-I", "NNB", "NNBC"])
def test_no_form_of_these_tags_is_replaced(tag: str) -> None:
    forms: tuple[Form, ...] = ("natural", "split")
    for form in forms:
        assert make_replaceable("수", [Token("수", tag, 0, 1)], form, MECAB).keys == [""]


@pytest.mark.parametrize(("analyzer", "split"), [("kiwi", "영화 이 재미있 었 다"), ("mecab", "영화 가 재미있 었 다")])
def test_the_split_form_is_the_morphemes_divided_by_spaces(analyzer: str, split: str) -> None:
    text = {"kiwi": "영화이재미있었다", "mecab": "영화가 재미있었다"}[analyzer]
    assert rewrite([text], Rules(), analyzer=analyzer, form="split") == [split]


def test_the_split_form_has_each_morphemes_own_form_where_the_analyzer_knows_it(khaiii: None) -> None:
    assert rewrite(["행복했다"], Rules(), analyzer="kiwi", form="split") == ["행복 하 었 다"]
    assert rewrite(["행복했다"], Rules(), analyzer="khaiii", form="split") == ["행복 하 았 다"]
    assert rewrite(["행복했다"], Rules(), analyzer="mecab", form="split") == ["행복 했 다"]


def test_a_long_text_is_split_in_sections() -> None:
    sentence = "영화가 정말 재미있었다. "
    (tokens,) = MECAB([sentence * 200])
    (alone,) = MECAB([sentence.strip()])
    assert [token.form for token in tokens] == [token.form for token in alone] * 200
    assert all((sentence * 200)[token.start : token.end] == token.form for token in tokens)
    (tokens,) = MECAB(["." * 2500])
    assert sum(len(token.form) for token in tokens) == 2500


@pytest.mark.parametrize("before", [" ", "\n\t", "\u3000"])
def test_white_space_before_a_text_moves_nothing(before: str) -> None:
    (tokens,) = MECAB([f"{before}영화가 좋다"])
    assert [(token.form, token.start - len(before)) for token in tokens] == [
        ("영화", 0), ("가", 2), ("좋", 4), ("다", 5)
    ]  # fmt: skip


@pytest.mark.parametrize("analyzer", ["kiwi", "mecab"])
def test_invisible_characters_are_no_part_of_morphemes(analyzer: str) -> None:
    plain, invisible = "영화가 재미있다", "\ufeff영\u200b화가 재미\u00ad있다"
    assert rewrite([plain], Rules(), analyzer=analyzer, form="split") == rewrite(
        [invisible], Rules(), analyzer=analyzer, form="split"
    )


def test_new_natural_text_is_as_close_as_its_source() -> None:
    texts = ["영화는 좋다", "배우는 좋다", "노래는 나쁘다"]
    new = {text for _, text, _ in augment(texts, REPLACE, analyzer="mecab")}
    assert {"배우는 나쁘다", "노래는 좋다"} <= new
    masked = {text for _, text, _ in augment(texts, Rules(n_iter=60, p_mask=0.5, p_pos=0, p_ng=0), analyzer="mecab")}
    assert {"[MASK]는 좋다", "영화[MASK] 좋다"} <= masked


def test_a_noun_gives_way_to_one_that_the_same_particle_follows() -> None:
    texts = ["영화는 좋다", "배우는 좋다", "사람은 좋다", "극장은 좋다"]
    new = {text for _, text, _ in augment(texts, REPLACE, analyzer="mecab")}
    assert {"배우는 좋다", "극장은 좋다"} <= new
    assert not any(word in text for text in new for word in ("영화은", "배우은", "사람는", "극장는"))


@pytest.mark.parametrize("analyzer", ["kiwi", "mecab"])
def test_letters_are_read_as_the_syllables_that_they_make(analyzer: str) -> None:
    composed = "영화는 재밌다"
    assert rewrite([unicodedata.normalize("NFD", composed)], Rules(), analyzer=analyzer) == [composed]


def test_the_last_sound_of_a_word() -> None:
    assert [last_sound(word) for word in ("영화", "서울", "사람", "film", "ㅋㅋ", "힣", "가")] == [
        "", ":l", ":c", "", "", ":c", ""
    ]  # fmt: skip


def test_a_final_l_is_a_sound_of_its_own() -> None:
    sounds = [
        make_replaceable(word, [Token(word, "NNG", 0, 2)], "natural", MECAB).keys[0]
        for word in ("영화", "서울", "사람")
    ]
    assert len(set(sounds)) == 3


@pytest.mark.parametrize("analyzer", ["kiwi", "mecab"])
def test_a_stem_that_shares_a_syllable_with_an_ending_keeps_the_ending(analyzer: str) -> None:
    tagged = [keys(text, analyzer) for text in ("집에 갔다", "밖에 났다", "집에 갈 사람")]
    assert tagged[0]["갔"] == tagged[1]["났"] != ""
    assert tagged[2]["갈"] not in ("", tagged[0]["갔"])


def test_a_morpheme_without_characters_goes_with_the_word_before_it() -> None:
    tokens = [Token("친구", "NNG", 0, 2), Token("이", "VCP", 2, 2), Token("예요", "EF", 2, 4), Token("왜", "MAG", 5, 6)]
    analysis = make_replaceable("친구예요 왜", tokens, "natural", MECAB)
    assert analysis.words == ["친구", "예요", "왜"] and analysis.keys == ["NNG+이/VCP", "", "MAG"]
    assert analysis.spaces == [False, True, True]
    lost = [Token("이", "VCP", 0, 0), Token("예요", "EF", 0, 2)]
    assert make_replaceable("예요", lost, "natural", MECAB).words == ["예요"]


def test_characters_that_an_analyzer_leaves_out_stay_in_the_text() -> None:
    for form, words in (("natural", ["뭐", "\x00", "야", "ㅎ"]), ("split", ["뭐", "\x00", "야", "ㅎ"])):
        replaceable = make_replaceable("뭐\x00야 ㅎ", [Token("뭐", "IC", 0, 1)], form, MECAB)  # type: ignore[arg-type]
        assert replaceable.words == words and replaceable.keys == ["IC", "", "", ""]


@pytest.mark.parametrize(
    ("analyzer", "module", "fix"),
    [
        ("khaiii", "khaiii", r"khaiii is not installed here.*--analyzer=kiwi"),
        ("kiwi", "kiwipiepy", r"needs kiwipiepy.*pip install 'potstill\[korean\]'"),
        ("mecab", "mecab", r"needs mecab, .*pip install 'potstill\[korean\]'"),
    ],
)
def test_an_analyzer_that_is_not_installed_says_how_to_get_it(
    analyzer: str, module: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PotstillError, match=fix):
        make_analyzer(analyzer)
