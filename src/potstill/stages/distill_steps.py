"""What each stage of a run does: reads the folders of earlier stages, writes its own."""

import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import EVALUATION, LABELS, WEIGHTS, hash_file, hash_json, shard_name, shards, write_json
from potstill.augment.analyzers import make_analyzer
from potstill.augment.augmentation import augment
from potstill.corpus.encoded import encode, limited
from potstill.corpus.examples import Example, read_examples
from potstill.corpus.labels import label_ids, read_labels, write_labels
from potstill.corpus.splits import SPLITS, Corpus
from potstill.corpus.transfer import read_transfer, write_shard
from potstill.corpus.vectors import check_vectors
from potstill.corpus.words import MASK
from potstill.errors import PotstillError
from potstill.progress import Progress
from potstill.runtime.threads import available_cpus
from potstill.stages.distill_options import DistillOptions
from potstill.stages.prepare import (
    build_vocabulary,
    encode_to_folder,
    load_encoded,
    load_vocabulary,
    save_vocabulary,
)
from potstill.training.options import Optimisation

logger = logging.getLogger(__name__)

_TEXTS = "texts.parquet"


def write_data(corpus: Corpus, work: Path) -> None:
    """``data``: the splits as Parquet and the labels, whatever form they came in."""
    import pyarrow
    import pyarrow.parquet

    for split in SPLITS:
        columns = {field: [getattr(row, field) for row in corpus.splits[split]] for field in ("text", "label")}
        pyarrow.parquet.write_table(pyarrow.table(columns), work / f"{split}.parquet", compression="zstd")
    write_labels(corpus.labels, work / LABELS)


def _read_split(run: Path, split: str) -> list[Example]:
    return read_examples(run / "data" / f"{split}.parquet")


def _gold(run: Path, split: str) -> tuple[list[str], NDArray[np.int64]]:
    """A split's texts and label ids."""
    examples = _read_split(run, split)
    ids = label_ids(examples, _labels(run), split)
    return [example.text for example in examples], np.array(ids, dtype=np.int64)


def _labels(run: Path) -> list[str]:
    return read_labels(run / "data" / LABELS)


def check_names(options: DistillOptions, vectors: str) -> None:
    """Check the student, the analyzer and the word vectors before anything expensive is done.

    :raises PotstillError: when one is not there.
    """
    from potstill.students import find_student

    find_student(options.student)
    check_vectors(vectors)
    if options.transfer is None:
        make_analyzer(options.analyzer)


def hash_source(name: str) -> str:
    """A file's hash, or the name itself where it names a package or the hub."""
    return hash_file(Path(name)) if Path(name).is_file() else name


def hash_weights(teacher: str) -> str | None:
    """The hash of a local checkpoint's weights; None for a name on the hub or of a package."""
    weights = Path(teacher) / WEIGHTS
    return hash_file(weights) if weights.is_file() else None


def hash_transfer(path: Path) -> str:
    """The hash of a transfer set's file, or of its shards."""
    return hash_json([hash_file(file) for file in (shards(path) if path.is_dir() else [path])])


def make_teacher(options: DistillOptions, run: Path, progress: Progress, work: Path) -> None:
    """``teacher``: the fine-tuned checkpoint with its ONNX file."""
    from potstill.stages.export import save_model
    from potstill.stages.train import fit
    from potstill.teachers.checkpoints import (
        TextForm,
        is_finetuned,
        open_encoder,
        open_finetuned,
        read_config,
    )

    labels = _labels(run)
    if options.teacher_is_finetuned or is_finetuned(read_config(options.teacher), labels):
        logger.info("teacher: %s is fine-tuned on these labels: taken as it is", options.teacher)
        checkpoint = open_finetuned(options.teacher, labels)
        save_model(checkpoint.model, checkpoint.tokenizer, work)
        return
    checkpoint = open_encoder(
        options.teacher,
        labels,
        dropout=options.teacher_dropout,
        form=TextForm(n_ctx=options.teacher_tokens),
        seed=options.seed,
    )
    tokenizer = limited(checkpoint.tokenizer.backend_tokenizer, options.teacher_tokens)
    train, valid = (encode(texts, tokenizer, targets=ids) for texts, ids in (_gold(run, "train"), _gold(run, "valid")))
    fit(
        checkpoint.model,
        checkpoint.tokenizer,
        train,
        valid,
        options.for_teacher,
        work,
        progress=progress,
        description="fine-tuning the teacher",
    )


def make_augmented(options: DistillOptions, run: Path, progress: Progress, work: Path) -> None:
    """``augmented``: train's texts and those sampled from them."""
    import pyarrow
    import pyarrow.parquet

    texts = [
        text
        for _, text in augment(
            [example.text for example in _read_split(run, "train")],
            options.rules,
            analyzer=options.analyzer,
            seed=options.seed,
            processes=options.processes or available_cpus(),
            progress=progress,
        )
    ]
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), work / _TEXTS, compression="zstd")
    logger.info("augmented: %d texts", len(texts))


def make_transfer(run: Path, progress: Progress, work: Path) -> None:
    """``transfer``: the augmented texts with the teacher's logits."""
    import pyarrow.parquet

    from potstill.stages.label import label_texts
    from potstill.teachers.checkpoints import open_finetuned

    teacher = open_finetuned(str(run / "teacher"))
    texts = pyarrow.parquet.read_table(run / "augmented" / _TEXTS)["text"].to_pylist()
    tokenizer = limited(teacher.tokenizer.backend_tokenizer, teacher.tokenizer.model_max_length)
    # The texts keep the student's mask token; the teacher reads its own.
    read = [text.replace(MASK, teacher.tokenizer.mask_token or MASK) for text in texts]
    label_texts(texts, encode(read, tokenizer, progress=progress), teacher, work, progress)


def copy_transfer(options: DistillOptions, run: Path, work: Path) -> None:
    """``transfer``: the set that the user gave, checked."""
    assert options.transfer is not None
    transfer = read_transfer(options.transfer)
    labels = _labels(run)
    if transfer.logits.shape[1] != len(labels):
        raise PotstillError(
            f"{options.transfer}: {transfer.logits.shape[1]} logits a text, but the data has {len(labels)} labels"
        )
    write_shard(work / shard_name(0), transfer.texts, transfer.logits)


def make_prepared(options: DistillOptions, vectors: str, run: Path, progress: Progress, work: Path) -> None:
    """``prepared``: the student's vocabulary, word table and encoded text."""
    transfer = read_transfer(run / "transfer")
    vocabulary = build_vocabulary(
        transfer.texts, vectors, n_frequent=options.n_frequent, lower=not options.cased, seed=options.seed
    )
    save_vocabulary(vocabulary, work)
    sources = {"transfer": (transfer.texts, transfer.logits)}
    for name, (texts, targets) in (sources | {split: _gold(run, split) for split in ("train", "valid")}).items():
        encode_to_folder(
            texts,
            vocabulary.tokenizer,
            work / name,
            n_ctx=options.student_words,
            targets=targets,
            inputs={},
            progress=progress,
        )


def make_student(
    options: DistillOptions,
    name: str,
    optimisation: Optimisation,
    run: Path,
    progress: Progress,
    work: Path,
) -> None:
    """``student`` learns the transfer set; ``student-gold``, its twin, train's gold labels."""
    from potstill.stages.train import fit, new_student

    prepared = run / "prepared"
    vocabulary = load_vocabulary(prepared)
    source = "transfer" if name == "student" else "train"
    train, valid = (load_encoded(prepared / part, vocabulary.tokenizer) for part in (source, "valid"))
    model, tokenizer = new_student(
        options.student,
        {},
        vocabulary,
        _labels(run),
        embedding_trainable=options.embedding_trainable,
        seed=options.seed,
    )
    description = f"training the {options.student}" + (" on gold labels" if source == "train" else "")
    fit(model, tokenizer, train, valid, optimisation, work, progress=progress, description=description)


def make_evaluation(options: DistillOptions, run: Path, work: Path) -> None:
    """``evaluation``: every model's scores."""
    from potstill.stages.scores import Labelled, score_model

    test, valid = (
        Labelled([example.text for example in examples], [example.label for example in examples])
        for examples in (_read_split(run, split) for split in ("test", "valid"))
    )
    rows = {"teacher": f"teacher ({Path(options.teacher).name})", "student": options.student}
    if options.gold_epochs:
        rows["student-gold"] = f"{options.student}, gold labels alone"
    scores = []
    for name, row in rows.items():
        logger.info("measuring %s", row)
        scores.append(asdict(score_model(row, run / name, test=test, valid=valid)))
    write_json(work / EVALUATION, {"scores": scores})
