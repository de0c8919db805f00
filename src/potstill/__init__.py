"""Distill a text classifier into a small, fast student."""

from typing import TYPE_CHECKING, Any

from potstill.errors import PotstillError
from potstill.runtime.cascade import Cascade
from potstill.runtime.classifier import Classifier, load

if TYPE_CHECKING:
    from potstill.api import Distillation, distill

__all__ = ["Cascade", "Classifier", "Distillation", "PotstillError", "__version__", "distill", "load"]
__version__ = "0.1.0"

_OF_TRAINING = {"Distillation": "potstill.api", "distill": "potstill.api"}  # modules by name: imported when asked for


def __getattr__(name: str) -> Any:
    if name not in _OF_TRAINING:
        raise AttributeError(f"module 'potstill' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_OF_TRAINING[name]), name)
