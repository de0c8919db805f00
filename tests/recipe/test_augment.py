"""augment_data: the forms that texts are written in, and the recipe's options."""

from pathlib import Path

import pytest

from potstill.cli import main
from potstill.corpus.words import MASK
from potstill.errors import PotstillError
from potstill.recipe.augment import AugmentOptions

ROWS = [
    ("영화는 정말 행복했다", "1"),
    ("배우가  지루했다", "0"),
    ("영화는 정말 행복했다", "1"),
    ("노래도 Fine 했다", "0"),
]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, khaiii: None) -> Path:
    """A folder with raw text, which commands run in."""
    (tmp_path / "train.txt").write_text("".join(f"{text}\t{label}\n" for text, label in ROWS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(command: str) -> list[tuple[str, str]]:
    """The texts and labels that a command writes."""
    main(f"augment_data --input train.txt --output out/augmented.raw {command}".split())
    lines = Path("out/augmented.raw").read_text().splitlines()
    return [(text, label) for text, label in (line.split("\t") for line in lines)]


def test_the_recipes_command_reads_raw_text_and_writes_its_morphemes(source: Path) -> None:
    rows = written("--analyzer=khaiii --n_iter=2 --max_ng=2 --parallel")
    assert rows[0] == ("영화 는 정말 행복 하 았 다", "dummy")
    texts = [text for text, _ in rows]
    assert len(texts) == len(set(texts)) > 3
    assert any(MASK in text for text in texts)


def test_the_number_of_processes_does_not_change_the_output(source: Path) -> None:
    (source / "train.txt").write_text("".join(f"{text} {i}\t{label}\n" for i in range(300) for text, label in ROWS))
    assert written("--analyzer=kiwi --n_iter=1 --processes=2") == written("--analyzer=kiwi --n_iter=1")


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ("--analyzer=khaiii", "영화 는 정말 행복 하 았 다"),
        ("--analyzer=khaiii --form=natural", "영화는 정말 행복했다"),
        ("--analyzer=kiwi", "영화 는 정말 행복 하 었 다"),
        ("--analyzer=mecab --form=split", "영화 는 정말 행복 했 다"),
        ("--analyzer=mecab --form=natural", "영화는 정말 행복했다"),
        ("--analyzer=whitespace", "영화는 정말 행복했다"),
    ],
)
def test_the_form_is_as_said_or_by_default_as_in_the_recipe(source: Path, options: str, first: str) -> None:
    assert written(f"{options} --n_iter=1")[0][0] == first


def test_the_split_form_divides_words_of_any_analyzer(source: Path) -> None:
    Path("train.txt").write_text("it's (very) fine\t1\n")
    assert written("--analyzer=whitespace --form=split --no_augment") == [("it 's ( very ) fine", "dummy")]


def test_no_augment_writes_all_texts_in_order_in_that_form_alone(source: Path) -> None:
    rows = written("--no_augment --analyzer=khaiii --preserve_label")
    assert [label for _, label in rows] == [label for _, label in ROWS]
    assert [text for text, _ in rows] == [
        "영화 는 정말 행복 하 았 다",
        "배우 가 지루 하 았 다",
        "영화 는 정말 행복 하 았 다",
        "노래 도 Fine 하 았 다",
    ]
    natural = written("--no_augment --analyzer=khaiii --form=natural --lower")
    assert natural == [(" ".join(text.lower().split()), "dummy") for text, _ in ROWS]


def test_no_analyzer_splits_at_white_space_and_replaces_nothing(source: Path) -> None:
    rows = written("--no_analyzer --n_iter=30 --p_mask=0 --p_pos=1 --p_ng=0")
    assert rows == written("--analyzer=whitespace --n_iter=0")
    assert rows != written("--analyzer=mecab --form=natural --n_iter=30 --p_mask=0 --p_pos=1 --p_ng=0")
    assert any(MASK in text for text, _ in written("--no_analyzer --n_iter=30 --p_mask=0.3"))


def test_an_analyzer_and_none_are_not_both_accepted() -> None:
    with pytest.raises(PotstillError, match="--no_analyzer and --analyzer=kiwi: give one of them"):
        AugmentOptions(Path("in"), Path("out"), analyzer="kiwi", no_analyzer=True)


def test_texts_may_be_in_a_column_of_any_name(source: Path) -> None:
    Path("train.csv").write_text("review,stars\na fine film,5\n")
    columns = "--text_column review --label_column stars"
    main(f"augment_data --input train.csv --output a.raw --analyzer=whitespace --preserve_label {columns}".split())
    assert Path("a.raw").read_text().splitlines()[0] == "a fine film\t5"
