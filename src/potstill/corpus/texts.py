"""What a text is: one string, or a pair of them. Imports no library, so that prediction starts fast."""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

Text = str | tuple[str, str]
LongTexts = Literal["mean", "confident", "first"]
"""What the logits of a long text are: the mean of its windows', those of the most confident, those of the first."""


def map_text(text: Text, change: Callable[[str], str]) -> Text:
    """A text, or the two of a pair, each changed."""
    return change(text) if isinstance(text, str) else (change(text[0]), change(text[1]))


def on_one_line(text: Text) -> Text:
    """A text, or the two of a pair, with single spaces only."""
    return map_text(text, lambda part: " ".join(part.split()))


def parts_of(texts: Iterable[Text]) -> Iterator[str]:
    """The texts one after another; of a pair first the one and then the other."""
    for text in texts:
        yield from (text,) if isinstance(text, str) else text


def joined(text: Text) -> str:
    """A text, or the two of a pair, as one line for people."""
    return text if isinstance(text, str) else " | ".join(text)


def has_half(text: str) -> bool:
    """Whether a text has half a surrogate pair in it, which JSON can express, but UTF-8 cannot."""
    return text.encode(errors="ignore").decode() != text
