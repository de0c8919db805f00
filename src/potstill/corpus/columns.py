"""Names of columns: those that are read, those that show that a line is a header, and the sign that divides them."""

import csv
from collections.abc import Sequence

from potstill.errors import PotstillError

TEXT_COLUMNS = ("text", "sentence", "sentence1", "text_a")
PAIR_COLUMNS = ("text_pair", "sentence2", "text_b")
LABEL_COLUMN = "label"
COLUMNS = (*TEXT_COLUMNS, *PAIR_COLUMNS, LABEL_COLUMN)

_DELIMITERS = ",;\t|"
# What data sets call their columns beside ours; in lower case.
_TEXT_NAMES = {
    *("body", "comment", "content", "description", "document", "headline", "message", "premise", "hypothesis", "query"),
    *("question", "question1", "question2", "review", "title", "tweet", "utterance", *TEXT_COLUMNS, *PAIR_COLUMNS),
}
_LABEL_NAMES = {
    *("category", "class", "gold", "intent", "labels", "rating", "score", "sentiment", "stars", "target", "topic"),
    LABEL_COLUMN,
}


def is_header(fields: Sequence[str]) -> bool:
    """Whether the fields of a file's first line are names of columns, not a text and its label.

    :param fields: of a line; one alone is a text without a label.
    """
    names = [field.strip().strip('"').lower() for field in fields]
    if len(names) == 1:
        return names[0] in TEXT_COLUMNS
    has_both = any(name in _TEXT_NAMES for name in names) and any(name in _LABEL_NAMES for name in names)
    return has_both and all(name in _TEXT_NAMES | _LABEL_NAMES for name in names)


def find_delimiter(header: str) -> str:
    """The sign that divides a CSV header: the first that gives a column of texts; a comma where none does.

    csv's own sniffer counts signs in whole rows, and takes those within texts for it.
    """
    for delimiter in _DELIMITERS:
        try:
            names = next(csv.reader([header], delimiter=delimiter, skipinitialspace=True), [])
        except csv.Error:  # told with its line when the file is read
            break
        if len(names) > 1 and any(name.strip() in TEXT_COLUMNS for name in names):
            return delimiter
    return _DELIMITERS[0]


def check_names(where: str, names: Sequence[str]) -> None:
    """Check that no two columns that are read have one name: only one of them could be.

    :raises PotstillError: when two have.
    """
    for name in COLUMNS:
        if names.count(name) > 1:
            raise PotstillError(f"{where}: two columns '{name}'; rename or remove one")
