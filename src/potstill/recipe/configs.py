"""The model configurations of ``configs/``: one small JSON file a model, with the recipe's names."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from potstill.artifacts import read_json
from potstill.errors import PotstillError

_CHARACTERS = "characters"  # emb_class of a student that reads characters
_N_CTX = {"glove": 100, _CHARACTERS: 1000}  # emb_class of students, and their longest text if n_ctx is not given
_TEACHER_KEYS = {"emb_class", "enc_class", "n_ctx", "dropout"}
_TEXT_KEYS = {"emb_class", "enc_class", "n_ctx", "lowercase", "token_emb_dim"}
_FIXED_KEYS = {
    "pad_token",
    "pad_token_id",
    "unk_token",
    "unk_token_id",
}  # in the reference's files; here they are fixed


@dataclass(frozen=True)
class TeacherConfig:
    """A transformer with a classification layer.

    :param model_type: of the checkpoint: ``bert``, ``roberta``, ``electra``, ...
    :param n_ctx: longest text in tokens.
    :param dropout: probability before the classification layer.
    """

    model_type: str
    n_ctx: int = 100
    dropout: float = 0.1


@dataclass(frozen=True)
class StudentTextConfig:
    """A student of ``STUDENTS``.

    :param student: its name.
    :param reads_characters: whether its text is split into characters; else into words, with vectors.
    :param n_ctx: longest text in words or characters, in training.
    :param lowercase: whether they are lower-cased.
    :param token_emb_dim: the width that the word vectors must have; None takes any.
    :param parameters: the student's own: filters, kernels, dropout, ...
    """

    student: str
    reads_characters: bool
    n_ctx: int
    lowercase: bool
    token_emb_dim: int | None
    parameters: dict[str, Any]


def read_model_config(path: Path) -> TeacherConfig | StudentTextConfig:
    """Read a file of ``configs/``.

    :raises PotstillError: when it is missing, not JSON, or lacks a field that its kind needs.
    """
    fields = read_json(path)
    if not isinstance(fields, dict) or not {"emb_class", "enc_class"} <= set(fields):
        raise PotstillError(f"{path}: needs emb_class and enc_class, as in configs/config-glove-cnn.json")
    _check_ranges(path, fields)
    if fields["emb_class"] not in _N_CTX:
        return _teacher(path, fields)
    if fields["emb_class"] == _CHARACTERS and "token_emb_dim" in fields:
        raise PotstillError(f"{path}: token_emb_dim is for word vectors; a student of characters has none: remove it")
    return StudentTextConfig(
        student=fields["enc_class"],
        reads_characters=fields["emb_class"] == _CHARACTERS,
        n_ctx=fields.get("n_ctx", _N_CTX[fields["emb_class"]]),
        lowercase=fields.get("lowercase", True),
        token_emb_dim=fields.get("token_emb_dim"),
        parameters={name: value for name, value in fields.items() if name not in _TEXT_KEYS | _FIXED_KEYS},
    )


def _check_ranges(path: Path, fields: dict[str, Any]) -> None:
    n_ctx, dropout = fields.get("n_ctx", 100), fields.get("dropout", 0.1)
    if not isinstance(n_ctx, int) or n_ctx < 1:
        raise PotstillError(f"{path}: n_ctx is {n_ctx}: a text has at least 1 token")
    if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise PotstillError(f"{path}: dropout is {dropout}: a probability from 0 to below 1")


def _teacher(path: Path, fields: dict[str, Any]) -> TeacherConfig:
    if fields["enc_class"] != "cls":
        raise PotstillError(f"{path}: enc_class '{fields['enc_class']}': a teacher's is cls")
    unknown = set(fields) - _TEACHER_KEYS
    if unknown:
        raise PotstillError(f"{path}: unknown {', '.join(sorted(unknown))}; known: {', '.join(sorted(_TEACHER_KEYS))}")
    return TeacherConfig(fields["emb_class"], fields.get("n_ctx", 100), fields.get("dropout", 0.1))
