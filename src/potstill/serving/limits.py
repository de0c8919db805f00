"""The limits of a request, checked when the options are made."""

from dataclasses import dataclass, fields

from potstill.errors import PotstillError


@dataclass(frozen=True)
class Limits:
    """The limits of a request; what is beyond them is refused with a clear error.

    :raises PotstillError: for a limit that lets nothing through.
    """

    max_texts: int = 64
    """Texts, or pairs of texts, of one request, and of one call of a model."""
    max_characters: int = 10_000
    """Characters of one text, or of both texts of a pair."""
    max_body: int = 1_000_000
    """Bytes of a request's body."""
    body_seconds: float = 10.0
    """Seconds in which a request's body must have come."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value <= 0:
                raise PotstillError(f"--{field.name}={value}: must be more than 0")
