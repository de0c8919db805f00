"""What a transfer set is made of: kinds of texts, and what was changed in them."""

import pytest

from potstill.reporting.transfer import Piece, _Namer, mark_changes

TRAIN = ["A film of great charm .", "dull", "one two three four five six"]


@pytest.mark.parametrize(
    ("text", "source", "kind"),
    [
        ("a film  of great charm .", 0, "own"),
        ("dull", 2, "own"),  # whoever it was sampled from
        ("A film of [MASK] charm .", 0, "masked"),
        ("A <mask> of wit <mask> .", 0, "masked"),
        ("A [MASK] [MASK] great charm .", 0, "run"),
        ("A film of wit charm .", 0, "replaced"),
        ("two [MASK] four", 2, "cut"),
        ("never seen", -1, "unlabelled"),
        ("dull", -1, "own"),
        ("never seen", -2, "other"),
        ("never [MASK]", -2, "masked"),
    ],
)
def test_the_kind_of_a_text(text: str, source: int, kind: str) -> None:
    assert _Namer(TRAIN).name(text, source) == kind


def marked(text: str, source: str | None) -> str:
    """The changed pieces in brackets."""
    signs = {"masked": "{}", "replaced": "()", "": ("", "")}
    return "".join(
        f"{signs[piece.change][0]}{piece.text}{signs[piece.change][1]}" for piece in mark_changes(text, source)
    )


@pytest.mark.parametrize(
    ("text", "source", "shown"),
    [
        ("A film of [MASK] wit .", TRAIN[0], "A film of {[MASK]} (wit) ."),
        ("[MASK] [MASK] of great charm .", TRAIN[0], "{[MASK]} {[MASK]} of great charm ."),
        ("a film of great charm .", TRAIN[0], "a film of great charm ."),
        ("two [MASK] nine", TRAIN[2], "two {[MASK]} (nine)"),
        ("a wit <mask>", None, "a wit {<mask>}"),
    ],
)
def test_masks_and_new_words_are_marked(text: str, source: str | None, shown: str) -> None:
    assert marked(text, source) == shown


def test_the_pieces_are_the_text() -> None:
    text = " a  [MASK], (b)"
    pieces = mark_changes(text, "a c, (d)")
    assert "".join(piece.text for piece in pieces) == text and Piece("[MASK]", "masked") in pieces
