"""Reads arrays and tokenizers from untrusted files. Nothing is unpickled, and no size in a header is trusted.

The libraries that read them raise exceptions of many types, bare ``Exception`` too; here each becomes one line.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from potstill.errors import NO_HOME, PotstillError, reason
from potstill.files import check_readable, rereadable

if TYPE_CHECKING:
    from tokenizers import Tokenizer

DAMAGED = "cannot be loaded, it is damaged or of a kind that is not read here"


# A class: it wraps every prediction, and context managers made of generators cost 2 to 5 microseconds a text in all.
class OneLineErrors:
    """Turn whatever a library raises on bad content into one line.

    :param complaint: the message; the library's reason follows in brackets.
    :param path: the file that is read, if it is one: what the system does not give is not called damaged.
    """

    def __init__(self, complaint: str, path: Path | None = None) -> None:
        self._complaint = complaint if path is None else f"{path}: {complaint}"
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None or isinstance(error, PotstillError):
            return
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":  # Rust's, which is no Exception
            if self._path is not None:
                check_readable(self._path)
            has_no_home = "home directory" in str(error)  # pathlib's
            raise PotstillError(f"{self._complaint} ({NO_HOME if has_no_home else reason(error)})") from None


def open_array(path: Path) -> NDArray[Any]:
    """Memory-map the numbers of a ``.npy`` file, read-only: its header cannot ask for more than the file has.

    :raises PotstillError: when it is missing, damaged, or holds other things than numbers.
    """
    source = rereadable(path)
    with OneLineErrors("not a numeric .npy file", path if source == path else None), np.errstate(over="ignore"):
        # Not np.load: it opens zip archives too, and takes the memory that a header asks for (3.6 PB in a test).
        array = npy.open_memmap(source, mode="r")
        if array.dtype.kind not in "fiu":
            raise ValueError(f"it holds {array.dtype}")
    return array


def open_tokenizer(path: Path) -> "Tokenizer":
    """Read a ``tokenizer.json``; the tokenizer pads and cuts nothing.

    :raises PotstillError: when it is damaged, or cannot encode an unknown word.
    """
    from tokenizers import Tokenizer

    with OneLineErrors(DAMAGED, path):
        tokenizer: Tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokenizer.encode("a \u2603")
    return tokenizer
