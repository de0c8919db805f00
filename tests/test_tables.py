"""Tables as text."""

from potstill.tables import table


def test_names_are_to_the_left_and_numbers_to_the_right() -> None:
    assert table(("model", "ms"), [("a", "1.5"), ("longer one", "12")]).splitlines() == [
        "model        ms",
        "---------------",
        "a           1.5",
        "longer one   12",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert table(("model", "ms"), []) == "model  ms\n---------"
