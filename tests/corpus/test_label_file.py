"""What labels mean: a file that is read, and each way for it to be bad."""

from pathlib import Path

import pytest

from potstill.corpus.label_file import LabelDescription, LabelFile, find_labels, from_names, read_label_file
from potstill.errors import PotstillError

GOOD = """
instruction = "What does the writer think of the film?"
[[label]]
name = "positive"
description = "likes it"
examples = ["a fine film"]
[[label]]
name = " negative "
"""


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "labels.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_file_has_names_descriptions_examples_and_an_instruction(tmp_path: Path) -> None:
    expected = LabelFile(
        (LabelDescription("positive", "likes it", ("a fine film",)), LabelDescription("negative")),
        "What does the writer think of the film?",
    )
    assert read_label_file(write(tmp_path, GOOD)) == expected
    assert expected.names == ["positive", "negative"]


def test_labels_are_put_in_the_order_of_the_datas(tmp_path: Path) -> None:
    file = read_label_file(write(tmp_path, GOOD)).ordered(["negative", "positive"])
    assert file.names == ["negative", "positive"] and file.instruction
    with pytest.raises(PotstillError, match="its labels are positive, negative, the data's are no, yes: name the same"):
        read_label_file(write(tmp_path, GOOD)).ordered(["no", "yes"])


def test_an_option_gives_a_file_or_names(tmp_path: Path) -> None:
    assert find_labels("positive, negative") == from_names(["positive", "negative"])
    assert find_labels(str(write(tmp_path, GOOD))).names == ["positive", "negative"]


def label(name: str, more: str = "") -> str:
    return f'[[label]]\nname = "{name}"\n{more}\n'


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[[label]]\nname = positive", r"labels.toml: not TOML \(.*line 2.*\); a label is \[\[label\]\] with name"),
        (b"# \xff", "labels.toml: not UTF-8"),
        ("", r"labels.toml: 0 label\(s\); a classifier needs two or more"),
        (label("a"), r"1 label\(s\)"),
        ('label = ["a", "b"]', "'label' is no list of tables"),
        ("labels = 1\n" + label("a") + label("b"), "labels.toml: there is no key 'labels': choose among instruction"),
        (label("a", "colour = 1") + label("b"), "label 1: there is no key 'colour': choose among name, description"),
        (label("a") + label(" "), "label 2 has no name"),
        (label("a") + "[[label]]\nname = 1", 'label 2: name is 1, not text: write name = "1"'),
        ("instruction = 1\n" + label("a") + label("b"), "instruction is 1, not text"),
        (label("a") + label("b", "examples = [1]"), "label 2: its examples are no list of texts"),
        (label("a") + label("b", 'examples = [["x"]]'), "label 2: its examples are no list of texts"),
        (label("a", 'examples = [["x", "y"]]') + label("b", 'examples = [["x", "Y"]]'), "have the same example"),
        (label("a") + label("b") + label("a"), "the label 'a' is there twice; remove one"),
        (label("Yes") + label("yes"), "the labels 'Yes' and 'yes' have names that differ only in case: no teacher"),
        (
            label("a", 'description = "one  thing"') + label("b", 'description = "one thing"'),
            "the labels 'a' and 'b' have the same description",
        ),
        (label("a", 'examples = ["x"]') + label("b", 'examples = ["x"]'), "'a' and 'b' have the same example"),
        (label("a\\nb") + label("c"), "the name 'a b' has more than one line"),
    ],
)
def test_what_cannot_be_is_one_line(content: str | bytes, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=complaint) as raised:
        read_label_file(write(tmp_path, content))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"nowhere.toml: no such file"):
        find_labels(str(tmp_path / "nowhere.toml"))


@pytest.mark.parametrize("names", [["a"], ["a", "A"], ["a", ""], ["a", "a"]])
def test_names_are_checked_too(names: list[str]) -> None:
    with pytest.raises(PotstillError, match=r"^labels: "):
        from_names(names)
