"""Finding the three splits."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from potstill.corpus.columns import Columns
from potstill.corpus.examples import Example
from potstill.corpus.splits import find_split, load_corpus, source_has_columns, split_examples
from potstill.errors import PotstillError


def folder(tmp_path: Path, **splits: str) -> Path:
    for split, content in splits.items():
        (tmp_path / f"{split}.txt").write_text(content)
    return tmp_path


GOOD = "fine\tyes sir\ndull\tno\n"


def test_a_folder_has_three_files(tmp_path: Path) -> None:
    corpus = load_corpus(str(folder(tmp_path, train=GOOD, valid=GOOD, test=GOOD)), seed=0)
    assert corpus.labels == ["no", "yes sir"]
    assert set(corpus.hashes) == {"train.txt", "valid.txt", "test.txt"}


def test_a_split_may_be_compressed(tmp_path: Path) -> None:
    place = folder(tmp_path, train=GOOD, valid=GOOD)
    (place / "test.csv.gz").write_bytes(gzip.compress(b"text,label\nso so,no\n"))
    assert load_corpus(str(place), seed=0).splits["test"] == [Example("so so", "no")]


def test_numbers_are_ordered_by_value(tmp_path: Path) -> None:
    train = "a\t10\nb\t9\nc\t2\n"
    assert load_corpus(str(folder(tmp_path, train=train, valid=train, test=train)), seed=0).labels == ["2", "9", "10"]


@pytest.mark.parametrize(
    ("splits", "complaint"),
    [
        ({"train": GOOD, "valid": GOOD}, "no test file; put one there named test.txt"),
        (
            {"train": GOOD, "valid": "fine\tyes sir\nso so\tmaybe\n", "test": GOOD},
            "valid.txt:2: the training set has no",
        ),
        ({"train": "a\tyes\nb\tyes\n", "valid": GOOD, "test": GOOD}, r"train.txt: only one label \('yes'\)"),
    ],
)
def test_a_bad_folder_is_named(splits: dict[str, str], complaint: str, tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=complaint):
        load_corpus(str(folder(tmp_path, **splits)), seed=0)


def test_two_files_of_a_split_are_ambiguous(tmp_path: Path) -> None:
    (folder(tmp_path, train=GOOD) / "train.csv").write_text("text,label\n")
    with pytest.raises(PotstillError, match=r"train\.txt and train\.csv: keep one"):
        find_split(tmp_path, "train")


def test_one_file_is_split_by_seed_and_label_without_overlap() -> None:
    examples = [Example(f"text {i}", str(i % 2)) for i in range(100)] + [Example("text 0", "0")]
    first, same, other = (split_examples(examples, seed) for seed in (1, 1, 2))
    assert first == same != other
    assert {split: len(rows) for split, rows in first.items()} == {"train": 80, "valid": 10, "test": 10}
    assert sum(row.label == "1" for row in first["test"]) == 5
    assert len({row.text for rows in first.values() for row in rows}) == 100


def test_a_missing_path_is_not_a_hub_name(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match="no such file or folder"):
        load_corpus(str(tmp_path / "none"), seed=0)


def test_a_text_with_several_labels_keeps_its_most_frequent_one(caplog: pytest.LogCaptureFixture) -> None:
    rows = [Example(f"text {i}", str(i % 2)) for i in range(30)]
    rows += [Example("text 0", "1"), Example("text 2", "0"), Example("text 2", "1"), Example("text 2", "1")]
    splits = split_examples([*rows, Example("text 0", "1")], seed=0)
    found = {row.text: row.label for split in splits.values() for row in split}
    assert (len(found), found["text 0"], found["text 2"], found["text 4"]) == (30, "1", "0", "0")
    assert caplog.messages == [
        "2 of 30 texts have several labels (text 0: 0, 1): each counts once, with the most frequent of its labels"
    ]


def test_texts_of_test_that_are_in_train_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for split, text in (("train", "a\t0\nb\t1\n"), ("valid", "c\t0\n"), ("test", "b\t1\nd\t0\na\t1\n")):
        (tmp_path / f"{split}.txt").write_text(text)
    load_corpus(str(tmp_path), seed=0)
    assert [message.partition(": its")[0] for message in caplog.messages] == [
        f"{tmp_path / 'test.txt'}: 2 of 3 texts are in train too"
    ]


def hub(monkeypatch: pytest.MonkeyPatch, *, names: bool = True, **splits: list[int]) -> None:
    import datasets

    label = datasets.ClassLabel(names=["not good", "good"]) if names else datasets.Value("int64")
    features = datasets.Features(sentence=datasets.Value("string"), label=label)

    def load_dataset(name: str, configuration: str = "long") -> Any:
        if (name, configuration) != ("someone/reviews", "long"):
            raise FileNotFoundError(f"Couldn't find {name}\nand more")
        return datasets.DatasetDict(
            {
                split: datasets.Dataset.from_dict(
                    {"sentence": [f"{split} {i}" for i in range(len(labels))], "label": labels}, features=features
                )
                for split, labels in splits.items()
            }
        )

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)


def test_a_hub_data_set_has_names_for_its_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, train=[0, 1, 1], validation=[0, 1], test=[1])
    corpus = load_corpus("someone/reviews", seed=0)
    assert corpus.labels == ["good", "not good"]
    assert corpus.splits["test"] == [Example("test 0", "good")]


def test_hidden_labels_of_a_hub_test_split_are_replaced_by_a_split_of_train(monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, train=[0, 1] * 20, validation=[0, 1], test=[-1, -1])
    corpus = load_corpus("someone/reviews", seed=0)
    assert {split: len(rows) for split, rows in corpus.splits.items()} == {"train": 32, "valid": 2, "test": 4}


def test_texts_of_a_hub_data_set_without_a_label_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, train=[0, 1, -1, 1], validation=[0, 1], test=[1, -1])
    splits = load_corpus("someone/reviews", seed=0).splits
    assert [row.text for row in splits["train"]] == ["train 0", "train 1", "train 3"]
    assert [row.text for row in splits["test"]] == ["test 0"]


def test_minus_one_may_be_a_label_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, names=False, train=[0, 1, -1], validation=[-1, 1], test=[-1, 0])
    corpus = load_corpus("someone/reviews", seed=0)
    assert corpus.labels == ["-1", "0", "1"]
    assert [row.label for row in corpus.splits["test"]] == ["-1", "0"]


def test_a_hub_data_set_may_be_given_with_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, train=[0, 1, 1], validation=[0, 1], test=[1])
    whole = load_corpus("someone/reviews", seed=0)
    assert load_corpus("someone/reviews:long", seed=0).splits == whole.splits
    with pytest.raises(PotstillError, match="someone/reviews:short: neither"):
        load_corpus("someone/reviews:short", seed=0)


def test_an_unknown_hub_name_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch)
    with pytest.raises(PotstillError, match=r"^nobody/none: neither .* \(Couldn't find nobody/none\)$"):
        load_corpus("nobody/none", seed=0)


@pytest.mark.parametrize("error", [RuntimeError("Dataset scripts are no longer supported"), ImportError("no socksio")])
def test_whatever_the_hubs_library_raises_is_one_line(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def load_dataset(*name: str) -> None:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(PotstillError, match=f"^someone/old: neither .*{error}"):
        load_corpus("someone/old", seed=0)


def test_a_data_set_may_have_columns_of_any_names(tmp_path: Path) -> None:
    content = "review,stars\n" + "".join(f"film {i},{i % 2}\n" for i in range(20))
    columns = Columns("review", label_column="stars")
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.csv").write_text(content)
    for source in (tmp_path, tmp_path / "train.csv"):
        corpus = load_corpus(str(source), 0, columns)
        assert corpus.labels == ["0", "1"] and corpus.splits["test"][0].text.startswith("film")


def test_a_hub_data_set_may_have_columns_of_any_names(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    columns = {
        "note": ["a", "b", "c"],
        "body": ["a fine film", "a dull one", "a film"],
        "mood": [1, 0, 1],
        "good": [True, False, True],
        "bad": [False, True, False],
    }
    mood = datasets.ClassLabel(names=["bad", "good"])
    loaded = datasets.Dataset.from_dict(columns).cast_column("mood", mood)
    splits = datasets.DatasetDict({split: loaded for split in ("train", "validation", "test")})
    monkeypatch.setattr(datasets, "load_dataset", lambda name: splits)
    for named in (Columns("body", label_column="mood"), Columns("body", label_columns=("good", "bad"))):
        examples = load_corpus("someone/films", 0, named).splits["train"]
        assert [(row.text, row.label) for row in examples] == [
            ("a fine film", "good"),
            ("a dull one", "bad"),
            ("a film", "good"),
        ]
    with pytest.raises(PotstillError) as raised:
        load_corpus("someone/films", 0)
    assert str(raised.value) == (
        "someone/films: no column 'text'; it has note, body, mood, good, bad: "
        "give --text_column body --label_column mood"
    )


def test_text_files_have_no_columns_and_all_else_has(tmp_path: Path) -> None:
    (folder(tmp_path, train=GOOD) / "b.csv").write_text("text,label\n")
    names = (str(tmp_path), str(tmp_path / "train.txt"), str(tmp_path / "b.csv"), "someone/reviews")
    assert [source_has_columns(name) for name in names] == [False, False, True, True]
