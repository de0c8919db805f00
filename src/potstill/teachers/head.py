"""A Sentence Transformers folder with a classification head, as SetFit saves it, as a teacher."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from potstill.artifacts import hash_file, hash_json, read_json, read_object
from potstill.corpus.encoded import with_masks
from potstill.corpus.safe_loading import DAMAGED, OneLineErrors
from potstill.corpus.words import MASK
from potstill.errors import PotstillError, require, shown
from potstill.files import reading
from potstill.teachers.answers import label_name
from potstill.teachers.function import FunctionTeacher
from potstill.teachers.skops_file import check_skops, load_skops, refusal

_MODULES = "modules.json"  # of every folder of Sentence Transformers
_HEAD, _PICKLED_HEAD = "model_head.skops", "model_head.pkl"
_SETTINGS = "config_setfit.json"
_LIBRARY = "sentence_transformers."


def has_head(folder: Path) -> bool:
    """Whether a folder is one of Sentence Transformers with a head beside it, one that is refused too."""
    with reading(folder):  # a name on the hub, or of a model behind a server, may be no name of a file
        return (folder / _MODULES).is_file() and any((folder / name).is_file() for name in (_HEAD, _PICKLED_HEAD))


def check_head(folder: Path) -> None:
    """Check a folder without loading its model.

    :raises PotstillError: when its head is a pickle or has types that skops does not trust, or its modules are not
        those of the library.
    """
    if not (folder / _HEAD).is_file() and (folder / _PICKLED_HEAD).is_file():
        raise PotstillError(refusal(folder / _PICKLED_HEAD, folder / _HEAD))
    if not has_head(folder):
        raise PotstillError(f"{folder}: no {_MODULES} with {_HEAD} beside it: not a classifier that SetFit saved")
    modules = read_json(folder / _MODULES)
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise PotstillError(f"{folder / _MODULES}: not a list of modules; was it cut short or edited?")
    # Others would be imported: code of whoever made the folder. The library asks no longer since its version 6 alone.
    others = [str(module.get("type")) for module in modules if not str(module.get("type")).startswith(_LIBRARY)]
    if others:
        raise PotstillError(
            f"{folder / _MODULES}: has {shown(', '.join(others))}, which is no module of Sentence Transformers: code "
            "that comes with a model is not run"
        )
    check_skops(folder / _HEAD)


def open_head(folder: Path, labels: list[str] | None = None) -> FunctionTeacher:
    """A Sentence Transformers encoder and its head as a teacher.

    :param folder: with ``modules.json`` and ``model_head.skops``; where it has a ``config_setfit.json``, its labels and
        its normalisation are used.
    :param labels: the data's labels: its logits are put in their order; default: its own.
    :raises PotstillError: as :func:`check_head`; when its files do not fit together, or it has other labels.
    """
    check_head(folder)
    require("setfit", "sentence_transformers", "sklearn")
    model = HeadedEncoder(folder)
    return FunctionTeacher(model, labels, str(folder), version=_hashes(folder))


class HeadedEncoder:
    """Texts to the head's probabilities. The encoder is opened at the first call, in each process again.

    :ivar classes_: the label of each probability.
    """

    def __init__(self, folder: Path) -> None:
        settings = read_object(folder / _SETTINGS) if (folder / _SETTINGS).is_file() else {}
        self._folder = folder
        self._head = load_skops(folder / _HEAD)
        self._normalizes = settings.get("normalize_embeddings") is True
        if not hasattr(self._head, "predict_proba") or not hasattr(self._head, "classes_"):
            raise PotstillError(
                f"{folder / _HEAD}: a {type(self._head).__name__} without predict_proba or classes_: give a head that "
                "is a fitted classifier, such as a LogisticRegression"
            )
        self.classes_ = _classes(self._head, settings.get("labels"), folder)

    def __getstate__(self) -> dict[str, Any]:
        """Its state, without what each process opens for itself."""
        return {name: value for name, value in vars(self).items() if name != "_encoder"}

    @cached_property
    def _encoder(self) -> Any:
        from sentence_transformers import SentenceTransformer

        from potstill.teachers.checkpoints import opening

        with OneLineErrors(f"{self._folder}: {DAMAGED}"), opening(str(self._folder)):
            return SentenceTransformer(str(self._folder.absolute()), local_files_only=True)

    def predict_proba(self, texts: Sequence[str]) -> Any:
        """The probabilities of texts, ``[len(texts), len(classes_)]``."""
        mask_token = getattr(self._encoder.tokenizer, "mask_token", None) or MASK
        vectors = self._encoder.encode(
            with_masks(texts, mask_token),
            normalize_embeddings=self._normalizes,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return self._head.predict_proba(vectors)


def _classes(head: Any, names: object, folder: Path) -> list[str]:
    """The labels of a head; where SetFit trained it on numbers, they are those of its list of names."""
    classes = [label_name(label) for label in head.classes_]
    if names is None:
        return classes
    if not isinstance(names, list) or not all(isinstance(name, str | int) for name in names):
        raise PotstillError(f"{folder / _SETTINGS}: its labels are no list of names; correct it")
    if sorted(map(label_name, names)) == sorted(classes):
        return classes
    if not all(label.isdecimal() and int(label) < len(names) for label in classes):
        raise PotstillError(
            f"{folder / _SETTINGS}: its labels are {shown(', '.join(map(str, names)))}, the head's are "
            f"{shown(', '.join(classes))}; correct it"
        )
    return [label_name(names[int(label)]) for label in classes]


def _hashes(folder: Path) -> str:
    """The hash of all that the logits depend on: weights, tokenizer, settings and head."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".md"]
    hashes = {path.relative_to(folder).as_posix(): hash_file(path) for path in files}
    return hash_json({name: value for name, value in hashes.items() if not name.startswith(".")})
