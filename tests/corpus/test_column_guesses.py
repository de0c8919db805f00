"""Which columns an error proposes."""

from typing import Any

import pytest

from potstill.corpus.column_guesses import likeliest_options, some_of

Table = dict[str, list[Any]]


def guess(table: Table, **needs: bool) -> str:
    records = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    return likeliest_options(list(table), records, **({"needs_text": True, "needs_label": True} | needs))


def test_names_tell_first() -> None:
    table: Table = {
        "url": ["a very long address of a page"] * 2,
        "Tweet": ["short", "text"],
        "kind": [1, 2],
        "Stars": [1, 5],
    }
    assert guess(table) == "give --text_column Tweet --label_column Stars"


def test_else_the_longest_strings_are_the_text_and_the_fewest_values_the_labels() -> None:
    table: Table = {
        "number": list(range(9)),
        "source": ["web"] * 9,
        "what was said": [f"the film number {i} is fine" for i in range(9)],
        "who": [f"user {i}" for i in range(9)],
        "mood": ["good", "bad", "good"] * 3,
    }
    assert guess(table) == "give --text_column 'what was said' --label_column mood"
    assert guess(table, needs_label=False) == "give --text_column 'what was said'"


def test_of_several_names_of_texts_the_longest_text_is_proposed() -> None:
    table: Table = {"title": ["a", "b"], "body": ["a long text", "another one"], "class": [0, 1]}
    assert guess(table) == "give --text_column body --label_column class"


def test_without_records_names_and_the_order_tell() -> None:
    assert guess({"a": [], "b": []}) == "give --text_column a --label_column b"
    assert guess({"score": [], "b": []}) == "give --text_column b --label_column score"


@pytest.mark.parametrize("names", [["one"], ["", "one"], ["a\nb", "one"], ["x" * 5000, "one"], ["one", "one"]])
def test_what_cannot_be_typed_is_not_proposed(names: list[str]) -> None:
    assert likeliest_options(names, [], needs_text=True, needs_label=True) == "rename or add one"


def test_a_sample_ends_where_reading_does() -> None:
    def records() -> Any:
        yield {"a": 1}
        raise ValueError("damaged")

    assert some_of(records(), (ValueError,)) == [{"a": 1}]
