"""What a run's stages up to the transfer set do: read the folders of earlier stages, write their own."""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from potstill.artifacts import LABELS, TEXTS, WEIGHTS, hash_file, hash_json, shard_name, shards
from potstill.augment.augmentation import augment
from potstill.corpus.encoded import Encoded, encode, limited
from potstill.corpus.examples import Example, read_examples, read_texts
from potstill.corpus.labels import label_ids, read_labels, write_labels
from potstill.corpus.splits import SPLITS, Corpus
from potstill.corpus.transfer import average_transfer, write_shard
from potstill.corpus.words import MASK, as_words, unify_masks
from potstill.errors import PotstillError
from potstill.progress import Progress
from potstill.runtime.threads import available_cpus
from potstill.stages.distill_options import DistillOptions

logger = logging.getLogger(__name__)


def write_data(corpus: Corpus, work: Path) -> None:
    """``data``: the splits as Parquet and the labels, whatever form they came in."""
    import pyarrow
    import pyarrow.parquet

    for split in SPLITS:
        columns = {field: [getattr(row, field) for row in corpus.splits[split]] for field in ("text", "label")}
        pyarrow.parquet.write_table(pyarrow.table(columns), work / f"{split}.parquet", compression="zstd")
    write_labels(corpus.labels, work / LABELS)


def read_split(run: Path, split: str) -> list[Example]:
    """A split of a run's data."""
    return read_examples(run / "data" / f"{split}.parquet")


def read_gold(run: Path, split: str) -> tuple[list[str], NDArray[np.int64]]:
    """A split's texts and label ids."""
    examples = read_split(run, split)
    ids = label_ids(examples, run_labels(run), split)
    return [example.text for example in examples], np.array(ids, dtype=np.int64)


def run_labels(run: Path) -> list[str]:
    """The labels of a run's data, in id order."""
    return read_labels(run / "data" / LABELS)


def hash_weights(checkpoint: str) -> str | None:
    """The hash of a local checkpoint's weights; None for a name on the hub or of a package."""
    weights = Path(checkpoint) / WEIGHTS
    return hash_file(weights) if weights.is_file() else None


def hash_transfer(path: Path) -> str:
    """The hash of a transfer set's file, or of its shards."""
    return hash_json([hash_file(file) for file in (shards(path) if path.is_dir() else [path])])


def is_finetuned_teacher(options: DistillOptions, run: Path) -> bool:
    """Whether the teacher is a classifier over the data's labels, to be taken as it is."""
    from potstill.teachers.checkpoints import is_finetuned, read_config

    return options.teacher_is_finetuned or is_finetuned(read_config(options.teacher), run_labels(run))


def make_teacher(options: DistillOptions, run: Path, progress: Progress, work: Path) -> None:
    """``teacher``: the fine-tuned checkpoint with its ONNX file."""
    from potstill.stages.train import calibrate_and_save, fit
    from potstill.teachers.checkpoints import TextForm, open_encoder, open_finetuned

    labels = run_labels(run)
    is_taken = is_finetuned_teacher(options, run)
    if is_taken:
        logger.info("teacher: %s is fine-tuned on these labels: taken as it is", options.teacher)
        checkpoint = open_finetuned(options.teacher, labels)
    else:
        checkpoint = open_encoder(
            options.teacher,
            labels,
            dropout=options.teacher_dropout,
            form=TextForm(n_ctx=options.teacher_tokens),
            seed=options.seed,
        )
    tokenizer = limited(checkpoint.tokenizer.backend_tokenizer, checkpoint.tokenizer.model_max_length)
    valid = _encode_split(run, "valid", tokenizer)
    if is_taken:
        calibrate_and_save(checkpoint.model, checkpoint.tokenizer, valid, work)
        return
    fit(
        checkpoint.model,
        checkpoint.tokenizer,
        _encode_split(run, "train", tokenizer),
        valid,
        options.for_teacher,
        work,
        progress=progress,
        description="fine-tuning the teacher",
    )


def _encode_split(run: Path, split: str, tokenizer: Tokenizer) -> Encoded:
    texts, ids = read_gold(run, split)
    return encode(texts, tokenizer, targets=ids)


def make_augmented(options: DistillOptions, run: Path, progress: Progress, work: Path) -> None:
    """``augmented``: train's texts, those sampled from them, and those of the files without labels; none twice."""
    import pyarrow
    import pyarrow.parquet

    texts = [example.text for example in read_split(run, "train")]
    sources: dict[str, int | None] = {}  # of each text the row of train that it is made from
    for row, text in _own_texts(texts, options, progress):
        sources.setdefault(text, row)
    n_own = len(sources)
    if options.unlabelled:
        held_out = {as_words(example.text) for split in ("valid", "test") for example in read_split(run, split)}
        given = (" ".join(text.split()) for path in options.unlabelled for text in read_texts(path))
        for text in given:
            if as_words(text) not in held_out:
                sources.setdefault(text, None)
    columns = {"text": list(sources), "source": pyarrow.array(sources.values(), pyarrow.int32())}
    pyarrow.parquet.write_table(pyarrow.table(columns), work / TEXTS, compression="zstd")
    logger.info("augmented: %d texts, %d of them from files without labels", len(sources), len(sources) - n_own)


def _own_texts(texts: list[str], options: DistillOptions, progress: Progress) -> Iterable[tuple[int, str]]:
    """Train's texts and those sampled from them, each with the row that it is made from."""
    if not options.augment:
        return enumerate(texts)
    return augment(
        texts,
        options.rules,
        analyzer=options.analyzer,
        seed=options.seed,
        processes=options.processes or available_cpus(),
        progress=progress,
    )


def make_transfer(options: DistillOptions, run: Path, progress: Progress, work: Path) -> None:
    """``transfer``: the augmented texts with the teacher's logits."""
    import pyarrow.parquet

    from potstill.stages.label import label_texts
    from potstill.teachers.checkpoints import open_finetuned

    teacher = open_finetuned(str(run / "teacher"))
    texts = pyarrow.parquet.read_table(run / "augmented" / TEXTS)["text"].to_pylist()
    tokenizer = limited(teacher.tokenizer.backend_tokenizer, teacher.tokenizer.model_max_length)
    # The texts keep the student's mask token; the teacher reads its own.
    read = [unify_masks(text, teacher.tokenizer.mask_token or MASK) for text in texts]
    encoded = encode(read, tokenizer, progress=progress)
    label_texts(texts, encoded, teacher, work, backend=options.labelling, progress=progress)


def copy_transfer(options: DistillOptions, run: Path, work: Path) -> None:
    """``transfer``: the set that the user gave, checked; of several the average."""
    transfer = average_transfer(options.transfer)
    labels = run_labels(run)
    if transfer.logits.shape[1] != len(labels):
        raise PotstillError(
            f"{options.transfer[0]}: {transfer.logits.shape[1]} logits a text, but the data has {len(labels)} labels"
        )
    write_shard(work / shard_name(0), transfer.texts, transfer.logits)
