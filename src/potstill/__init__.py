"""Distill a transformer text classifier into a small, fast student."""

from potstill.errors import PotstillError
from potstill.runtime.cascade import Cascade
from potstill.runtime.classifier import Classifier, load

__all__ = ["Cascade", "Classifier", "PotstillError", "__version__", "load"]
__version__ = "0.1.0"
