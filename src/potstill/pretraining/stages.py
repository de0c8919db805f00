"""The stages of ``potstill pretrain``: ``texts``, ``vectors``, ``prepared`` and ``student``."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import CONFIG, TEXTS, TRAINING, read_json, write_json
from potstill.augment.typing_errors import misspell_some
from potstill.corpus.encoded import Chunk, Encoded
from potstill.corpus.examples import read_texts
from potstill.corpus.pieces import find_pieces
from potstill.corpus.readers import of_form
from potstill.corpus.streams import distinct, in_parts
from potstill.corpus.transfer import transfer_parts
from potstill.corpus.words import MASK, build_tokenizer, count_words, splitter_hash
from potstill.errors import PotstillError
from potstill.labelling.label import count_rows, label_texts, texts_of_files
from potstill.model_folder import ModelFolder
from potstill.pretraining.options import PretrainJob
from potstill.runs.job import Stage
from potstill.training.encoding import encode_to_folder, split_chunks, split_morphemes
from potstill.training.pretrained import SPLITTER
from potstill.training.vocabulary import Vocabulary, load_vocabulary, save_vocabulary, with_special_rows

logger = logging.getLogger(__name__)

_FEWEST = 1_000  # texts
_HELD_OUT = 400  # every so many texts one is held out, to pick the best checkpoint
_DROPOUT = 0.2  # at most: less than bilstm has for a task, as there is far more text
_LEAST_VARIANCE = 1e-8  # of the numbers of vectors of length 1; MiniLM's have 3e-3, E5's 5e-4


def pretraining_stages(job: PretrainJob) -> Iterator[Stage]:
    """The stages in the order in which they are made."""
    options = job.options
    yield Stage("texts", (), {"text": list(job.sources.values()), **options.columns.as_inputs}, _write_texts)
    weights = ModelFolder(Path(options.encoder)).weights_hash  # None for a name on the hub
    inputs = {"encoder": options.encoder, "encoder_weights": weights, "encoder_tokens": options.encoder_tokens}
    yield Stage("vectors", ("texts",), inputs, _make_vectors)
    names = ("width", "n_words", "n_pieces", "analyzer", "max_words", "typing_errors", "seed", "encoder")
    inputs = {name: getattr(options, name) for name in names} | {"vectors": "centred"}
    yield Stage("prepared", ("vectors",), inputs, _prepare)
    training = {"student": options.student, "dropout": _DROPOUT, **asdict(options.optimisation)}
    yield Stage("student", ("vectors", "prepared"), training, _train)


def _write_texts(job: PretrainJob, work: Path) -> None:
    """The distinct texts."""
    import pyarrow
    import pyarrow.parquet

    columns = partial(of_form, columns=job.options.columns.of_texts)
    texts = distinct(" ".join(text.split()) for path in job.options.text for text in read_texts(path, columns(path)))
    schema, n_texts = pyarrow.schema([("text", pyarrow.string())]), 0
    with pyarrow.parquet.ParquetWriter(work / TEXTS, schema, compression="zstd") as file:
        for part in in_parts(texts):
            file.write_batch(pyarrow.record_batch({"text": part}, schema=schema))
            n_texts += len(part)
    if n_texts < _FEWEST:
        raise PotstillError(f"--text: {n_texts} different texts are too few to learn from: give {_FEWEST:,} or more")
    logger.info("texts: %d different ones", n_texts)


def _make_vectors(job: PretrainJob, work: Path) -> None:
    from potstill.teachers.encoder import SentenceEncoder

    file = job.folder / "texts" / TEXTS
    encoder = SentenceEncoder(job.options.encoder, n_ctx=job.options.encoder_tokens)
    label_texts(
        texts_of_files([file], count_rows(file)), encoder, work, engine=job.options.engine, progress=job.progress
    )


def _prepare(job: PretrainJob, work: Path) -> None:
    """The vocabulary, and the texts as ids with their vectors."""
    vocabulary = _build_vocabulary(job)
    save_vocabulary(vocabulary, work)
    for name, is_held_out in (("train", False), ("valid", True)):
        encode_to_folder(
            split_chunks(_chunks(job, is_held_out), job.options.analyzer, progress=job.progress),
            vocabulary.tokenizer,
            work / name,
            n_ctx=job.options.max_words,
            mask_token=MASK,
            inputs={},
            progress=job.progress,
        )


def _build_vocabulary(job: PretrainJob) -> Vocabulary:
    """The most frequent words and the pieces, with the encoder's vectors of each."""
    from potstill.teachers.checkpoints import Checkpoint, TextForm, open_bare_encoder, open_tokenizer
    from potstill.teachers.word_vectors import TeacherVectors

    options = job.options
    texts = (text for part in transfer_parts(job.folder / "vectors") for text in map(str, part.texts))
    counts = count_words(split_morphemes(texts, options.analyzer, progress=job.progress), lower=True)
    words = _most_frequent(counts, options.n_words)
    tokens = list(dict.fromkeys([*words, *find_pieces(_repeated(counts), options.n_pieces)]))
    tokenizer = open_tokenizer(options.encoder, TextForm(n_ctx=options.encoder_tokens))
    encoder = Checkpoint(open_bare_encoder(options.encoder), tokenizer, [])
    source = TeacherVectors(encoder, options.width, job.progress)
    table = source.look_up([token.removeprefix("##") for token in tokens], np.random.default_rng(options.seed))
    return Vocabulary(build_tokenizer(tokens, lower=True), with_special_rows(table))


def _most_frequent(counts: Counter[str], n: int) -> list[str]:
    return [word for word, _ in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:n]]


def _repeated(counts: Counter[str]) -> list[str]:
    """The words that are no one-off."""
    return sorted(word for word, count in counts.items() if count > 1)


def _chunks(job: PretrainJob, held_out: bool) -> Iterator[Chunk]:
    """The texts with their vectors less their mean, scaled so that their numbers are of size 1."""
    generator = np.random.default_rng(job.options.seed)
    mean, size = _spread(job)
    for part in transfer_parts(job.folder / "vectors"):
        is_held_out = np.arange(len(part.texts)) % _HELD_OUT == 0
        rows = np.flatnonzero(is_held_out == held_out)
        texts = [part.texts[row] for row in rows.tolist()]
        if not held_out:
            has_errors = generator.random(len(texts)) < job.options.typing_errors
            texts = misspell_some(texts, has_errors, generator)
        yield Chunk(texts, teacher_logits=(part.logits[rows] - mean) / size)


def _spread(job: PretrainJob) -> tuple[NDArray[np.float32], np.float32]:
    """The mean of the encoder's vectors, and the size of the numbers of their differences from it.

    Some encoders (E5) give all texts almost the same vector: what tells texts apart is the difference from the mean.
    """
    n_texts, total, squares = 0, np.zeros(()), 0.0
    for part in transfer_parts(job.folder / "vectors"):
        vectors = part.logits.astype(np.float64)
        n_texts += len(vectors)
        total = total + vectors.sum(axis=0)
        squares += float((vectors**2).sum())
    mean = total / n_texts
    variance = squares / (n_texts * len(mean)) - float((mean**2).mean())
    if variance < _LEAST_VARIANCE:
        raise PotstillError(f"--encoder={job.options.encoder}: it gives all texts the same vector: give another one")
    return mean.astype(np.float32), np.float32(np.sqrt(variance))


def _give_vectors(model: Any, mean: NDArray[np.float32], size: np.float32) -> None:
    """Let a student that gives centred vectors give the encoder's own."""
    import torch

    with torch.no_grad():
        model.output.weight *= float(size)
        model.output.bias.copy_(model.output.bias * float(size) + torch.from_numpy(mean).to(model.output.bias))


def _train(job: PretrainJob, work: Path) -> None:
    """Train the student, and save it in half precision."""
    from potstill.students import find_student
    from potstill.training.fitting import new_student
    from potstill.training.trainer import train_model

    options = job.options
    text = job.folder / "prepared"
    train, valid = (Encoded.load(text / name) for name in ("train", "valid"))
    assert train.teacher_logits is not None
    model, tokenizer = new_student(
        options.student,
        {"dropout": min(_DROPOUT, find_student(options.student).config_class().dropout)},
        load_vocabulary(text),
        [str(index) for index in range(train.teacher_logits.shape[1])],
        embedding_trainable=True,
        seed=options.seed,
        analyzer=options.analyzer,
    )
    training = train_model(
        model,
        train,
        valid,
        options.optimisation,
        work / ".checkpoints",
        progress=job.progress,
        description=f"pre-training {options.student}",
    )
    write_json(work / TRAINING, asdict(training))
    _give_vectors(model, *_spread(job))
    halved: Any = model.half()  # type: ignore[no-untyped-call]
    halved.save_pretrained(work)
    tokenizer.save_pretrained(work)
    config = read_json(work / CONFIG)
    write_json(work / CONFIG, config | {SPLITTER: splitter_hash(), "pretrained_from": Path(options.encoder).name})
