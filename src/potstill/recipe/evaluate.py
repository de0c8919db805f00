"""Evaluate: a model's accuracy and time on test; or, with --augmented, a teacher's logits on new texts."""

import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from potstill.artifacts import LABELS, ONNX_MODEL, RAW, atomic_file, hash_file, writing
from potstill.corpus.columns import Columns
from potstill.corpus.examples import read_examples
from potstill.corpus.labels import encode_labels, for_task, read_labels
from potstill.corpus.soft_labels import SoftLabelFilter
from potstill.corpus.splits import find_split
from potstill.errors import PotstillError, require
from potstill.labelling.label import Unlabelled, label_to_tsv
from potstill.progress import Progress, silent
from potstill.recipe.configs import TeacherConfig, read_model_config
from potstill.recipe.preprocess import raw_parts
from potstill.runtime.classifier import Classifier, load
from potstill.tasks import find_task
from potstill.teachers import Backend, open_teacher


@dataclass(frozen=True)
class EvaluateOptions:
    """Test a model; or, with --augmented, let a teacher label augmented.raw."""

    config: Path = Path("configs/config-glove-cnn.json")
    """The model's configuration, a file of configs/."""
    data_dir: Path = Path("data/sst2")
    """The data folder."""
    columns: Annotated[Columns, tyro.conf.arg(name="")] = field(default_factory=Columns)
    model_path: Path = Path("pytorch-model.pt")
    """Folder of a student, as potstill train --save_path wrote it."""
    bert_output_dir: Path = Path("bert-checkpoint")
    """Folder (or hub name) of a fine-tuned teacher, as potstill train --bert_output_dir wrote it."""
    augmented: bool = False
    """The teacher labels augmented.raw; the transfer set is augmented.raw.pred."""
    labelling: Backend = "torch"
    """What runs the teacher when it labels; torch-bf16 and onnx-int8 are faster and less exact."""
    soft_labels: Annotated[SoftLabelFilter, tyro.conf.arg(name="")] = field(default_factory=SoftLabelFilter)
    batch_size: int = 1
    """Texts a call when testing. (Labelling makes its own batches, of texts of similar length.)"""
    num_threads: int = 0
    """Threads of ONNX Runtime when testing; 0: the processors this process may use."""


@dataclass(frozen=True)
class Evaluated:
    """The test of a model.

    :param predictions: the file with a line text<TAB>gold label<TAB>predicted label for each test text.
    :param elapsed_ms: of all test texts, from raw text to label.
    :param average_ms: of a text, the first call not counted.
    """

    correct: int
    total: int
    elapsed_ms: float
    average_ms: float
    predictions: Path

    @property
    def accuracy(self) -> float:
        """The share of right labels."""
        return self.correct / self.total

    def __str__(self) -> str:
        return (
            f"[Accuracy] : {self.accuracy:.4f}, {self.correct:5d}/{self.total:5d}\n"
            f"[Elapsed Time] : {self.elapsed_ms}ms, {self.average_ms}ms on average"
        )


@dataclass(frozen=True)
class LabelledFile:
    """A transfer set in the recipe's form.

    :param path: text<TAB>logit logit ... a line, or text<TAB>label.
    :param n_texts: different texts that were labelled.
    :param n_written: lines: the texts that the teacher is confident enough of.
    """

    path: Path
    n_texts: int
    n_written: int

    def __str__(self) -> str:
        return f"{self.path}: {self.n_written} of {self.n_texts} texts, labelled"


def evaluate(options: EvaluateOptions, progress: Progress = silent) -> Evaluated | LabelledFile:
    """Test a model on the data folder's test file, or label its ``augmented.raw``.

    :raises PotstillError: when the model or the data is missing, damaged, or they do not belong together.
    """
    config = read_model_config(options.config)
    if options.batch_size < 1:
        raise PotstillError(f"--batch_size={options.batch_size}: must be 1 or more")
    if options.augmented:
        if not isinstance(config, TeacherConfig):
            raise PotstillError("--augmented lets a teacher label: give the configuration of a teacher")
        options.columns.refuse(options.data_dir / RAW)
        return _label_raw(options, config, progress)
    if options.soft_labels != SoftLabelFilter():
        raise PotstillError(
            "--entropy_threshold and --hard_labeling are for a teacher that labels: give --augmented too"
        )
    if isinstance(config, TeacherConfig):
        return _test(options, _load_teacher(options, config), progress)
    return _test(options, load(options.model_path, options.num_threads or None), progress)


def _load_teacher(options: EvaluateOptions, config: TeacherConfig) -> Classifier:
    threads = options.num_threads or None
    if (options.bert_output_dir / ONNX_MODEL).is_file():
        return load(options.bert_output_dir, threads)
    require("train", "torch", "transformers", "onnxscript")
    from potstill.export.onnx_files import save_model
    from potstill.teachers.checkpoints import check_model_type, open_finetuned

    check_model_type(str(options.bert_output_dir), config.model_type)
    teacher = open_finetuned(str(options.bert_output_dir), read_labels(options.data_dir / LABELS))
    with tempfile.TemporaryDirectory() as folder, writing(Path(folder)):
        save_model(teacher.model, teacher.tokenizer, Path(folder))
        return load(folder, threads)


def _test(options: EvaluateOptions, classifier: Classifier, progress: Progress) -> Evaluated:
    path = find_split(options.data_dir, "test")
    examples = for_task(read_examples(path, options.columns), classifier.task, str(path))
    encode_labels(examples, classifier.classes_.tolist(), str(path))
    texts = [example.content for example in examples]
    predicted, first, rest = [], 0.0, 0.0
    with progress("testing", len(texts)) as bar:
        for start in range(0, len(texts), options.batch_size):
            batch = texts[start : start + options.batch_size]
            began = time.perf_counter()
            predicted += classifier.predict(batch).tolist()
            elapsed = 1000 * (time.perf_counter() - began)
            first, rest = (first, rest + elapsed) if start else (elapsed, 0.0)
            bar.update(len(batch))
    predictions = path.with_name(path.name + ".pred")
    with atomic_file(predictions) as partial, partial.open("w", encoding="utf-8") as file:
        for example, label in zip(examples, predicted, strict=True):
            text = "\t".join(filter(None, (example.text, example.pair)))
            file.write(f"{text}\t{example.label}\t{label}\n")
    return Evaluated(
        correct=int(np.sum([example.label == label for example, label in zip(examples, predicted, strict=True)])),
        total=len(texts),
        elapsed_ms=first + rest,
        average_ms=rest / max(1, len(texts) - options.batch_size),
        predictions=predictions,
    )


def _label_raw(options: EvaluateOptions, config: TeacherConfig, progress: Progress) -> LabelledFile:
    require("train", "torch", "transformers")
    from potstill.teachers.checkpoints import check_model_type, read_config

    source, raw = str(options.bert_output_dir), options.data_dir / RAW
    check_model_type(source, config.model_type)
    labels = read_labels(options.data_dir / LABELS)
    teacher = open_teacher(source, labels, backend=options.labelling, n_ctx=config.n_ctx)
    n_texts = sum(len(texts) for texts in raw_parts(raw))
    path = raw.with_name(raw.name + ".pred")
    n_written = label_to_tsv(
        Unlabelled(n_texts, partial(raw_parts, raw)),
        teacher,
        path,
        inputs={"texts": hash_file(raw)},
        task=find_task(read_config(source).problem_type),
        soft_labels=options.soft_labels,
        progress=progress,
    )
    return LabelledFile(path, n_texts, n_written)
