"""Whether an encoder can become a classifier that is deployed, found out before hours of fine-tuning."""

import copy
import tempfile
from contextlib import suppress
from pathlib import Path

import torch
import transformers
from transformers import PreTrainedModel

from potstill.artifacts import ONNX_MODEL, writing
from potstill.cache import open_cache
from potstill.errors import PotstillError
from potstill.export.onnx_files import NotExportable, export_onnx
from potstill.teachers.layers import keep_layers

_LAYERS = 2  # that are tried: all others are like them


def try_export(name: str, model: PreTrainedModel, inputs: list[str]) -> None:
    """Run an encoder's first layers on some texts, in torch and as an ONNX file.

    Some families need more than a text (a page's layout, a table), or compute what ONNX has no operator for. What was
    found of a family is kept in the cache.

    :param name: as the user gave it.
    :param inputs: the tokenizer's names of what it takes.
    :raises PotstillError: when it cannot be run, or cannot be written as an ONNX file.
    """
    family = " ".join([model.config.model_type, *inputs])
    with open_cache("export", f"torch-{torch.__version__}-transformers-{transformers.__version__}") as cache:
        found = cache.look_up([family])
        if family not in found:
            found = {family: _try(model, inputs)}
            cache.store(found)
    if found[family]:
        raise PotstillError(f"{name}: {found[family]}: give another encoder, such as a BERT")


def _try(model: PreTrainedModel, inputs: list[str]) -> str:
    """What is wrong; empty where nothing is."""
    model = copy.deepcopy(model)
    with suppress(PotstillError):  # it has fewer, or they are one: all are tried
        keep_layers(model, _LAYERS)
    with tempfile.TemporaryDirectory() as scratch, writing(Path(scratch)):
        try:
            export_onnx(model, inputs, Path(scratch) / ONNX_MODEL)
        except NotExportable as error:
            return str(error)
    return ""
