"""The augmentation rules."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from potstill.augment.augmentation import augment
from potstill.augment.replaceable import ReplaceableText
from potstill.augment.sampling import MASK_ID, Round, Rules, build_corpus, render, sample_round, sample_windows
from potstill.corpus.words import word_splitter
from potstill.errors import PotstillError

TAGS = ("N", "V", "")


def corpus_of(n_texts: int, rules: Rules, length: int = 12, seed: int = 0):  # type: ignore[no-untyped-def]
    """Texts of random words, each word with the tag in its name; a third of the words has none."""
    generator = np.random.default_rng(seed)
    analyses = []
    for _ in range(n_texts):
        tags = [TAGS[i] for i in generator.integers(0, 3, length)]
        words = [f"{tag}{generator.integers(30)}" for tag in tags]
        analyses.append(ReplaceableText(words, tags, [True] * length))
    return build_corpus(analyses, rules)


def shares(rules: Rules, length: int = 12) -> tuple[float, float]:
    """The shares of masked and of replaced words in many samples."""
    corpus = corpus_of(2000, rules, length)
    sampled = sample_round(corpus, slice(0, 2000), rules, np.random.default_rng(1))
    masked = sampled.word_ids == MASK_ID
    return float(masked.mean()), float((sampled.changed & ~masked).mean())


def by_the_book(rules: Rules, length: int, n_texts: int) -> tuple[float, float]:
    """The same shares from the rules written as a plain loop over words."""
    generator = np.random.default_rng(2)
    masked = replaced = 0
    for _ in range(n_texts):
        cap, changed, text = length // 2, 0, [""] * length
        for i in range(length):
            drawn, tagged = generator.random(), generator.integers(3) < 2
            if changed < cap and drawn < rules.p_mask:
                text[i], changed = "mask", changed + 1
            elif changed < cap and drawn < rules.p_mask + rules.p_pos and tagged:
                text[i], changed = "new", changed + 1
        if length > 2 and generator.random() < rules.p_ng:
            size = min(int(generator.integers(1, rules.max_ng + 1)), length - 1)
            if changed + size < cap:
                start = int(generator.integers(length - size))
                text[start : start + size] = ["mask"] * size
        masked += text.count("mask")
        replaced += text.count("new")
    return masked / (n_texts * length), replaced / (n_texts * length)


@pytest.mark.parametrize(
    "rules", [Rules(), Rules(p_mask=0.4, p_pos=0.4), Rules(p_mask=0, p_pos=0, p_ng=1, max_ng=3), Rules(p_mask=0.3)]
)
def test_arrays_change_as_many_words_as_a_plain_loop(rules: Rules) -> None:
    assert shares(rules) == pytest.approx(by_the_book(rules, 12, 4000), abs=0.012)


def test_at_most_half_of_a_texts_words_is_changed() -> None:
    rules = Rules(p_mask=0.5, p_pos=0.5, p_ng=1)
    for length in (1, 2, 3, 7):
        corpus = corpus_of(300, rules, length)
        changed = sample_round(corpus, slice(0, 300), rules, np.random.default_rng(0)).changed
        assert changed.reshape(300, length).sum(axis=1).max() <= length // 2


def test_a_masked_run_is_whole_and_no_longer_than_said() -> None:
    rules = Rules(p_mask=0, p_pos=0, p_ng=1, max_ng=3)
    corpus = corpus_of(500, rules)
    new = sample_round(corpus, slice(0, 500), rules, np.random.default_rng(0)).word_ids
    runs = Counter()  # type: ignore[var-annotated]
    for row in (new.reshape(500, 12) == MASK_ID).astype(int):
        assert np.abs(np.diff(np.concatenate([[0], row, [0]]))).sum() == 2
        runs[int(row.sum())] += 1
    assert set(runs) == {1, 2, 3} and min(runs.values()) > 120


def test_a_word_is_replaced_by_one_of_its_tag_and_untagged_words_stay() -> None:
    rules = Rules(p_mask=0, p_pos=1, p_ng=0)
    corpus = corpus_of(500, rules)
    sampled = sample_round(corpus, slice(0, 500), rules, np.random.default_rng(0))
    changed = sampled.changed
    for old, word in zip(corpus.word_ids[changed], sampled.word_ids[changed], strict=True):
        assert corpus.words[old][0] == corpus.words[word][0] in "NV"
    assert not changed[corpus.key_ids < 0].any()


@pytest.mark.parametrize(("replacement", "share"), [("uniform", 0.5), ("frequency", 0.9)])
def test_a_replacement_is_drawn_uniformly_or_by_frequency(replacement: str, share: float) -> None:
    rules = Rules(p_mask=0, p_pos=1, p_ng=0, replacement=replacement)  # type: ignore[arg-type]
    analyses = [ReplaceableText(["common"] * 18 + ["rare"] * 2, ["N"] * 20, [True] * 20)] * 200
    corpus = build_corpus(analyses, rules)
    sampled = sample_round(corpus, slice(0, 200), rules, np.random.default_rng(0))
    assert np.mean(sampled.word_ids[sampled.changed] == corpus.words.index("common")) == pytest.approx(share, abs=0.04)


def test_text_is_put_back_with_its_spaces_and_splits_into_the_sampled_words() -> None:
    text = "It doesn't end-well, says Mr. Smith's film..."
    for source, new, _ in augment([text] * 2 + ["another film"], Rules(n_iter=200), analyzer="spacy", seed=3):
        words = [word for word, _ in word_splitter().pre_tokenize_str(new.replace("[MASK]", " MASK "))]
        assert len(words) == (13 if source < 2 else 2)
    first = next(iter(augment([text], Rules(n_iter=0), analyzer="whitespace")))
    assert first == (0, text, "own")


def test_lower_case_and_the_mask_token_are_as_said() -> None:
    rules = Rules(n_iter=50, lower=True, mask_token="<mask>")
    texts = [text for _, text, _ in augment(["A Fine FILM It Is"], rules, analyzer="whitespace")]
    assert texts[0] == "a fine film it is"
    assert any("<mask>" in text for text in texts)
    assert not any(char.isupper() for text in texts for char in text)


def test_the_same_seed_gives_the_same_texts_whatever_the_processes() -> None:
    texts = [f"text number {i} is a film of {i * 7} scenes" for i in range(1200)]
    first, same, other = (
        list(augment(texts, Rules(n_iter=2), analyzer="whitespace", seed=seed, processes=processes))
        for seed, processes in ((1, 1), (1, 2), (2, 1))
    )
    assert first == same != other


def test_no_text_comes_twice_and_each_comes_itself() -> None:
    texts = [
        text for _, text, _ in augment(["a fine film", "a dull film"] * 3, Rules(n_iter=40), analyzer="whitespace")
    ]
    assert len(texts) == len(set(texts)) and {"a fine film", "a dull film"} <= set(texts)


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, {"own"}),
        ({"p_mask": 0.4}, {"own", "masked"}),
        ({"p_pos": 0.4}, {"own", "replaced"}),
        ({"p_ng": 1}, {"own", "run"}),
        ({"p_ng": 1, "max_ng": 1}, {"own", "run"}),
        ({"p_window": 1}, {"own", "cut"}),
        ({"p_mask": 0.2, "p_pos": 0.2, "p_ng": 0.3, "p_window": 0.3}, {"own", "replaced", "masked", "run", "cut"}),
    ],
)
def test_each_text_has_its_kind(changes: dict[str, float], kinds: set[str]) -> None:
    texts = [f"the {a} film is {b} and the story is a {b} one" for a in ("new", "old") for b in ("fine", "dull", "bad")]
    rules = Rules(**({"n_iter": 60, "p_mask": 0, "p_pos": 0, "p_ng": 0} | changes))  # type: ignore[arg-type]
    new_texts = list(augment(texts, rules, analyzer="spacy"))
    assert {new.kind for new in new_texts} == kinds
    assert [new.text for new in new_texts if new.kind == "own"] == texts
    for new in new_texts:
        words, source = new.text.split(), texts[new.source].split()
        n_masks = words.count("[MASK]")
        if new.kind == "cut":
            assert len(words) < len(source)
            continue
        assert len(words) == len(source)
        assert (n_masks > 0) == (new.kind in ("masked", "run"))
        assert (words != source) == (new.kind != "own")
        if changes == {"p_ng": 1}:  # nothing else is masked: a run without a gap
            assert "[MASK] " * n_masks in f"{new.text} "


def test_a_text_is_cut_only_where_words_are_dropped() -> None:
    new_texts = list(
        augment(["a fine film", "dull"], Rules(n_iter=40, p_window=1, max_window=9), analyzer="whitespace")
    )
    assert {new.kind for new in new_texts if new.source == 1} == {"own"}
    assert any(new.kind == "masked" and len(new.text.split()) == 3 for new in new_texts)


def test_two_masks_next_to_each_other_by_chance_are_no_run() -> None:
    rules = Rules(n_iter=100, p_mask=0.5, p_pos=0, p_ng=0)
    new_texts = list(augment(["a fine film of great charm"], rules, analyzer="whitespace"))
    assert any("[MASK] [MASK]" in new.text for new in new_texts) and {new.kind for new in new_texts} == {
        "own",
        "masked",
    }


def test_an_analyzer_that_is_not_there_lists_those_that_are() -> None:
    for name in ("npc", "none"):
        with pytest.raises(PotstillError, match="choose one of khaiii, kiwi, mecab, spacy, whitespace"):
            next(augment(["a"], Rules(), analyzer=name))
    with pytest.raises(PotstillError, match="python -m spacy download xx_none"):
        next(augment(["a"], Rules(), analyzer="spacy:xx_none"))


@pytest.mark.parametrize(
    "bad",
    [
        {"p_mask": -0.1},
        {"p_mask": 0.6, "p_pos": 0.5},
        {"n_iter": -1},
        {"max_ng": 0},
        {"p_window": -0.1},
        {"p_window": 1.1},
        {"max_window": 0},
    ],
)
def test_rules_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(PotstillError):
        Rules(**bad)  # type: ignore[arg-type]


def test_render_sets_a_changed_word_apart() -> None:
    corpus = build_corpus([ReplaceableText(["do", "n't", "go"], ["", "", ""], [False, True, False])], Rules())
    new, changed = corpus.word_ids.copy(), np.array([False, True, False])
    new[1] = MASK_ID
    sampled = Round(new, changed, kept=np.ones(3, dtype=np.bool_), kinds=["masked"])
    assert render(corpus, slice(0, 1), sampled) == ["do [MASK] go"]


def is_one_run(window: NDArray[np.bool_]) -> bool:
    """Whether the words of a window are next to each other."""
    edges = np.diff(np.concatenate([[0], window.astype(int), [0]]))
    return bool(np.abs(edges).sum() == 2)


def test_a_window_is_one_run_of_every_length_up_to_the_longest() -> None:
    rules = Rules(p_mask=0, p_pos=0, p_ng=0, p_window=1, max_window=4)
    corpus = corpus_of(2000, rules)
    windows = sample_windows(corpus, slice(0, 2000), corpus.word_ids, rules, np.random.default_rng(0)).reshape(2000, 12)
    assert all(is_one_run(row) for row in windows)
    lengths = Counter(windows.sum(axis=1).tolist())
    assert set(lengths) == {1, 2, 3, 4} and min(lengths.values()) > 400
    starts = Counter(windows.argmax(axis=1).tolist())
    assert set(starts) == set(range(12))
    assert windows[:, -1].any()


def test_a_window_is_no_longer_than_its_text() -> None:
    rules = Rules(p_window=1, max_window=9)
    texts = [["a"], ["a", "b"], ["a", "b", "c"]] * 200
    corpus = build_corpus([ReplaceableText(words, [""] * len(words), [True] * len(words)) for words in texts], rules)
    windows = sample_windows(corpus, slice(0, 600), corpus.word_ids, rules, np.random.default_rng(0))
    rows = np.split(windows, corpus.offsets[1:-1])
    assert all(is_one_run(row) for row in rows)
    assert {int(row.sum()) for row in rows[2::3]} == {1, 2, 3}


def test_a_text_is_cut_with_the_probability_of_a_window() -> None:
    rules = Rules(p_window=0.3, max_window=4)
    corpus = corpus_of(2000, rules)
    windows = sample_windows(corpus, slice(0, 2000), corpus.word_ids, rules, np.random.default_rng(0)).reshape(2000, 12)
    assert (~windows.all(axis=1)).mean() == pytest.approx(0.3, abs=0.04)
    assert all(is_one_run(row) for row in windows)


def test_without_windows_every_word_is_kept() -> None:
    rules = Rules(p_window=0)
    corpus = corpus_of(50, rules)
    assert sample_windows(corpus, slice(0, 50), corpus.word_ids, rules, np.random.default_rng(0)).all()


def test_a_window_of_masks_alone_is_not_sampled() -> None:
    rules = Rules(p_window=1, max_window=3)
    corpus = corpus_of(1000, rules)
    generator = np.random.default_rng(0)
    new = np.where(generator.random(12_000) < 0.6, MASK_ID, corpus.word_ids).astype(np.int32)
    windows = sample_windows(corpus, slice(0, 1000), new, rules, generator).reshape(1000, 12)
    words = (new != MASK_ID).reshape(1000, 12)
    cut = ~windows.all(axis=1)
    assert (windows & words)[cut].any(axis=1).all()
    assert 0.5 < cut.mean() < 1
    assert sample_windows(corpus, slice(0, 1000), np.full_like(new, MASK_ID), rules, generator).all()


def test_windows_of_a_later_part_are_those_of_its_own_texts() -> None:
    rules = Rules(p_window=1, max_window=2)
    corpus = corpus_of(30, rules)
    words = corpus.word_ids[corpus.offsets[20] :]
    windows = sample_windows(corpus, slice(20, 30), words, rules, np.random.default_rng(0)).reshape(10, 12)
    assert all(is_one_run(row) for row in windows) and windows.sum(axis=1).max() <= 2


def test_texts_that_are_cut_are_runs_of_their_source() -> None:
    texts = ["It doesn't end-well, says Mr. Smith's film...", "a fine story", "dull"]
    rules = Rules(p_mask=0, p_pos=0, p_ng=0, p_window=1, max_window=3, n_iter=60)
    new_texts = list(augment(texts, rules, analyzer="whitespace", seed=3))
    splitter = word_splitter()
    for source, text, _ in new_texts:
        words = [word for word, _ in splitter.pre_tokenize_str(text)]
        whole = [word for word, _ in splitter.pre_tokenize_str(texts[source])]
        assert text in texts[source]
        assert text == texts[source] or len(words) <= 3
        assert words in [whole[start : start + len(words)] for start in range(len(whole))]
    new = {text for source, text, _ in new_texts if source == 1}
    assert new == {"a fine story", "a fine", "fine story", "a", "fine", "story"}


def test_windows_come_after_masks_and_the_seed_says_both() -> None:
    texts = [f"text number {i} is a film of {i * 7} scenes" for i in range(50)]
    rules = Rules(p_mask=0.3, p_window=0.5, n_iter=5)
    first, same, other = (list(augment(texts, rules, analyzer="whitespace", seed=seed)) for seed in (1, 1, 2))
    assert first == same != other
    assert any("[MASK]" in text for _, text, _ in first)
    assert all(text.replace("[MASK]", "").strip() for _, text, _ in first)


def test_each_text_has_as_many_new_ones_as_are_asked() -> None:
    texts = [" ".join(f"w{text}x{word}" for word in range(12)) for text in range(1500)]
    rounds = np.arange(1500) % 4
    rules = Rules(n_iter=2, p_mask=0.3)
    found = list(augment(texts, rules, analyzer="whitespace", rounds=rounds))
    counts = np.bincount([source for source, _, _ in found], minlength=1500) - 1
    assert (counts <= rounds).all() and counts.sum() > 0.9 * rounds.sum()
    assert list(augment(texts, rules, analyzer="whitespace", rounds=np.full(1500, 2))) == list(
        augment(texts, rules, analyzer="whitespace")
    )
