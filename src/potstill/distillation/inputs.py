"""Inputs of stages, in JSON form: the hashes of the files that options name, and the options of a training."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from potstill.artifacts import hash_file, hash_json, shards
from potstill.files import is_input, rereadable
from potstill.model_folder import ModelFolder
from potstill.training.options import Optimisation
from potstill.training.vector_sources import is_from_teacher, split_vectors

_STATIC_MODEL = (".safetensors", ".json")


def training_inputs(prefix: str, optimisation: Optimisation) -> dict[str, Any]:
    """The options of a training; the prefix says what is trained."""
    return {f"{prefix}_{name}": value for name, value in asdict(optimisation).items()}


def hash_weights(checkpoint: str) -> str | None:
    """The hash of a local checkpoint's weights; None for a name on the hub or of a package."""
    return ModelFolder(Path(checkpoint)).weights_hash


def hash_transfer(path: Path) -> str:
    """The hash of a transfer set's file, or of its shards."""
    return hash_json([hash_file(rereadable(file)) for file in (shards(path) if path.is_dir() else [path])])


def hash_vectors(source: str) -> list[str]:
    """The identity of word vectors: for each part the hash of its file or weights, else its name."""
    return [part if is_from_teacher(part) else _hash_part(Path(part)) for part in split_vectors(source)]


def _hash_part(source: Path) -> str:
    if source.is_dir():
        return hash_json([hash_file(file) for file in sorted(source.rglob("*")) if file.suffix in _STATIC_MODEL])
    files = [source, source.with_suffix(".txt")] if source.suffix == ".npy" else [source]
    return hash_json([hash_file(rereadable(file)) for file in files]) if is_input(source) else str(source)
