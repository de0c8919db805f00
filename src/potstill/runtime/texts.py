"""What a caller gives as texts, as a list: arrays, series, columns, iterators. Imports none of their libraries."""

from collections.abc import Iterable, Mapping
from typing import Any

from potstill.corpus.texts import Text, has_half
from potstill.errors import PotstillError, shown

_TO_LIST = ("to_pylist", "tolist", "to_list")  # Arrow; numpy and pandas; polars


def as_list(texts: Any, taker: str = "predict") -> list[Any]:
    """The items of whatever holds texts, read once: an iterator gives them only once.

    :param taker: what takes them, to name in an error.
    :raises PotstillError: when it is a single text, a table, an array of several columns, or nothing that has items.
    """
    if type(texts) is list:
        return texts
    if isinstance(texts, str | bytes | bytearray):
        raise PotstillError(f"{taker} takes a list of texts: write [text] for one")
    if isinstance(texts, Mapping):
        raise PotstillError(f"{taker} takes a list of texts, not a dict: give its values, such as texts.values()")
    if isinstance(texts, set | frozenset):
        raise PotstillError(f"{taker} takes a list of texts, not a set, which has no order: write list(texts)")
    if hasattr(texts, "columns"):
        raise PotstillError(
            f"{taker} takes a list of texts, not a table: give its column of texts, such as table['text'], or of pairs "
            "list(zip(table['text'], table['text_pair']))"
        )
    if len(shape := getattr(texts, "shape", (0,))) != 1:
        raise PotstillError(
            f"{taker} takes a list of texts, not an array of shape {tuple(shape)}: give one dimension, a text each, "
            "such as texts[:, 0], or of pairs list(map(tuple, texts))"
        )
    for name in _TO_LIST:
        if (to_list := getattr(texts, name, None)) is not None:
            return list(to_list())
    if not isinstance(texts, Iterable):
        raise PotstillError(f"{taker} takes a list of texts, not {_kind(texts)}")
    return list(texts)


def check_texts(texts: Iterable[Any], *, pairs: bool | None, taker: str = "predict") -> list[Text]:
    """The texts, or pairs of texts, of whatever holds them.

    :param pairs: whether the model takes pairs, or single texts; None: both.
    :param taker: as of :func:`as_list`.
    :raises PotstillError: naming the first that is no text, empty or not Unicode; or when pairs and single texts are
        mixed.
    """
    items = as_list(texts, taker)
    for number, item in enumerate(items, start=1):
        if not isinstance(item, str):
            return _check_pairs(items, number, pairs=pairs is not False)
        if pairs:
            raise PotstillError(f"text {number} is a single text: this student takes pairs: give (text, text)")
        _check(item, number)
    return items


def _check_pairs(items: list[Any], first: int, *, pairs: bool) -> list[Text]:
    """All items as pairs of texts.

    :param first: the number of the first that is not a string; those before it are.
    """
    checked: list[Text] = []
    for number, item in enumerate(items[first - 1 :], start=first):
        if not isinstance(item, tuple | list) or not all(isinstance(part, str) for part in item) or len(item) != 2:
            raise PotstillError(f"text {number} is not a string, but {_kind(item)}: give strings only")
        if not pairs:
            raise PotstillError(
                f"text {number} is not a string, but a pair of texts: this student takes single texts only"
            )
        if first > 1:
            raise PotstillError(f"text {number} is a pair and text 1 a single text: give pairs only, or single texts")
        for part in item:
            _check(part, number)
        checked.append((item[0], item[1]))
    return checked


def _check(text: str, number: int) -> None:
    if not text or text.isspace():
        raise PotstillError(f"text {number} is empty: give it words or leave it out")
    if has_half(text):
        raise PotstillError(f"text {number} has half a surrogate pair: give valid Unicode")


def _kind(item: object) -> str:
    """An item as an error shows it: its type, and the value of a short one."""
    if item is None or isinstance(item, bool | int | float):
        return str(item)
    name = type(item).__name__
    return f"{name} {shown(repr(item), 40)}" if isinstance(item, bytes) else f"a value of type {name}"
