"""Export: a model to ONNX, checked against the model before it counts."""

import logging
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from potstill.artifacts import ONNX_INT8, ONNX_MODEL
from potstill.errors import PotstillError

logger = logging.getLogger(__name__)

TOLERANCE = 1e-4  # on the logits, between the model and its ONNX file
_SHAPES = ((1, 1), (1, 17), (3, 40))  # texts by tokens that are compared


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Save a model as Hugging Face loads it, and as ONNX beside it.

    :param folder: exists.
    :raises PotstillError: when the ONNX file answers differently.
    """
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    export_onnx(model, tokenizer.model_input_names, folder / ONNX_MODEL)


def export_onnx(model: PreTrainedModel, inputs: list[str], path: Path) -> None:
    """Write a classifier as an ONNX file with inputs ``[batch, length]`` and output ``logits``.

    :param inputs: the tokenizer's names of what the model takes.
    :raises PotstillError: when its logits are off by more than :data:`TOLERANCE`.
    """
    logger.info("exporting %s to ONNX", type(model).__name__)
    model = model.eval().cpu()  # type: ignore[no-untyped-call]
    example = _random_inputs(model, inputs, 2, 7)
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    # torch keeps what the first export of an LSTM found and gives the next one a fixed length.
    torch.ops.aten.lstm.input._dispatch_cache.clear()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of torchvision's absence
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own use of what torch deprecates
        program = torch.onnx.export(
            model,
            (),
            kwargs=example,
            dynamo=True,
            input_names=list(example),
            output_names=["logits"],
            dynamic_shapes={name: axes for name in example},
            verbose=False,
        )
    assert program is not None
    program.save(path)
    _check(model, inputs, path)


def quantize(path: Path) -> Path:
    """Write a model's ONNX file in int8 beside it: weights by channel, what they are multiplied with as it comes.

    :return: the new file.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logger.info("quantizing %s to int8", path.name)
    quantized = path.with_name(ONNX_INT8)
    logging.getLogger().addFilter(_no_advice)
    quantize_dynamic(path, quantized, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
    logging.getLogger().removeFilter(_no_advice)
    return quantized


def _no_advice(record: logging.LogRecord) -> bool:
    """Drop the quantizer's advice to prepare the model, which the exporter has done."""
    return "pre-processing" not in record.getMessage()


def _random_inputs(model: PreTrainedModel, inputs: list[str], texts: int, length: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(texts * length)
    values = {name: torch.ones((texts, length), dtype=torch.long) for name in inputs}
    vocabulary = int(model.config.vocab_size)
    values["input_ids"] = torch.randint(1, vocabulary, (texts, length), generator=generator)
    if "token_type_ids" in values:
        values["token_type_ids"] = torch.zeros((texts, length), dtype=torch.long)
    return values


def _check(model: PreTrainedModel, inputs: list[str], path: Path) -> None:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    taken = {given.name for given in session.get_inputs()}
    for texts, length in _SHAPES:
        values = _random_inputs(model, inputs, texts, length)
        if "attention_mask" in values and length > 1:
            values["attention_mask"][0, length // 2 :] = 0
        with torch.inference_mode():
            expected = model(**values).logits.numpy()
        given = {name: value.numpy() for name, value in values.items() if name in taken}
        error = float(np.abs(session.run(None, given)[0] - expected).max())
        if not error <= TOLERANCE:
            raise PotstillError(f"{path}: the ONNX file's logits are off by {error:.2g}: not usable, please report it")
