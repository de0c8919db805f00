"""``augmented``: train's texts, texts sampled from them, and texts without labels; without duplicates."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import TEXTS, hash_file
from potstill.augment.augmentation import NewText, augment
from potstill.augment.sampling import Rules
from potstill.corpus.examples import read_all_texts
from potstill.corpus.streams import Seen, in_parts
from potstill.corpus.texts import Text, map_text
from potstill.corpus.words import as_words
from potstill.files import rereadable
from potstill.labelling import POOLS
from potstill.runs.contents import read_split
from potstill.runs.job import Job, Stage
from potstill.runtime.threads import available_cpus
from potstill.training.options import BALANCE

logger = logging.getLogger(__name__)

_MOST_ROUNDS = 50  # new texts of one text of a rare label: more are hardly new


def augmented_stage(job: Job) -> Stage:
    """The texts that the teacher is to label."""
    options = job.options
    unlabelled = options.unlabelled if job.corpus.is_gold else ()
    inputs: dict[str, Any] = {"unlabelled": [hash_file(rereadable(path)) for path in unlabelled]}
    inputs |= options.columns.of_texts.as_inputs if unlabelled else {}
    if options.augment:
        inputs |= {"analyzer": options.analyzer, "seed": options.seed, **asdict(_rules(job))}
        inputs |= {} if options.balance == "none" else {"balance": options.balance}
    return Stage("augmented", ("data",), inputs, _make_augmented)


def _rules(job: Job) -> Rules:
    """What is done to train's texts, and how often."""
    return job.options.rules_for(len(job.corpus.splits["train"]))


def _rounds(job: Job) -> NDArray[np.int64]:
    """How many new texts are sampled from each of train's: more of one that has a rare label, see ``--balance``."""
    n_rounds, examples = _rules(job).n_rounds, job.corpus.splits["train"]
    power = BALANCE[job.options.balance]
    if not power or not n_rounds:
        return np.full(len(examples), n_rounds)
    gold = job.task.encode([example.label for example in examples], job.labels)
    by_text = job.task.text_weights(gold, job.task.label_weights(gold, len(job.labels), power))
    rounds: NDArray[np.int64] = np.clip(np.round(n_rounds * by_text / by_text.mean()), 1, _MOST_ROUNDS).astype(int)
    return rounds


def _make_augmented(job: Job, work: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    seen = Seen()
    n_texts = n_unlabelled = 0
    pair = [("text_pair", pyarrow.string())] if job.corpus.is_paired else []
    own = [("text", pyarrow.string()), *pair, ("source", pyarrow.int32()), ("kind", pyarrow.string())]
    schema = pyarrow.schema(own)
    with pyarrow.parquet.ParquetWriter(work / TEXTS, schema, compression="zstd") as file:
        for part in in_parts(_all_texts(job)):
            new = seen.add([text for _, text, _ in part])
            kept = [row for row, is_new in zip(part, new.tolist(), strict=True) if is_new]
            texts = [text if isinstance(text, str) else text[0] for _, text, _ in kept]
            columns = {
                "text": texts,
                **({"text_pair": [text[1] for _, text, _ in kept]} if pair else {}),
                "source": [source for source, _, _ in kept],
                "kind": [kind for _, _, kind in kept],
            }
            file.write_batch(pyarrow.record_batch(columns, schema=schema))
            n_texts += len(kept)
            n_unlabelled += sum(source is None for source, _, _ in kept)
    logger.info("augmented: %d texts, %d of them from files without labels", n_texts, n_unlabelled)


def _all_texts(job: Job) -> Iterator[tuple[int | None, Text, str]]:
    """Triples: the row of train that a text is made from (None for one without a label), the text, and its kind."""
    yield from _own_pairs(job) if job.corpus.is_paired else _own_texts(job)
    if not job.corpus.is_gold or not job.options.unlabelled:  # without gold labels they are train itself
        return
    # A test sentence in the transfer set would make the student's figures too good.
    splits = (read_split(job.folder, split) for split in ("valid", "test"))
    held_out = {map_text(example.content, as_words) for examples in splits for example in examples}
    texts = read_all_texts(job.options.unlabelled, job.options.columns.of_texts, paired=job.corpus.is_paired)
    yield from ((None, text, "unlabelled") for text in texts if map_text(text, as_words) not in held_out)


def _own_pairs(job: Job) -> Iterator[tuple[int, Text, str]]:
    """Train's pairs, and those of which one text is sampled from its own: half of them the first, half the second."""
    examples = read_split(job.folder, "train")
    pairs = [(example.text, example.pair or "") for example in examples]
    yield from ((row, pair, "own") for row, pair in enumerate(pairs))
    if not job.options.augment:
        return
    rounds = _rounds(job)
    for side, share in ((0, rounds // 2), (1, rounds - rounds // 2)):
        for row, text, kind in _sampled(job, [pair[side] for pair in pairs], share, job.options.seed + side):
            if kind != "own":
                yield row, ((text, pairs[row][1]) if side == 0 else (pairs[row][0], text)), kind


def _own_texts(job: Job) -> Iterable[NewText]:
    """Train's texts and the texts sampled from them."""
    texts = [example.text for example in read_split(job.folder, "train")]
    if not job.options.augment:
        return (NewText(row, text, "own") for row, text in enumerate(texts))
    return _sampled(job, texts, _rounds(job), job.options.seed)


def _sampled(job: Job, texts: Sequence[str], rounds: NDArray[np.int64], seed: int) -> Iterator[NewText]:
    """Each text and what is sampled from it."""
    options = job.options
    return augment(
        texts,
        _rules(job),
        analyzer=options.analyzer,
        seed=seed,
        rounds=rounds,
        processes=options.processes or available_cpus(),
        pool=POOLS[options.engine],
        progress=job.progress,
    )
