"""Whatever holds texts is read once, and what is no text is named."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest

import potstill
from potstill import Cascade, PotstillError
from potstill.export.onnx_files import save_model
from potstill.teachers.checkpoints import open_finetuned
from standins import write_student

pandas: Any = pytest.importorskip("pandas")

TEXTS = ["a film", "the dull story", "b c"]

HOLDERS: dict[str, Callable[[], Iterable[Any]]] = {
    "generator": lambda: (text for text in TEXTS),
    "map": lambda: map(str, TEXTS),
    "tuple": lambda: tuple(TEXTS),
    "values": lambda: dict(enumerate(TEXTS)).values(),
    "keys": lambda: dict.fromkeys(TEXTS).keys(),
    "strings": lambda: np.array(TEXTS),
    "objects": lambda: np.array(TEXTS, dtype=object),
    "series": lambda: pandas.Series(TEXTS, index=[7, 8, 9]),
    "categories": lambda: pandas.Series(TEXTS, dtype="category"),
    "index": lambda: pandas.Index(TEXTS),
    "arrow": lambda: pyarrow.array(TEXTS),
    "chunks": lambda: pyarrow.chunked_array([TEXTS[:1], TEXTS[1:]]),
}


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with random weights: a stand-in."""
    return write_student(tmp_path_factory.mktemp("student"))


@pytest.fixture(scope="module")
def teacher(classifier_folder: Callable[[dict[int, str]], Path]) -> Path:
    """A teacher with random weights and its graph: a stand-in."""
    folder = classifier_folder({0: "no", 1: "yes sir"})
    checkpoint = open_finetuned(str(folder))
    save_model(checkpoint.model, checkpoint.tokenizer, folder)
    return folder


@pytest.fixture(scope="module", params=["student", "teacher", "cascade"])
def classifier(request: pytest.FixtureRequest, student: Path, teacher: Path) -> Any:
    """Each kind of classifier."""
    small, large = potstill.load(student, threads=1), potstill.load(teacher, threads=1)
    return {"student": small, "teacher": large, "cascade": Cascade(small, large, below=1.0)}[request.param]


@pytest.mark.parametrize("holder", HOLDERS)
def test_whatever_holds_texts_gives_the_answers_of_a_list(classifier: Any, holder: str) -> None:
    np.testing.assert_array_equal(classifier.predict_proba(HOLDERS[holder]()), classifier.predict_proba(TEXTS))


def test_an_open_file_is_a_text_a_line(classifier: Any, tmp_path: Path) -> None:
    (tmp_path / "texts").write_text("".join(f"{text}\n" for text in TEXTS))
    with (tmp_path / "texts").open() as lines:
        assert classifier.predict(lines).tolist() == classifier.predict(TEXTS).tolist()


@pytest.mark.parametrize(
    ("items", "shown"),
    [
        (["a", None], "None"),
        (["a", float("nan")], "nan"),
        (["a", 3], "3"),
        (["a", b"x"], "bytes b'x'"),
        (["a", {"text": "b"}], "a value of type dict"),
        (["a", ("b",)], "a value of type tuple"),
        (pandas.Series(["a", None]), "nan"),
        (pandas.Series(["a", None], dtype="string"), "a value of type NAType"),
        (pyarrow.array(["a", None]), "None"),
    ],
)
def test_what_is_no_text_is_named(classifier: Any, items: Any, shown: str) -> None:
    with pytest.raises(PotstillError, match=f"text 2 is not a string, but {shown}: give strings only"):
        classifier.predict(items)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("a b", r"write \[text\] for one"),
        (b"a b", r"write \[text\] for one"),
        ({"a": "b"}, "not a dict: give its values"),
        ({"a"}, "not a set, which has no order"),
        (pandas.DataFrame({"text": TEXTS}), "not a table: give its column of texts"),
        (pyarrow.table({"text": TEXTS}), "not a table: give its column of texts"),
        (np.array(TEXTS)[:, None], r"not an array of shape \(3, 1\): give one dimension"),
        (np.array("a"), r"not an array of shape \(\)"),
        (None, "a list of texts, not None"),
        (5, "a list of texts, not 5"),
    ],
)
def test_what_holds_no_texts_is_refused(classifier: Any, given: Any, fault: str) -> None:
    with pytest.raises(PotstillError, match=fault):
        classifier.predict(given)


def test_pairs_are_for_teachers(student: Path, teacher: Path) -> None:
    pairs = [("a film", "the story"), ("b", "c")]
    with pytest.raises(PotstillError, match="a pair of texts: this student takes single texts only"):
        potstill.load(student).predict(pairs)
    reader = potstill.load(teacher, threads=1)
    lists: Any = [[*pair] for pair in pairs]
    np.testing.assert_array_equal(reader.logits(lists), reader.logits(pairs))
    with pytest.raises(PotstillError, match="text 2 is a pair and text 1 a single text"):
        reader.predict(["a", ("b", "c")])
    with pytest.raises(PotstillError, match="text 2 is not a string"):
        reader.predict([("b", "c"), "a"])


def test_words_of_an_iterator_are_counted(student: Path) -> None:
    counts = potstill.load(student).count_words(text for text in TEXTS)
    assert counts is not None and counts.tolist() == [[2, 1], [3, 3], [2, 0]]
