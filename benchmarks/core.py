"""Students in the native core, in ONNX Runtime, and fastText: raw text to label, one thread, side by side.

    pip install fasttext-community
    python benchmarks/core.py --data data/sst2
    python benchmarks/core.py --data data/sst2 --students runs/x/students/cnn

Without ``--students`` it makes the six students with random weights over the words of train, 26,000 of them, of 50
numbers a word, 228 for ``bilstm``: what a prediction takes does not depend on what was learnt. fastText learns train's
labels. All sides take turns in every round on the same texts of test; the figures are medians. ``texts/s`` is in
batches of 32. ``M mult`` are the multiplications of a text in millions, ``floor`` the microseconds that they need at
least: at what the core's own kernels reach where the weights stay in the first cache (``--peak``, which
``core/benchmarks/peak.cpp`` measures).
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import tyro
from safetensors import safe_open

import potstill
from latency import take_turns
from potstill.artifacts import ONNX_MODEL, PLANS, read_json
from potstill.corpus.characters import build_character_tokenizer, frequent_characters
from potstill.corpus.examples import read_examples
from potstill.corpus.splits import find_split
from potstill.corpus.words import build_tokenizer, count_words
from potstill.export.onnx_files import export_int8, save_model
from potstill.model_folder import ModelFolder
from potstill.runtime.core_graph import CoreGraph
from potstill.runtime.onnx_graphs import open_onnx
from potstill.students import STUDENTS, wrap_tokenizer

_WORDS, _WIDTH, _BILSTM_WIDTH = 26_000, 50, 228
_CHARACTERS = 3_000
_BATCH = 32
_PRECISIONS = ("fp32", "int8")

Predict = Callable[[str], object]


@dataclass(frozen=True)
class Options:
    """Measure students in the core, in ONNX Runtime, and fastText."""

    data: Path
    """Folder with train, valid, for the warm-up, and test."""
    students: tuple[Path, ...] = ()
    """Students' folders, with an int8 file each; default: the six with random weights."""
    rounds: int = 5
    """Repetitions."""
    texts: int = 300
    """Texts in each round."""
    fasttext: bool = True
    """Measure fastText too."""
    peak: float = 0.0
    """Multiplications of 8 bits in a nanosecond that the machine reaches; 0: no floors are printed."""


def make_students(train: Sequence[str], folder: Path) -> list[Path]:
    """The six students with random weights."""
    words = [word for word, _ in count_words(train, lower=True).most_common(_WORDS)]
    words += [f"word{number}" for number in range(_WORDS - len(words))]
    made = []
    for name, student in STUDENTS.items():
        torch.manual_seed(0)
        characters = frequent_characters(train, lower=True)[:_CHARACTERS]
        reads = student.reads_characters
        tokenizer = build_character_tokenizer(characters, True) if reads else build_tokenizer(words, True)
        width = _BILSTM_WIDTH if name == "bilstm" else _WIDTH
        config = student.config_class(vocab_size=tokenizer.get_vocab_size(), embedding_width=width, num_labels=2)
        model, wrapped = student(config), wrap_tokenizer(tokenizer)
        made.append(folder / name)
        made[-1].mkdir()
        save_model(model, wrapped, made[-1])
        export_int8(model, made[-1] / ONNX_MODEL, wrapped.backend_tokenizer, train[:200])
    return made


def open_in_onnx(folder: Path, precision: str) -> potstill.Classifier:
    """A student as it runs where the core is not built."""
    classifier = potstill.load(folder, threads=1, precision=precision)
    assert isinstance(classifier._graph, CoreGraph), "the core is not built, or cannot run this student"
    classifier._graph = open_onnx(ModelFolder(folder), precision, 1)
    return classifier


def one_text(classifier: potstill.Classifier) -> Predict:
    """A call of one text."""
    return lambda text: classifier.predict([text])[0]


def texts_a_second(classifier: potstill.Classifier, texts: Sequence[str], rounds: int) -> float:
    """The median rate in batches."""
    rates = []
    for _ in range(rounds):
        began = time.perf_counter()
        for start in range(0, len(texts), _BATCH):
            classifier.predict(texts[start : start + _BATCH])
        rates.append(len(texts) / (time.perf_counter() - began))
    return float(np.median(rates))


def open_fasttext(data: Path, scratch: Path) -> tuple[Predict, float]:
    """fastText with its defaults and bigrams, and the size of its file in megabytes."""
    import fasttext

    rows = read_examples(find_split(data, "train"))
    lines = [f"__label__{row.label} {' '.join(str(row.text).split())}" for row in rows]
    (scratch / "train.txt").write_text("\n".join(lines))
    model = fasttext.train_supervised(str(scratch / "train.txt"), wordNgrams=2, thread=os.cpu_count(), verbose=0)
    model.save_model(str(scratch / "model.bin"))
    return lambda text: model.f.predict(text, 1, 0.0, "strict"), (scratch / "model.bin").stat().st_size / 1e6


def multiplications(folder: Path, n_words: float) -> float:
    """Those of the matrices of a student for a text of so many words, from its plan."""
    plan: dict[str, Any] = read_json(folder / PLANS["fp32"])
    with safe_open(folder / plan["weights"], framework="numpy") as weights:
        sizes = {name: float(np.prod(weights.get_slice(name).get_shape())) for name in weights.keys()}  # noqa: SIM118
    matrices = json.dumps(plan["pool"])
    of_words = [name for name in sizes if f'"{name}"' in matrices or name.rpartition(".weight_")[0] in _lstms(plan)]
    in_head = json.dumps(plan["head"])
    pool = sum(
        sizes[name] for name in of_words if "embedding" not in name and ".weight" in name and "ngrams" not in name
    )
    return n_words * pool + sum(size for name, size in sizes.items() if f'"{name}"' in in_head and ".weight" in name)


def _lstms(plan: dict[str, Any]) -> set[str]:
    layers = [layer for layer in plan["pool"] if layer["layer"] == "bilstm"]
    return {layer[direction] for layer in layers for direction in ("forwards", "backwards")}


def compare(folder: Path, options: Options, valid: Sequence[str], test: Sequence[str]) -> None:
    """Print a student's lines."""
    sides: dict[str, Predict] = {}
    rates = {}
    for precision in _PRECISIONS:
        in_core = potstill.load(folder, threads=1, precision=precision)
        in_onnx = open_in_onnx(folder, precision)
        sides |= {f"core {precision}": one_text(in_core), f"onnx {precision}": one_text(in_onnx)}
        rates[precision] = [texts_a_second(each, test, 3) for each in (in_core, in_onnx)]
        n_words = float(in_core.count_words(test)[:, 0].mean())  # type: ignore[index]
    medians = take_turns(sides, valid, test, options.rounds, options.texts)
    millions = multiplications(folder, n_words) / 1e6
    for precision in _PRECISIONS:
        core, onnx = medians[f"core {precision}"], medians[f"onnx {precision}"]
        floor = f"   floor {1e3 * millions / options.peak:6.1f}" if options.peak and precision == "int8" else ""
        print(
            f"{folder.name:<13} {precision}   core {core:7.1f}   onnx {onnx:7.1f}   ({onnx / core:4.1f}x)   "
            f"texts/s {rates[precision][0]:8,.0f} and {rates[precision][1]:8,.0f}   M mult {millions:6.2f}{floor}",
            flush=True,
        )


def main(options: Options) -> None:
    """Print two lines a student, and fastText's."""
    torch.set_num_threads(1)
    train, valid, test = (
        [str(row.text) for row in read_examples(find_split(options.data, split))]
        for split in ("train", "valid", "test")
    )
    print("median microseconds a text, raw text to label, one thread")
    with TemporaryDirectory() as scratch:
        for folder in options.students or make_students(train, Path(scratch)):
            compare(folder, options, valid, test)
        if options.fasttext:
            predict, size = open_fasttext(options.data, Path(scratch))
            medians = take_turns({"fasttext": predict}, valid, test, options.rounds, options.texts)
            print(f"fasttext      {size:.0f} MB   {medians['fasttext']:7.1f}")


if __name__ == "__main__":
    main(tyro.cli(Options))
