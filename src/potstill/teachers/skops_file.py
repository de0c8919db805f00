"""A scikit-learn model in a file of skops (``skops:FILE``) as a teacher: only types that cannot run code are loaded."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from potstill.artifacts import hash_file
from potstill.corpus.safe_loading import DAMAGED, OneLineErrors
from potstill.errors import PotstillError, require, shown
from potstill.files import check_input, reading
from potstill.teachers.function import FunctionTeacher

_PICKLES = (".pkl", ".pickle", ".joblib", ".dill")
_SCHEMA = "schema.json"  # in each file of skops, which is a zip
_LARGEST = 200  # times the size of the file: what is packed closer is made to fill the memory


def open_skops(file: Path, labels: list[str] | None = None) -> FunctionTeacher:
    """A scikit-learn model, fitted on texts, as a teacher.

    :param file: what ``skops.io.dump`` wrote: of a pipeline from text, such as TF-IDF with logistic regression.
    :param labels: the data's labels: its logits are put in their order; default: its own.
    :raises PotstillError: when it is no such file, has types that skops does not trust, or other labels.
    """
    model = load_skops(file)
    version = f"{hash_file(file)} {_library_version()}"
    with OneLineErrors(DAMAGED, file):
        return FunctionTeacher(model, labels, f"skops:{file}", version=version)


def check_skops(file: Path) -> None:
    """Check a file without making its model.

    :raises PotstillError: when it is no file of skops, or has types that skops does not trust.
    """
    check_input(file)
    with reading(file), file.open("rb") as opened:
        begin = opened.read(4)
    if file.suffix.lower() in _PICKLES or _is_pickle(begin):
        raise PotstillError(refusal(file, file.with_suffix(".skops")))
    _check_size(file)
    require("skops", "skops", "sklearn")
    from skops.io import get_untrusted_types

    with OneLineErrors(DAMAGED, file):
        untrusted = get_untrusted_types(file=file)
    if untrusted:
        raise PotstillError(
            f"{file}: has {shown(', '.join(untrusted))}, which skops does not trust: only types of scikit-learn, numpy "
            "and scipy that run no code and cannot damage memory are loaded; give the model to potstill in Python"
        )


def load_skops(file: Path) -> Any:
    """The object in a file of skops.

    :raises PotstillError: as :func:`check_skops`.
    """
    check_skops(file)
    from skops.io import load

    with OneLineErrors(DAMAGED, file):
        return load(file)


def refusal(file: Path, target: Path) -> str:
    """Why a pickle is not opened, and the Python that makes a file of skops of it."""
    return (
        f"{file}: a pickle, which runs any code that somebody wrote into it when it is opened; if you made it "
        f"yourself, write it anew: import joblib, skops.io; skops.io.dump(joblib.load({str(file)!r}), {str(target)!r})"
    )


def _is_pickle(begin: bytes) -> bool:
    """By its first bytes: a protocol from 2 on, or what joblib compresses."""
    return (begin[:1] == b"\x80" and begin[1:2] <= b"\x10") or begin[:2] in (b"\x78\x9c", b"\x78\x5e", b"\x1f\x8b")


def _check_size(file: Path) -> None:
    with OneLineErrors("not a file of skops: write one with skops.io.dump(model, file)", file):
        try:
            with ZipFile(file) as packed:
                sizes = {member.filename: member.file_size for member in packed.infolist()}
        except BadZipFile as error:
            raise ValueError(str(error)) from None
        if _SCHEMA not in sizes:
            raise ValueError(f"no {_SCHEMA} in it")
    if sum(sizes.values()) > _LARGEST * file.stat().st_size:
        raise PotstillError(
            f"{file}: over {_LARGEST} times as large when it is unpacked: it is made to fill the memory"
        )


def _library_version() -> str:
    import sklearn

    return f"scikit-learn {sklearn.__version__}"
