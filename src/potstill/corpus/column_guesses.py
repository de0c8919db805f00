"""Which columns of a file are likely its texts and its labels: by what data sets call them, else by what is in them.

Only an error shows a guess: no column is read because of it.
"""

import shlex
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

SAMPLE_ROWS = 200
"""Records that a guess is made from."""
_LONGEST_NAME = 100  # that one types

# What data sets call their columns beside the names that are read; in lower case.
TEXT_NAMES = frozenset(
    {
        *("body", "comment", "content", "description", "document", "headline", "message", "premise", "hypothesis"),
        *("query", "question", "question1", "question2", "review", "title", "tweet", "utterance"),
    }
)
LABEL_NAMES = frozenset(
    {
        *("category", "class", "gold", "intent", "labels", "rating", "score", "sentiment", "stars", "target", "topic"),
    }
)


def likeliest_options(
    names: Sequence[str], records: Sequence[dict[str, Any]], *, needs_text: bool, needs_label: bool
) -> str:
    """The options that name the likeliest columns, as the user may type them.

    :param names: of the columns that are not in use.
    :param records: some of the file's; without any only names tell.
    """
    free = [name for name in dict.fromkeys(names) if name and name.isprintable() and len(name) <= _LONGEST_NAME]
    if len(free) < needs_text + needs_label:
        return "rename or add one"
    options = []
    if needs_text:
        text = _likeliest_text(free, records, needs_label)
        free.remove(text)
        options.append(f"--text_column {shlex.quote(text)}")
    if needs_label:
        options.append(f"--label_column {shlex.quote(_likeliest_label(free, records))}")
    return f"give {' '.join(options)}"


def _likeliest_text(names: list[str], records: Sequence[dict[str, Any]], needs_label: bool) -> str:
    known = [name for name in names if name.lower() in TEXT_NAMES]
    if not known and needs_label:  # what is called as labels are is the last to be the text
        known = [name for name in names if name.lower() not in LABEL_NAMES]
    return max(known or names, key=lambda name: _mean_length(_strings(name, records)))


def _likeliest_label(names: list[str], records: Sequence[dict[str, Any]]) -> str:
    known = [name for name in names if name.lower() in LABEL_NAMES]
    return min(known or names, key=lambda name: _variety(name, records))


def _strings(name: str, records: Sequence[dict[str, Any]]) -> list[str]:
    return [value for record in records if isinstance(value := record.get(name), str)]


def _mean_length(texts: list[str]) -> float:
    return sum(map(len, texts)) / len(texts) if texts else 0.0


def _variety(name: str, records: Sequence[dict[str, Any]]) -> tuple[bool, int]:
    """How unlike labels the values are: one value alone says nothing, and labels are few."""
    values = {str(record.get(name)) for record in records}
    return len(values) < 2, len(values)


def some_of(records: Iterable[dict[str, Any]], trouble: tuple[type[Exception], ...]) -> list[dict[str, Any]]:
    """The first records, up to one that cannot be read.

    :param trouble: what reading raises then.
    """
    found: list[dict[str, Any]] = []
    with suppress(*trouble):
        found.extend(islice(records, SAMPLE_ROWS))
    return found
