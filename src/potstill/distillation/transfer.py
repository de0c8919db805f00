"""What a run's transfer set is made of: train's texts and new ones, and the teachers' logits; or what is given."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from potstill.artifacts import TEXTS, hash_file, hash_json, shards
from potstill.augment.augmentation import augment
from potstill.corpus.examples import read_texts
from potstill.corpus.streams import Seen, in_parts
from potstill.corpus.transfer import TransferSet, average_parts, write_shards
from potstill.corpus.words import as_words
from potstill.errors import PotstillError
from potstill.labelling import POOLS
from potstill.labelling.label import count_rows, label_texts, texts_of_parquet
from potstill.progress import Progress
from potstill.runs.contents import read_split, run_labels
from potstill.runs.options import DistillOptions
from potstill.runtime.threads import available_cpus

logger = logging.getLogger(__name__)


def hash_transfer(path: Path) -> str:
    """The hash of a transfer set's file, or of its shards."""
    return hash_json([hash_file(file) for file in (shards(path) if path.is_dir() else [path])])


def make_augmented(options: DistillOptions, run: Path, progress: Progress, work: Path) -> None:
    """``augmented``: train's texts, those sampled from them, and those of the files without labels; none twice."""
    import pyarrow
    import pyarrow.parquet

    seen = Seen()
    n_texts = n_unlabelled = 0
    schema = pyarrow.schema([("text", pyarrow.string()), ("source", pyarrow.int32())])
    with pyarrow.parquet.ParquetWriter(work / TEXTS, schema, compression="zstd") as file:
        for part in in_parts(_all_texts(options, run, progress)):
            new = seen.add([text for _, text in part])
            kept = [pair for pair, is_new in zip(part, new.tolist(), strict=True) if is_new]
            columns = {"text": [text for _, text in kept], "source": [row for row, _ in kept]}
            file.write_batch(pyarrow.record_batch(columns, schema=schema))
            n_texts += len(kept)
            n_unlabelled += sum(row is None for row, _ in kept)
    logger.info("augmented: %d texts, %d of them from files without labels", n_texts, n_unlabelled)


def _all_texts(options: DistillOptions, run: Path, progress: Progress) -> Iterator[tuple[int | None, str]]:
    """The texts, each with the row of train that it is made from; None for one without a label."""
    yield from _own_texts([example.text for example in read_split(run, "train")], options, progress)
    if not options.unlabelled:
        return
    held_out = {as_words(example.text) for split in ("valid", "test") for example in read_split(run, split)}
    given = (" ".join(text.split()) for path in options.unlabelled for text in read_texts(path))
    yield from ((None, text) for text in given if as_words(text) not in held_out)


def _own_texts(texts: list[str], options: DistillOptions, progress: Progress) -> Iterable[tuple[int, str]]:
    """Train's texts and those sampled from them."""
    if not options.augment:
        return enumerate(texts)
    return augment(
        texts,
        options.rules,
        analyzer=options.analyzer,
        seed=options.seed,
        processes=options.processes or available_cpus(),
        pool=POOLS[options.engine],
        progress=progress,
    )


def make_transfer(options: DistillOptions, teachers: list[str], run: Path, progress: Progress, work: Path) -> None:
    """``transfer``: the augmented texts with the teacher's logits; of several teachers the average.

    :param teachers: the names of their stages.
    """
    if len(teachers) == 1:
        _label(teachers[0], options, run, progress, work)
        return
    folders = [work / f".teacher-{number}" for number in range(len(teachers))]
    for teacher, folder in zip(teachers, folders, strict=True):
        logger.info("labelling with %s", teacher)
        folder.mkdir(exist_ok=True)
        _label(teacher, options, run, progress, folder)
    write_shards(work, average_parts(folders))


def _label(name: str, options: DistillOptions, run: Path, progress: Progress, work: Path) -> None:
    """One teacher's logits on the augmented texts."""
    from potstill.teachers.checkpoints import open_finetuned

    teacher = open_finetuned(str(run / name))
    file = run / "augmented" / TEXTS
    texts = texts_of_parquet([file], count_rows(file), teacher)
    label_texts(texts, teacher, work, backend=options.labelling, engine=options.engine, progress=progress)


def copy_transfer(options: DistillOptions, run: Path, work: Path) -> None:
    """``transfer``: the set that the user gave, checked; of several the average."""
    write_shards(work, _checked(average_parts(options.transfer), options.transfer[0], len(run_labels(run))))


def _checked(parts: Iterable[TransferSet], path: Path, n_labels: int) -> Iterator[TransferSet]:
    for part in parts:
        if part.logits.shape[1] != n_labels:
            raise PotstillError(f"{path}: {part.logits.shape[1]} logits a text, but the data has {n_labels} labels")
        yield part
