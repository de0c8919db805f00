"""Whether an encoder can become a classifier that is deployed, found out before hours of fine-tuning."""

import copy
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import PreTrainedModel

from potstill.artifacts import ONNX_MODEL, writing
from potstill.cache import open_cache
from potstill.corpus.encoded import Encoded
from potstill.errors import PotstillError
from potstill.export.core_files import TOLERANCE
from potstill.export.onnx_files import NotExportable, export_onnx, one_line_where_not_exportable
from potstill.teachers.inference import in_torch
from potstill.teachers.layers import keep_layers

_LAYERS = 2  # that are tried: all others are like them


def try_export(name: str, model: PreTrainedModel, inputs: list[str]) -> None:
    """Run an encoder's first layers on some texts, in torch and as an ONNX file.

    Some families need more than a text (a page's layout, a table), depend on padding, or compute what ONNX has no
    operator for. Which families can be deployed is kept in the cache.

    :param name: as the user gave it.
    :param inputs: the tokenizer's names of what it takes.
    :raises PotstillError: when it cannot be run, depends on padding, or cannot be written as an ONNX file.
    """
    family = " ".join([model.config.model_type, *inputs])
    with open_cache("export", f"torch-{torch.__version__}-transformers-{transformers.__version__}") as cache:
        if not cache.look_up([family]):
            if wrong := _try(model, inputs):
                raise PotstillError(f"{name}: {wrong}: give another encoder, such as a BERT")
            cache.store({family: True})


def _try(model: PreTrainedModel, inputs: list[str]) -> str:
    """What is wrong; empty where nothing is."""
    model = copy.deepcopy(model)
    with suppress(PotstillError):  # it has fewer, or they are one: all are tried
        keep_layers(model, _LAYERS)
    with tempfile.TemporaryDirectory() as scratch, writing(Path(scratch)):
        try:
            if _depends_on_padding(model):
                return f"a {model.config.model_type} gives a text other logits when it is padded"
            export_onnx(model, inputs, Path(scratch) / ONNX_MODEL)
        except NotExportable as error:
            return str(error)
    return ""


def _depends_on_padding(model: PreTrainedModel) -> bool:
    """Whether a text's logits depend on the longer texts of its batch, as XLNet's and FNet's do."""
    encoded = Encoded(np.arange(5, 5 + 20, dtype=np.int32), np.array([0, 6, 20]))  # a text of 6 tokens, one of 14
    with one_line_where_not_exportable(model):
        run, pad_id = in_torch(model), model.config.pad_token_id
        alone, padded = (run(encoded.pad(np.array(rows), pad_id))[0] for rows in ([0], [0, 1]))
    return not float(np.abs(alone - padded).max()) <= TOLERANCE
