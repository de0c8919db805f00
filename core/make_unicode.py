"""Writes ``src/unicode_tables.h``: what the core's tokenizer knows of Unicode, asked of the library ``tokenizers``.

So the core splits text as the library does, whatever version of Unicode each was made with. Run it when the version of
``tokenizers`` that the tests hold the core to changes: ``python core/make_unicode.py``.
"""

import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from tokenizers import Regex
from tokenizers.normalizers import NFC, NFD, Lowercase
from tokenizers.pre_tokenizers import Split, WhitespaceSplit

_BLOCK = 128  # characters that one row of the table of classes has
_CHARACTERS = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
_CLASSES = {"kLetter": r"\p{L}", "kMark": r"\p{M}", "kNumber": r"\p{N}", "kSpace": r"\s", "kFormat": r"\p{Cf}"}
_HANGUL = range(0xAC00, 0xD7A4)  # composed by arithmetic


@cache
def _matching(pattern: str) -> set[str]:
    """The characters that a pattern of one character matches."""
    splitter = Split(Regex(pattern), behavior="removed", invert=True)
    found = set[str]()
    for start in range(0, len(_CHARACTERS), 4096):
        found.update(*(match for match, _ in splitter.pre_tokenize_str("".join(_CHARACTERS[start : start + 4096]))))
    return found


def _white() -> set[str]:
    """The characters that divide words for ``WhitespaceSplit``."""
    splitter = WhitespaceSplit()
    return {character for character in _CHARACTERS if len(splitter.pre_tokenize_str(f"a{character}a")) == 2}


def _classes() -> list[int]:
    """Of each code point the sum of its classes."""
    flags = [0] * 0x110000
    members = [_matching(pattern) for pattern in _CLASSES.values()]
    for bit, characters in enumerate([*members, _white(), set(_unstable())]):
        for character in characters:
            flags[ord(character)] |= 1 << bit
    return flags


def _unstable() -> Iterator[str]:
    """Characters that NFC may change, alone or beside others."""
    seconds = {second for character in _CHARACTERS for _, second, _ in _parts(character)}
    for character in _CHARACTERS:
        is_jamo = 0x1161 <= ord(character) <= 0x1175 or 0x11A8 <= ord(character) <= 0x11C2
        changes = NFC().normalize_str(character) != character
        if changes or is_jamo or _combining_class(character) or ord(character) in seconds:
            yield character


_FIRST, _LAST = "\u0334", "\u0345"  # marks of the classes 1 and 240


@cache
def _marks() -> dict[int, str]:
    """A mark of each combining class that the library sorts."""
    marks = {unicodedata.combining(character): character for character in reversed(_CHARACTERS)}
    return {order: mark for order, mark in marks.items() if order and _is_sorted_before(mark, _LAST)} | {240: _LAST}


def _is_sorted_before(mark: str, other: str) -> bool:
    return mark != other and bool(NFD().normalize_str(other + mark) == mark + other)


@cache
def _combining_class(character: str) -> int:
    """The class by which a mark is sorted, in the library's version of Unicode; 0: it is not."""
    if not unicodedata.combining(character) and character not in _matching(r"\p{M}"):
        return 0
    if not _is_sorted_before(character, _LAST) and not _is_sorted_before(_FIRST, character):
        return 0
    return max(order for order, mark in _marks().items() if not _is_sorted_before(character, mark))


def _parts(character: str) -> Iterator[tuple[int, int, bool]]:
    """The two characters that one is made of (the second is 0 where it is one), and whether NFC composes them."""
    if ord(character) in _HANGUL:
        return
    fields = unicodedata.decomposition(character).split()
    if fields and not fields[0].startswith("<") and NFD().normalize_str(character) != character:
        codes = [int(field, 16) for field in fields]
        composes = len(codes) == 2 and NFC().normalize_str("".join(map(chr, codes))) == character
        yield codes[0], codes[1] if len(codes) == 2 else 0, composes


def _array(declaration: str, rows: list[str], per_line: int) -> str:
    lines = [", ".join(rows[start : start + per_line]) for start in range(0, len(rows), per_line)]
    return f"constexpr {declaration}[{len(rows)}] = {{\n" + ",\n".join(lines) + "};\n"


def _two_stages(values: list[int]) -> tuple[list[int], list[int]]:
    """A table as the numbers of its rows of :data:`_BLOCK` values, and its different rows one after another."""
    rows: dict[tuple[int, ...], int] = {}
    numbers = [
        rows.setdefault(tuple(values[start : start + _BLOCK]), len(rows)) for start in range(0, len(values), _BLOCK)
    ]
    return numbers, [value for row in rows for value in row]


def _runs(of: Callable[[str], int]) -> list[str]:
    """The ranges of characters that have the same value other than 0."""
    runs: list[list[int]] = []
    for character in _CHARACTERS:
        code, value = ord(character), of(character)
        if value and runs and runs[-1][1] == code - 1 and runs[-1][2] == value:
            runs[-1][1] = code
        elif value:
            runs.append([code, code, value])
    return [f"{{{first}, {last}, {value}}}" for first, last, value in runs]


def main() -> None:
    """Write the file."""
    numbers, rows = _two_stages(_classes())
    parts = [(ord(character), *rest) for character in _CHARACTERS for rest in _parts(character)]
    decompositions = [f"{{{code}, {first}, {second}}}" for code, first, second, _ in parts]
    composed = sorted((second, first, code) for code, first, second, composes in parts if composes)
    compositions = [f"{{{second}, {first}, {code}}}" for second, first, code in composed]
    lower = [
        (ord(character), [ord(small) for small in lowered])
        for character in _CHARACTERS
        if (lowered := Lowercase().normalize_str(character)) != character
    ]
    lowercase = [f"{{{code}, {small[0]}, {small[1] if len(small) > 1 else 0}}}" for code, small in lower]
    names = [*_CLASSES, "kWhite", "kUnstable"]
    sections = [
        "// Written by make_unicode.py: do not edit.\n#pragma once\n\n#include <cstdint>\n\nnamespace potstill {\n",
        "// The classes of a character: the sum of these.\n"
        + "".join(f"constexpr uint8_t {name} = {1 << bit};\n" for bit, name in enumerate(names)),
        f"constexpr uint32_t kBlock = {_BLOCK};\n",
        _array("uint8_t kClassRows", list(map(str, numbers)), 32),
        _array("uint8_t kClasses", list(map(str, rows)), 32),
        "struct Decomposition {\n  uint32_t character, first, second;\n};\n",
        _array("Decomposition kDecompositions", decompositions, 6),
        "struct Composition {\n  uint32_t second, first, character;\n};\n",
        _array("Composition kCompositions", compositions, 6),
        "struct Combining {\n  uint32_t first, last;\n  uint8_t order;\n};\n",
        _array("Combining kCombining", _runs(_combining_class), 6),
        "struct Lower {\n  uint32_t character, first, second;\n};\n",
        _array("Lower kLower", lowercase, 6),
        "}  // namespace potstill\n",
    ]
    assert max(numbers) < 256
    (Path(__file__).parent / "src" / "unicode_tables.h").write_text("\n".join(sections))


if __name__ == "__main__":
    main()
