"""A model as ONNX files: in floats, compared with the model before it counts, and in 8-bit integers.

A student with ``to_onnx`` writes its own graph. Any other student, and a transformer, goes through torch's exporter and
ONNX Runtime's dynamic quantization.
"""

import inspect
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TypeGuard

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from potstill.artifacts import ONNX_INT8, ONNX_MODEL, writing
from potstill.corpus.encoded import Encoded, encode, limited
from potstill.corpus.texts import Text
from potstill.errors import PotstillError, reason
from potstill.export.core_files import TOLERANCE, write_int8_plan, write_plan
from potstill.students import StudentModel
from potstill.students.onnx_graph import PAIR_IDS, OnnxGraph

logger = logging.getLogger(__name__)

_SHAPES = ((1, 1), (1, 17), (3, 40))  # texts by tokens of the batches that are compared
_CALIBRATION_TEXTS, _CALIBRATION_TOKENS = 500, 200  # texts, and most tokens of each, that give the calibration ranges


class NotExportable(PotstillError):
    """A model that cannot be an ONNX file, whatever its weights are."""


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Save a model as Hugging Face loads it, with its ONNX file, and a student with its plan.

    :param folder: exists.
    :raises PotstillError: when the ONNX file's logits differ.
    """
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    export_fp32(model, tokenizer, folder)


def export_fp32(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write what a classifier is run from, in floats, beside its weights: the ONNX file, and a student's plan.

    :raises PotstillError: when the ONNX file's logits differ.
    """
    export_onnx(model, tokenizer.model_input_names, folder / ONNX_MODEL)
    if isinstance(model, StudentModel):
        write_plan(model, tokenizer.backend_tokenizer, folder)


def export_onnx(model: PreTrainedModel, inputs: list[str], path: Path) -> None:
    """Write a classifier as an ONNX file with inputs ``[batch, length]`` and output ``logits``.

    :param inputs: the tokenizer's names of what the model takes; a student's own graph takes ``input_ids`` alone.
    :raises NotExportable: when a model of its kind cannot be one.
    :raises PotstillError: when its logits are off by more than :data:`TOLERANCE`.
    """
    logger.info("exporting %s to ONNX", type(model).__name__)
    model = model.eval().cpu()  # type: ignore[no-untyped-call]
    if _has_own_graph(model):
        graph = OnnxGraph()
        graph.save(path, model.to_onnx(graph))
    elif isinstance(model, StudentModel) and model.config.reads_pairs:
        raise NotExportable(f"{type(model).__name__} has no ONNX graph of its own, which a student of pairs needs")
    else:
        _trace(model, inputs, path)
    _check(model, inputs, path)


def _has_own_graph(model: PreTrainedModel) -> TypeGuard[StudentModel]:
    return isinstance(model, StudentModel) and model.has_own_graph()


def _trace(model: PreTrainedModel, inputs: list[str], path: Path) -> None:
    """Write what torch's exporter makes of a model: a graph of padded batches."""
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    with warnings.catch_warnings(), _silenced(), one_line_where_not_exportable(model):
        warnings.simplefilter("ignore")  # the exporter's own use of what torch deprecates
        example = _random_inputs(model, inputs, 2, 7)
        with torch.inference_mode():
            model(**example)
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


@contextmanager
def _silenced() -> Iterator[None]:
    """Without what the exporter says: that torchvision is absent, and pages on a model that it cannot trace."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)


@contextmanager
def one_line_where_not_exportable(model: PreTrainedModel) -> Iterator[None]:
    """Turn whatever a model or the exporter raises into one line: some families of transformers need more than a text's
    tokens, or compute what ONNX has no operator for."""
    try:
        yield
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__:
            cause = cause.__cause__
        raise NotExportable(
            f"a {model.config.model_type} cannot be run on a text's tokens alone, or not as an ONNX file "
            f"({reason(cause)})"
        ) from error


def export_int8(model: PreTrainedModel, file: Path, tokenizer: Tokenizer, texts: Sequence[Text]) -> Path:
    """Write a classifier in 8-bit integers, in the folder of its ONNX file in floats.

    In a student's own graph the embedding tables and large matrices are integers, with a scale for each column of a
    matrix. So are the activations that go into the matrices, within calibration ranges that are measured here, not
    again in every batch: no text's logits depend on the other texts of a batch. For other models see :func:`quantize`.

    :param file: the one in floats, :data:`ONNX_MODEL`.
    :param texts: of the kind that the classifier will read; the first :data:`_CALIBRATION_TEXTS` are taken.
    :return: the new file.
    """
    if not _has_own_graph(model):
        return quantize(file)
    encoded = encode(texts[:_CALIBRATION_TEXTS], limited(tokenizer, _CALIBRATION_TOKENS), separately=True)
    ranges = _calibration_ranges(model, encoded)
    write_int8_plan(model, tokenizer, ranges, file.parent)
    graph = OnnxGraph(ranges)
    graph.save(file.with_name(ONNX_INT8), model.to_onnx(graph))
    return file.with_name(ONNX_INT8)


def _calibration_ranges(model: StudentModel, texts: Encoded) -> NDArray[np.float32]:
    """The smallest and the largest number of each activation that the graph quantizes, ``[n_activations, 2]``."""
    graph = OnnxGraph()
    logits = model.to_onnx(graph)
    with tempfile.TemporaryDirectory() as folder, writing(Path(folder)):
        file = Path(folder) / ONNX_MODEL
        graph.save(file, logits, graph.activations)
        session = _open(file)
        ranges = []
        names = {node.name for node in session.get_inputs()}
        for row in range(len(texts)):
            batch = texts.pad(np.array([row]), 0)
            feed = {name: batch[name] for name in names}
            values = session.run(graph.activations, feed) if graph.activations else []
            ranges.append([(value.min(), value.max()) for value in values])
    by_text = np.array(ranges, dtype=np.float32).reshape(len(texts), -1, 2)
    return np.stack([by_text[..., 0].min(axis=0), by_text[..., 1].max(axis=0)], axis=1)


def quantize(path: Path) -> Path:
    """Write a model's ONNX file in int8, in the same folder: tables, and weights by channel.

    The ranges of the activations are those of each batch: a text's logits depend a little on the rest of its batch.

    :return: the new file.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logger.info("quantizing %s to int8", path.name)
    quantized = path.with_name(ONNX_INT8)
    logging.getLogger().addFilter(_no_advice)
    # With its token table in 8 bits too MiniLM-L6 has 24 MB, not 59, at the same accuracy (logits off by 0.10 in both).
    kinds = ["MatMul", "Gather"]  # a Gather reads the token table, half of a small model
    quantize_dynamic(path, quantized, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=kinds)
    logging.getLogger().removeFilter(_no_advice)
    return quantized


def _no_advice(record: logging.LogRecord) -> bool:
    """Drop the quantizer's advice to prepare the model, which the exporter has done."""
    return "pre-processing" not in record.getMessage()


def _open(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])


def _random_inputs(model: PreTrainedModel, inputs: list[str], texts: int, length: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(texts * length)
    taken = inspect.signature(model.forward).parameters
    values = {name: torch.ones((texts, length), dtype=torch.long) for name in inputs if name in taken}
    vocabulary = int(model.config.get_text_config().vocab_size)
    values["input_ids"] = torch.randint(1, vocabulary, (texts, length), generator=generator)
    if isinstance(model, StudentModel) and model.config.reads_pairs:
        values[PAIR_IDS] = torch.randint(1, vocabulary, (texts, length + 3), generator=generator)
    if "token_type_ids" in values:
        values["token_type_ids"] = torch.zeros((texts, length), dtype=torch.long)
    return values


def _check(model: PreTrainedModel, inputs: list[str], path: Path) -> None:
    # An export that predicts differently must be an error here, not a surprise in use.
    with one_line_where_not_exportable(model):
        session = _open(path)
    names = {node.name for node in session.get_inputs()}
    for texts, length in _SHAPES:
        with one_line_where_not_exportable(model), torch.inference_mode():
            values = _random_inputs(model, inputs, texts, length)
            if "attention_mask" in names and length > 1:  # padding among the inputs
                values["attention_mask"][0, length // 2 :] = 0
            expected = model(**values).logits.numpy()
            feed = {name: value.numpy() for name, value in values.items() if name in names}
            error = float(np.abs(session.run(None, feed)[0] - expected).max())
        if not error <= TOLERANCE:
            raise PotstillError(f"{path}: the ONNX file's logits are off by {error:.2g}: not usable, please report it")
