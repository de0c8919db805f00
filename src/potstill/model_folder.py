"""The folder of a model, a student's or a teacher's: its labels, precisions, files and size.

Reads small JSON files and sizes; opens no graph and no tokenizer.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

import numpy as np

from potstill.artifacts import (
    CONFIDENCE,
    CONFIG,
    LONG_TEXTS,
    ONNX_FILES,
    PLAN_WEIGHTS,
    PLANS,
    PRECISION,
    RUN,
    TEACHER,
    TEMPERATURE,
    THRESHOLDS,
    TOKENIZER,
    TOKENIZER_CONFIG,
    WEIGHTS,
    hash_file,
    read_object,
)
from potstill.corpus.texts import LongTexts, has_half
from potstill.errors import PotstillError, unknown_name
from potstill.tasks import Task, Temperature, find_task

NO_LIMIT = 1 << 20  # tokens; a model_max_length of this or more is no limit
_STUDENT_TYPE = "potstill-"  # begins the model_type of every student of STUDENTS


def is_student_type(model_type: object) -> bool:
    """Whether a configuration's ``model_type`` is that of a student of ``STUDENTS``; else it is a transformer's."""
    return str(model_type).startswith(_STUDENT_TYPE)


class CoreFiles(NamedTuple):
    """The files of a student that the native core opens."""

    config: Path
    tokenizer: Path
    plan: Path
    weights: Path


@dataclass(frozen=True)
class ModelFolder:
    """A folder with ``config.json``, ``tokenizer.json``, weights, and for each precision an ONNX file or a plan."""

    path: Path

    @classmethod
    def find(cls, path: Path) -> "ModelFolder":
        """The folder as it is; of a run's folder its ``student/``."""
        return cls(path / "student" if (path / RUN).is_file() else path)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The content of ``config.json``."""
        return read_object(self.path / CONFIG)

    @property
    def is_student(self) -> bool:
        """Whether it is a student of ``STUDENTS``; else a transformer."""
        return is_student_type(self.config.get("model_type"))

    @property
    def reads_pairs(self) -> bool | None:
        """Whether it reads pairs of texts; None: a transformer, which reads both kinds."""
        return bool(self.config.get("reads_pairs")) if self.is_student else None

    @property
    def labels(self) -> list[str]:
        """The labels in the order of the logits.

        :raises PotstillError: when the configuration has none, or not one for each number from 0.
        """
        names = self.config.get("id2label")
        if names is None and "ForSequenceClassification" in str(self.config.get("architectures")):
            names = {"0": "LABEL_0", "1": "LABEL_1"}  # the only ones that transformers does not write
        if not isinstance(names, dict) or not names:
            raise PotstillError(f"{self.path / CONFIG}: no id2label in it: not a classifier's folder")
        labels = [names.get(str(index)) for index in range(len(names))]
        if not all(isinstance(label, str | int) and not has_half(str(label)) for label in labels):
            raise PotstillError(f"{self.path / CONFIG}: id2label is not the labels by their numbers from 0; correct it")
        return [str(label) for label in labels]

    @property
    def pad_id(self) -> int:
        """The token id of padding."""
        return int(_number(self.config, "pad_token_id", 0, self.path / CONFIG))

    @property
    def temperature(self) -> Temperature:
        """What the logits are divided by before they become probabilities; 1 where none was fitted."""
        values = self.config.get(TEMPERATURE)
        if not isinstance(values, list):
            return _number(self.config, TEMPERATURE, 1.0, self.path / CONFIG)
        return np.array(self._one_a_label(TEMPERATURE, values, math.inf), dtype=np.float32)

    @property
    def task(self) -> Task:
        """How its logits become decisions.

        :raises PotstillError: when the configuration names a task that there is not, or has damaged thresholds.
        """
        task, thresholds = find_task(self.config.get("problem_type"), self.path / CONFIG), self.config.get(THRESHOLDS)
        if thresholds is None or not task.takes_several:
            return task
        return task.with_thresholds(self._one_a_label(THRESHOLDS, thresholds, 1.0))

    def _one_a_label(self, name: str, values: object, most: float) -> list[float]:
        """A field of the configuration that has a number for each label."""
        if not isinstance(values, list) or len(values) != len(self.labels):
            raise PotstillError(f"{self.path / CONFIG}: {name} has not one number for each label; correct it")
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
                raise PotstillError(f"{self.path / CONFIG}: {name} has '{value}' in it, no number from 0; correct it")
        return [float(value) for value in values]

    @property
    def max_length(self) -> int:
        """The longest text in tokens that the tokenizer allows its model; :data:`NO_LIMIT`: any."""
        path = self.path / TOKENIZER_CONFIG
        fields = read_object(path) if path.is_file() else {}
        return int(min(_number(fields, "model_max_length", NO_LIMIT, path), NO_LIMIT))

    @property
    def confidence_thresholds(self) -> dict[str, float]:
        """The confidences that ``potstill threshold`` found, by their names.

        :raises PotstillError: when the configuration has something else there.
        """
        known = self.config.get(CONFIDENCE, {})
        thresholds: dict[str, float] = {}
        for name, fitted in known.items() if isinstance(known, dict) else [(CONFIDENCE, None)]:
            value = fitted.get("at_least") if isinstance(fitted, dict) else None
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise PotstillError(f"{self.path / CONFIG}: {CONFIDENCE} has no probability under '{name}'; correct it")
            thresholds[name] = value
        return thresholds

    @property
    def long_texts(self) -> LongTexts:
        """How it reads texts that are longer than :attr:`max_length`.

        :raises PotstillError: when the configuration has something else there.
        """
        how = self.config.get(LONG_TEXTS, "mean")
        if how not in get_args(LongTexts):
            raise PotstillError(
                f"{self.path / CONFIG}: {LONG_TEXTS} is '{how}': write one of {', '.join(get_args(LongTexts))}"
            )
        return cast(LongTexts, how)

    @property
    def precisions(self) -> list[str]:
        """The precisions that it can be loaded in."""
        return [name for name, file in ONNX_FILES.items() if (self.path / file).is_file() or self.core_files(name)]

    @property
    def default_precision(self) -> str:
        """The precision that ``potstill export`` chose, else ``fp32``, or what there is: a copy may have int8 alone."""
        choice = self.path / PRECISION
        if choice.is_file():
            return str(read_object(choice).get("default", "fp32"))
        return next(iter(self.precisions), "fp32")

    def files(self, precision: str | None = None) -> tuple[Path, ...]:
        """What is deployed: of a student with a plan what the native core opens, of others what ONNX Runtime does.

        :param precision: default: :attr:`default_precision`.
        :raises PotstillError: when there is no such precision, or one of the files is missing.
        """
        return self.core_files(precision) or self.onnx_files(precision)

    def core_files(self, precision: str | None = None) -> CoreFiles | None:
        """What the native core opens; None where one of its files is missing.

        :param precision: as of :meth:`files`.
        """
        precision = self._known(precision)
        plan = self.path / PLANS[precision]
        if not plan.is_file() or not (self.path / CONFIG).is_file() or not self.is_student:
            return None
        weights = read_object(plan).get("weights")
        if weights not in (WEIGHTS, PLAN_WEIGHTS[precision]):  # nothing outside the folder is read
            raise PotstillError(f"{plan}: does not name its weights; export the student again")
        files = CoreFiles(self.path / CONFIG, self.path / TOKENIZER, plan, self.path / weights)
        return files if all(file.is_file() for file in files) else None

    def onnx_files(self, precision: str | None = None) -> tuple[Path, Path, Path]:
        """What ONNX Runtime opens: configuration, tokenizer, ONNX file.

        :param precision: as of :meth:`files`.
        :raises PotstillError: as :meth:`files`.
        """
        precision = self._known(precision)
        config, tokenizer, onnx = (self.path / name for name in (CONFIG, TOKENIZER, ONNX_FILES[precision]))
        for file in (config, tokenizer, onnx):
            if not file.is_file():
                raise PotstillError(f"{self.path}: no {file.name} in it; {self._how_to_get(precision)}")
        return config, tokenizer, onnx

    def _known(self, precision: str | None) -> str:
        precision = self.default_precision if precision is None else precision
        if precision not in ONNX_FILES:
            raise unknown_name("precision", precision, list(ONNX_FILES))
        return precision

    def _how_to_get(self, precision: str) -> str:
        if (self.path / TEACHER).is_file():
            return "it has a teacher's answers, not a model: give the folder of a student, such as runs/NAME/student"
        if precision != "fp32" and "fp32" in self.precisions:
            return f"make it with: potstill export {self.path} --{precision}"
        return "give the folder of a trained model, such as runs/NAME/student"

    def megabytes(self, precision: str | None = None) -> float:
        """The size of :meth:`files` in 10^6 bytes."""
        # What a user ships: not the weights that only training and export read.
        return sum(file.stat().st_size for file in self.files(precision)) / 1e6

    @property
    def weights_hash(self) -> str | None:
        """The SHA-256 of ``model.safetensors``; None where there is none, as for a model's name on the hub."""
        weights = self.path / WEIGHTS
        return hash_file(weights) if weights.is_file() else None

    @property
    def n_parameters(self) -> int:
        """The numbers in the weights, word tables included."""
        from safetensors import safe_open

        total = 0
        for path in self.path.glob("model*.safetensors"):
            with safe_open(path, framework="numpy") as weights:
                total += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
        return total


def _number(fields: dict[str, Any], name: str, default: float, path: Path) -> float:
    """A number of a JSON file: above 0, or the default, which it also has where it is missing."""
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not (value == default or 0 < value < math.inf):
        raise PotstillError(f"{path}: {name} is not a number above 0; correct it")
    return value
