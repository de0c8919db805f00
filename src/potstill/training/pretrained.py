"""Pretrained students: where they are found, whether one knows a data set's language, and starting from one."""

import importlib.util
import inspect
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from potstill.artifacts import CONFIG, TOKENIZER, WEIGHTS, hash_file, read_object
from potstill.augment.analyzers import reads_language
from potstill.corpus.safe_loading import DAMAGED, OneLineErrors, open_tokenizer
from potstill.corpus.vectors import PieceVectors, VectorSource
from potstill.corpus.words import N_SPECIAL, build_tokenizer, count_words, splitter_hash
from potstill.errors import PotstillError
from potstill.model_folder import is_student_type
from potstill.morphology import MorphemeSplitter
from potstill.training.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

PACKAGES = {"potstill-base-en": "potstill_base_en", "potstill-base-ko": "potstill_base_ko"}
"""Pretrained students that pip installs: their modules by name."""

AUTO, NONE = "auto", "none"

SPLITTER = "splitter"  # in config.json: which version of the word splitter its words come from

# potstill-base-en knows 93 to 99% of the words of English data sets (MPQA, SNIPS, tweets ...), 20% of NSMC's;
# potstill-base-ko 95 to 98% of the morphemes of Korean ones (NSMC, hate speech, UnSmile).
_KNOWN = 0.75  # the least share of a text's words that a pretrained student of its language knows
_SAMPLE = 2_000  # texts that tell the language
_ADDED = 3  # times that a new word must occur in the transfer set to get a vector; rarer ones are read as their pieces
_COMPARED = 4_000  # words whose two vectors tell how to map one to the other
_EMBEDDING, _OUTPUT = "embedding.weight", "output."


@dataclass(frozen=True)
class Pretrained:
    """A student that ``potstill pretrain`` made.

    :param folder: with its ``config.json``, ``tokenizer.json`` and weights.
    """

    folder: Path

    @cached_property
    def config(self) -> dict[str, Any]:
        """The content of ``config.json``."""
        return read_object(self.folder / CONFIG)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer."""
        return open_tokenizer(self.folder / TOKENIZER)

    @cached_property
    def words(self) -> list[str]:
        """Its words and pieces, in the order of their ids, from the first that is not special."""
        ids = self.tokenizer.get_vocab()
        return sorted(ids, key=ids.__getitem__)[N_SPECIAL:]

    @property
    def analyzer(self) -> str:
        """The morphological analyzer whose morphemes it reads; ``""``: it reads words."""
        return str(self.config.get("analyzer") or "")

    @cached_property
    def hash(self) -> str:
        """The hash of its weights."""
        return hash_file(self.folder / WEIGHTS)

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Its weights by name.

        :raises PotstillError: when the file is damaged.
        """
        from safetensors.numpy import load_file

        with OneLineErrors(DAMAGED, self.folder / WEIGHTS):
            return {name: array.astype(np.float32) for name, array in load_file(self.folder / WEIGHTS).items()}

    def known_share(self, texts: Sequence[str]) -> float:
        """The share of the texts' words, or morphemes, that it knows as wholes."""
        sample = texts[:_SAMPLE]
        counts = count_words(MorphemeSplitter(self.analyzer)(sample) if self.analyzer else sample, lower=True)
        ids = self.tokenizer.get_vocab()
        return sum(n for word, n in counts.items() if word in ids) / max(1, sum(counts.values()))

    def parameters(self, config_class: type) -> dict[str, Any]:
        """The sizes of its layers, as a student's configuration of its kind names them; of another kind none."""
        if getattr(config_class, "model_type", "") != self.config["model_type"]:
            return {}
        names = inspect.signature(config_class).parameters.keys() - {"dropout"}  # no size: a task has its own
        return {name: self.config[name] for name in sorted(names) if name in self.config}

    def check_fits(self, texts: Sequence[str], analyzer: str) -> None:
        """Check that students of a data set can start from it.

        :param analyzer: whose morphemes they read; ``""``: they read words.
        :raises PotstillError: when it reads other morphemes, or knows few of the texts' words.
        """
        if self.analyzer != analyzer:
            here, there = (f"the morphemes of {name}" if name else "words" for name in (analyzer, self.analyzer))
            raise PotstillError(
                f"--student_init: {self.folder} reads {there}, these students read {here}: give "
                f"--analyzer={self.analyzer or 'spacy'}, or another pretrained student"
            )
        if (share := self.known_share(texts)) < _KNOWN:
            raise PotstillError(
                f"--student_init: {self.folder} knows {100 * share:.0f}% of the words of the data: is it of another "
                f"language? Give another one, or --student_init=none"
            )


def open_pretrained(source: str) -> Pretrained:
    """A pretrained student.

    :param source: the folder that ``potstill pretrain`` made, its ``student/``, or a package in :data:`PACKAGES`.
    :raises PotstillError: when there is none, or its words are another version's.
    """
    folder = _find_package(source) or Path(source)
    folder = folder / "student" if (folder / "student" / CONFIG).is_file() else folder
    if not (folder / CONFIG).is_file():
        raise PotstillError(
            f"{source}: no such pretrained student; give the folder that potstill pretrain made, or one of the "
            f"packages {', '.join(PACKAGES)}"
        )
    pretrained = Pretrained(folder)
    is_student = is_student_type(pretrained.config.get("model_type"))
    if is_student and SPLITTER not in pretrained.config:
        raise PotstillError(
            f"{source}: a student of a run, which knows one task: --student_init takes what potstill pretrain made, "
            f"--embedding_path={source} the word vectors of a student"
        )
    if not is_student:
        raise PotstillError(f"{source}: not a pretrained student; make one with: potstill pretrain")
    if pretrained.config[SPLITTER] != splitter_hash():
        raise PotstillError(f"{source}: made by another version, which splits words otherwise; pretrain it again")
    return pretrained


def find_pretrained(texts: Sequence[str], analyzer: str) -> Pretrained | None:
    """The installed pretrained student that knows the language of texts, if there is one.

    :param analyzer: whose morphemes students read; ``""``: they read words.
    """
    if analyzer and not reads_language(analyzer, texts):  # a Korean one knows two thirds of an English text's words
        return None
    for name in PACKAGES:
        if _find_package(name) is not None:
            pretrained = open_pretrained(name)
            if pretrained.analyzer == analyzer and pretrained.known_share(texts) >= _KNOWN:
                return pretrained
    return None


def _find_package(name: str) -> Path | None:
    spec = importlib.util.find_spec(PACKAGES[name]) if name in PACKAGES else None
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def grow_vocabulary(pretrained: Pretrained, texts: Iterable[str], source: VectorSource | None) -> Vocabulary:
    """The vocabulary of a pretrained student, and the words of a transfer set that it lacks.

    :param source: the teacher's vectors; what maps them to the pretrained ones on frequent words gives the new words'.
        None: a new word starts as the mean of its pieces.
    """
    table = pretrained.weights()[_EMBEDDING]
    known = set(pretrained.words)
    counts = count_words(texts, lower=True)
    new = [word for word, count in counts.most_common() if word not in known and count >= _ADDED]
    if not new:
        return Vocabulary(build_tokenizer(pretrained.words, lower=True), table)
    logger.info(
        "vocabulary: %d words and pieces, %d of them new to the pretrained student", len(known) + len(new), len(new)
    )
    if source is None:
        added = PieceVectors(pretrained.tokenizer, table).look_up(new, np.random.default_rng(0))
    else:
        shared = [word for word in pretrained.words if word.isalpha()][:_COMPARED]
        vectors = source.look_up([*shared, *new], np.random.default_rng(0))
        ids = pretrained.tokenizer.get_vocab()
        added = _map(vectors[: len(shared)], table[[ids[word] for word in shared]], vectors[len(shared) :])
    return Vocabulary(build_tokenizer([*pretrained.words, *new], lower=True), np.concatenate([table, added]))


def _map(inputs: NDArray[np.float32], outputs: NDArray[np.float32], new: NDArray[np.float32]) -> NDArray[np.float32]:
    """The outputs of new inputs, by ridge regression on the others."""
    mean_in, mean_out = inputs.mean(axis=0), outputs.mean(axis=0)
    x, y = inputs - mean_in, outputs - mean_out
    gram = x.T @ x
    ridge = 0.1 * np.trace(gram) / len(gram)
    weights = np.linalg.solve(gram + ridge * np.eye(len(gram), dtype=np.float32), x.T @ y)
    mapped: NDArray[np.float32] = ((new - mean_in) @ weights + mean_out).astype(np.float32)
    return mapped


def start_from(model: "PreTrainedModel", pretrained: Pretrained) -> None:
    """Give a new student the layers of a pretrained one, if it is of its kind; its word vectors and last layer stay.

    :raises PotstillError: when layers are missing, or of another size.
    """
    import torch

    if model.config.model_type != pretrained.config["model_type"]:
        return
    weights = {
        name: torch.from_numpy(array)
        for name, array in pretrained.weights().items()
        if name != _EMBEDDING and not name.startswith(_OUTPUT)
    }
    own = model.state_dict()
    if model.config.reads_pairs:  # what follows the two texts' vectors has another width, and starts anew
        weights = {name: weight for name, weight in weights.items() if weight.shape == own[name].shape}
    with OneLineErrors(DAMAGED, pretrained.folder / WEIGHTS):
        missing, unexpected = model.load_state_dict(weights, strict=False)
        is_new = model.config.reads_pairs and not weights.keys().isdisjoint(own)
        if unexpected or (not is_new and any(name != _EMBEDDING and not name.startswith(_OUTPUT) for name in missing)):
            raise ValueError("other layers than its configuration says")
