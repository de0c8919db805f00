"""``augmented``: train's texts, texts sampled from them, and texts without labels; without duplicates."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from potstill.artifacts import TEXTS, hash_file
from potstill.augment.augmentation import NewText, augment
from potstill.augment.sampling import Rules
from potstill.corpus.examples import read_texts
from potstill.corpus.readers import of_form
from potstill.corpus.streams import Seen, in_parts
from potstill.corpus.words import as_words
from potstill.files import rereadable
from potstill.labelling import POOLS
from potstill.runs.contents import read_split
from potstill.runs.job import Job, Stage
from potstill.runtime.threads import available_cpus

logger = logging.getLogger(__name__)


def augmented_stage(job: Job) -> Stage:
    """The texts that the teacher is to label."""
    options = job.options
    unlabelled = options.unlabelled if job.corpus.is_gold else ()
    inputs: dict[str, Any] = {"unlabelled": [hash_file(rereadable(path)) for path in unlabelled]}
    inputs |= options.columns.of_texts.as_inputs if unlabelled else {}
    if options.augment:
        inputs |= {"analyzer": options.analyzer, "seed": options.seed, **asdict(_rules(job))}
    return Stage("augmented", ("data",), inputs, _make_augmented)


def _rules(job: Job) -> Rules:
    """What is done to train's texts, and how often."""
    return job.options.rules_for(len(job.corpus.splits["train"]))


def _make_augmented(job: Job, work: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    seen = Seen()
    n_texts = n_unlabelled = 0
    schema = pyarrow.schema([("text", pyarrow.string()), ("source", pyarrow.int32()), ("kind", pyarrow.string())])
    with pyarrow.parquet.ParquetWriter(work / TEXTS, schema, compression="zstd") as file:
        for part in in_parts(_all_texts(job)):
            new = seen.add([text for _, text, _ in part])
            kept = [row for row, is_new in zip(part, new.tolist(), strict=True) if is_new]
            columns = {
                "text": [text for _, text, _ in kept],
                "source": [source for source, _, _ in kept],
                "kind": [kind for _, _, kind in kept],
            }
            file.write_batch(pyarrow.record_batch(columns, schema=schema))
            n_texts += len(kept)
            n_unlabelled += sum(source is None for source, _, _ in kept)
    logger.info("augmented: %d texts, %d of them from files without labels", n_texts, n_unlabelled)


def _all_texts(job: Job) -> Iterator[tuple[int | None, str, str]]:
    """Triples: the row of train that a text is made from (None for one without a label), the text, and its kind."""
    yield from _own_texts(job)
    if not job.corpus.is_gold or not job.options.unlabelled:  # without gold labels they are train itself
        return
    # A test sentence in the transfer set would make the student's figures too good.
    held_out = {as_words(example.text) for split in ("valid", "test") for example in read_split(job.folder, split)}
    columns = partial(of_form, columns=job.options.columns.of_texts)
    texts = (" ".join(text.split()) for path in job.options.unlabelled for text in read_texts(path, columns(path)))
    yield from ((None, text, "unlabelled") for text in texts if as_words(text) not in held_out)


def _own_texts(job: Job) -> Iterable[NewText]:
    """Train's texts and the texts sampled from them."""
    options = job.options
    texts = [example.text for example in read_split(job.folder, "train")]
    if not options.augment:
        return (NewText(row, text, "own") for row, text in enumerate(texts))
    return augment(
        texts,
        _rules(job),
        analyzer=options.analyzer,
        seed=options.seed,
        processes=options.processes or available_cpus(),
        pool=POOLS[options.engine],
        progress=job.progress,
    )
