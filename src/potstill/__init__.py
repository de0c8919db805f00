"""Distill a text classifier into a small, fast student."""

from importlib import import_module
from typing import TYPE_CHECKING

from potstill.errors import PotstillError, require
from potstill.runtime.cascade import Cascade
from potstill.runtime.classifier import Classifier, load

if TYPE_CHECKING:
    from potstill.api import Distillation, distill
    from potstill.estimator import DistilledClassifier

__all__ = [
    "Cascade",
    "Classifier",
    "Distillation",
    "DistilledClassifier",
    "PotstillError",
    "__version__",
    "distill",
    "load",
]
__version__ = "0.1.0"

_OF_TRAINING = {"Distillation": "api", "distill": "api", "DistilledClassifier": "estimator"}  # their modules


def __getattr__(name: str) -> object:
    """What needs the extra ``train`` is imported when it is asked for: ``potstill.load`` does without."""
    if name not in _OF_TRAINING:
        raise AttributeError(f"module 'potstill' has no attribute '{name}'")
    require("train", "sklearn")
    return getattr(import_module(f"potstill.{_OF_TRAINING[name]}"), name)
