"""A student's files against the same architecture and weights as a plain ONNX graph, raw text to label, one thread.

    python benchmarks/latency.py --data DIR --students runs/x/students/cnn ...

The plain graph is what torch's exporter makes of the layers as one would write them: ``Conv1d``, no mask, one text at
a time, in 32-bit floats; it is run as one would run it: ``Tokenizer.encode``, ``session.run``, ``argmax``. Potstill is
``potstill.load(...).predict([text])`` with each file that ``potstill export --int8`` made. All sides take turns in
every round, on the same texts; the figures are medians, their ratio that of the medians.
"""

import logging
import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import torch
import tyro
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

import potstill
from potstill.artifacts import TOKENIZER
from potstill.corpus.examples import read_examples
from potstill.corpus.splits import find_split
from potstill.model_folder import ModelFolder
from potstill.students import StudentModel
from potstill.students.bilstm import BiLSTMForSequenceClassification
from potstill.students.cnn import CNNForSequenceClassification
from potstill.students.densenet_cnn import DenseNetCNNForSequenceClassification
from potstill.students.densenet_dsa import DenseNetDSAForSequenceClassification
from potstill.students.layers import DenseNet, MaxOverTime
from potstill.teachers.checkpoints import open_finetuned

Predict = Callable[[str], object]


@dataclass(frozen=True)
class Options:
    """Measure students against plain graphs of the same architectures."""

    data: Path
    """Folder with valid, for the warm-up, and test."""
    students: tuple[Path, ...]
    """Students' folders."""
    rounds: int = 5
    """Repetitions."""
    texts: int = 200
    """Texts in each round."""


class Plain(nn.Module):
    """A student's layers, applied as one would write them for a single text."""

    def __init__(self, model: StudentModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor) -> Tensor:
        """Logits ``[1, n_labels]`` of ids ``[1, length]``."""
        model, x = self.model, self.model.embedding(input_ids)
        if isinstance(model, CNNForSequenceClassification):
            x = model.norm_hidden(model.hidden(model.norm_filters(max_over_time(model.filters, x))))
        elif isinstance(model, DenseNetCNNForSequenceClassification):
            x = max_over_time(model.filters, model.norm_densenet(dense(model.densenet, x, 0.0)))
            x = model.norm_filters(x)
        elif isinstance(model, DenseNetDSAForSequenceClassification):
            x = model._attend(model.norm_densenet(dense(model.densenet, x, 0.01)), torch.ones_like(x[..., 0]))
            x = model.norm_hidden(model.hidden(model.norm_attentions(x)))
        elif isinstance(model, BiLSTMForSequenceClassification):
            states = [model.forwards(x)[0].amax(dim=1), model.backwards(x.flip(1))[0].amax(dim=1)]
            x = functional.relu(model.hidden(torch.cat(states, dim=1)))
        else:
            logits: Tensor = model(input_ids).logits
            return logits
        output: Tensor = model.output(x)
        return output


def convolve(layer: nn.Conv1d, x: Tensor, left: int) -> Tensor:
    """A convolution as ``Conv1d`` does it, ``[1, length, channels]`` to ``[1, length, filters]``."""
    padded = functional.pad(x.transpose(1, 2), (left, layer.kernel_size[0] - 1 - left))
    outputs: Tensor = layer(padded)
    return outputs.transpose(1, 2)


def max_over_time(layer: MaxOverTime, x: Tensor) -> Tensor:
    """The CNN's filters."""
    pooled = [convolve(module, x, 0).amax(dim=1) for module in layer.convolutions if isinstance(module, nn.Conv1d)]
    return functional.relu(torch.cat(pooled, dim=1))


def dense(layer: DenseNet, x: Tensor, slope: float) -> Tensor:
    """The DenseNet's stacks."""
    merged = [x]
    for stack in layer.stacks:
        layers: list[Tensor] = []
        for module in stack.children():
            assert isinstance(module, nn.Conv1d)
            inputs = torch.cat(layers, dim=2) if layers else x
            layers.append(functional.leaky_relu(convolve(module, inputs, (module.kernel_size[0] - 1) // 2), slope))
        merged.append(layers[-1])
    return functional.relu(layer.last(torch.cat(merged, dim=2)))


def open_plain(folder: Path, scratch: Path) -> Predict:
    """The plain graph, ready to predict."""
    import potstill.students  # registers the students

    model = open_finetuned(str(folder)).model.eval()  # type: ignore[no-untyped-call]
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.ops.aten.lstm.input._dispatch_cache.clear()  # else the next LSTM gets the length of the last one
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Plain(model),
            (torch.ones((1, 7), dtype=torch.long),),
            dynamo=True,
            dynamic_shapes={"input_ids": {1: torch.export.Dim("length")}},
            verbose=False,
        )
    assert program is not None
    program.save(scratch / "plain.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(scratch / "plain.onnx"), options, ["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    labels, name = potstill.load(folder, threads=1).classes_, session.get_inputs()[0].name

    def predict(text: str) -> object:
        return labels[session.run(None, {name: np.array([tokenizer.encode(text).ids])})[0].argmax()]

    return predict


def open_student(folder: Path, precision: str) -> Predict:
    """One of the student's files, ready to predict."""
    classifier = potstill.load(folder, threads=1, precision=precision)
    return lambda text: classifier.predict([text])[0]


def microseconds(predict: Predict, warm_up: Sequence[str], texts: Sequence[str]) -> list[float]:
    """The time of each text after a warm-up."""
    for text in warm_up:
        predict(text)
    times = []
    for text in texts:
        began = time.perf_counter()
        predict(text)
        times.append(1e6 * (time.perf_counter() - began))
    return times


def take_turns(
    sides: Mapping[str, Predict], warm_up: Sequence[str], texts: Sequence[str], rounds: int, n_texts: int
) -> dict[str, float]:
    """Median microseconds of each side; in every round each has the same ``n_texts`` texts after the same warm-up."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        start = number * n_texts % max(1, len(texts) - n_texts)
        for name, predict in sides.items():
            times[name] += microseconds(predict, warm_up[:n_texts], texts[start : start + n_texts])
    return {name: statistics.median(values) for name, values in times.items()}


def compare(folder: Path, options: Options) -> None:
    """Print a student's line."""
    valid, test = ([row.text for row in read_examples(find_split(options.data, split))] for split in ("valid", "test"))
    with TemporaryDirectory() as scratch:
        sides = {"plain": open_plain(folder, Path(scratch))}
        sides |= {name: open_student(folder, name) for name in ModelFolder(folder).precisions}
        if [sides["plain"](text) for text in test[:100]] != [sides["fp32"](text) for text in test[:100]]:
            raise SystemExit(f"{folder}: the plain graph predicts differently")
        medians = take_turns(sides, valid, test, options.rounds, options.texts)
    cells = [f"{name} {median:7.1f}  ({medians['plain'] / median:4.1f}x)" for name, median in medians.items()]
    print(f"{folder.name:<14}" + "   ".join(cells), flush=True)


def main(options: Options) -> None:
    """Print a line a student."""
    torch.set_num_threads(1)
    print("median microseconds a text, raw text to label, one thread (times faster than the plain graph)")
    for folder in options.students:
        compare(folder, options)


if __name__ == "__main__":
    main(tyro.cli(Options))
