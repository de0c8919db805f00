"""Finding a data set's three splits: in a folder, in one file (then split by seed), or on the hub."""

import logging
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from potstill.artifacts import hash_file
from potstill.corpus.column_guesses import SAMPLE_ROWS
from potstill.corpus.columns import BY_NAME, Columns, find_columns
from potstill.corpus.examples import Example, check_row, read_examples
from potstill.corpus.labels import collect_labels, encode_labels, for_task, label_names
from potstill.corpus.lines import GZIP
from potstill.corpus.readers import READERS, Record, as_row, ending, has_columns
from potstill.corpus.safe_loading import OneLineErrors
from potstill.corpus.stratified import stratify
from potstill.corpus.texts import Text
from potstill.errors import PotstillError, require, shown
from potstill.files import is_input, rereadable
from potstill.tasks import Label, Task, find_task, task_of

logger = logging.getLogger(__name__)

SPLITS = ("train", "valid", "test")
HUB_SPLITS = {"train": "train", "valid": "validation", "test": "test"}
_HIDDEN = -1  # the hub's mark of a label that is hidden, as in GLUE's test splits, or that annotators did not agree on
HELD_OUT = 0.1  # the share of a single file that becomes valid, and the share that becomes test


@dataclass(frozen=True)
class Corpus:
    """A data set in memory: its splits by name, its labels in id order, and the hashes of its sources.

    :param seed: of the split that was made; None where all three splits were given.
    :param is_gold: whether people gave the labels; else the teacher did, all but those of test where ``has_gold_test``.
    """

    splits: dict[str, list[Example]]
    labels: list[str]
    hashes: dict[str, str]
    seed: int | None
    is_gold: bool = True
    has_gold_test: bool = True

    @property
    def task(self) -> Task:
        """How many labels a text has: one, or several."""
        return task_of(self.splits["train"][0].label)

    @property
    def is_paired(self) -> bool:
        """Whether the examples are pairs of texts."""
        return self.splits["train"][0].pair is not None


def find_split(folder: Path, split: str) -> Path:
    """The file of a split in a data folder, such as ``train.txt`` or ``train.csv``.

    :raises PotstillError: when there is none, or more than one.
    """
    if not folder.is_dir():
        raise PotstillError(f"{folder}: no such folder")
    names = [f"{split}{suffix}{packed}" for suffix in READERS for packed in ("", GZIP)]
    files = [folder / name for name in names if ending(Path(name)) in READERS and is_input(folder / name)]
    if not files:
        raise PotstillError(
            f"{folder}: no {split} file; put one there named {split}.txt, .tsv, .csv, .jsonl or .parquet"
        )
    if len(files) > 1:
        raise PotstillError(f"{folder}: {' and '.join(file.name for file in files)}: keep one of them")
    return files[0]


UnknownLabels = Literal["error", "drop"]
"""What happens to a text of valid or test whose label train lacks, where a text has one label."""


def load_corpus(source: str, seed: int, columns: Columns = BY_NAME, unknown_labels: UnknownLabels = "error") -> Corpus:
    """Read a data set.

    :param source: a folder with a train, a valid and a test file; one file, which is then split 80/10/10
        by label and seed; or the name of a data set on the Hugging Face hub, ``NAME`` or
        ``NAME:CONFIGURATION``.
    :param seed: of the split, where one is made.
    :param columns: those of other names than the known ones.
    :param unknown_labels: of valid and test. Where a text may have several, those that train lacks are taken out.
    :raises PotstillError: naming the place, for bad data.
    """
    path = Path(source)
    is_split = is_input(path)
    if path.is_dir():
        files = {split: find_split(path, split) for split in SPLITS}
        splits = _of_one_kind({split: read_examples(file, columns) for split, file in files.items()}, files, columns)
        hashes = {file.name: hash_file(rereadable(file)) for file in files.values()}
    elif is_split:
        files = dict.fromkeys(SPLITS, path)
        splits = split_examples(_of_one_kind({"train": read_examples(path, columns)}, files, columns)["train"], seed)
        hashes = {path.name: hash_file(rereadable(path))}
    elif ending(path) in READERS or source.startswith((".", "/", "~")):
        raise PotstillError(f"{source}: no such file or folder")
    else:
        splits, hashes, is_split = _load_hub(source, seed, columns)
        files = {split: Path(f"{source}[{split}]") for split in SPLITS}
    labels = collect_labels(splits["train"], str(files["train"]))
    for split in ("valid", "test"):
        splits[split] = known_labels(splits[split], labels, str(files[split]), unknown_labels)
        _tell_of_known_texts(splits["train"], splits[split], str(files[split]))
    return Corpus(splits=splits, labels=labels, hashes=hashes, seed=seed if is_split else None)


def _of_one_kind(
    splits: dict[str, list[Example]], files: Mapping[str, Path], columns: Columns
) -> dict[str, list[Example]]:
    """The splits with one label a text in all of them, or with several.

    A column a label says several labels a text as soon as one row of any split has none of them, or more than one.
    """
    examples = [example for rows in splits.values() for example in rows]
    kinds = {task_of(example.label).takes_several for example in examples}
    n_none, n_more = (
        sum(len(label_names(example)) in kind for example in examples) for kind in ([0], range(2, 10_000))
    )
    if kinds == {True} and columns.label_columns and not n_none + n_more:
        return {split: for_task(rows, find_task(), str(files[split])) for split, rows in splits.items()}
    if len(kinds) > 1:
        one = next(split for split, rows in splits.items() if not task_of(rows[0].label).takes_several)
        raise PotstillError(f"{files[one]}: one label a text, where another split has lists of them: give all alike")
    if kinds == {True}:
        logger.info(
            "several labels a text: of %d texts %d have more than one and %d have none", len(examples), n_more, n_none
        )
    return splits


def known_labels(
    examples: list[Example], labels: list[str], source: str, unknown_labels: UnknownLabels
) -> list[Example]:
    """The examples of valid or test without labels that train lacks.

    :raises PotstillError: naming the line, where a text has one label and that is such a one, unless it is left out.
    """
    if not examples:
        return examples
    takes_several = task_of(examples[0].label).takes_several
    if not takes_several and unknown_labels == "error":
        try:
            encode_labels(examples, labels, source)
        except PotstillError as error:
            raise PotstillError(f"{error}; --unknown_labels drop leaves such texts out") from None
        return examples
    known = {unicodedata.normalize("NFC", label) for label in labels}
    lost: Counter[str] = Counter()
    kept = []
    for example in examples:
        own = [label for label in label_names(example) if unicodedata.normalize("NFC", label) in known]
        lost.update(set(label_names(example)) - set(own))
        if takes_several:
            kept.append(replace(example, label=tuple(own)))
        elif own:
            kept.append(example)
    if lost:
        what = (
            "labels that train lacks are taken out"
            if takes_several
            else "texts of labels that train lacks are left out"
        )
        written = ", ".join(f"{label} ({n_texts})" for label, n_texts in lost.most_common())
        logger.warning("%s: %s: %s", source, what, shown(written))
    if not kept:
        raise PotstillError(f"{source}: train lacks the labels of all texts: correct them")
    return kept


def _tell_of_known_texts(train: list[Example], held_out: list[Example], source: str) -> None:
    known = {example.content for example in train}
    n_known = sum(example.content in known for example in held_out)
    if n_known:
        logger.warning(
            "%s: %d of %d texts are in train too: its figures say less about new text; take them out of one of the two",
            source,
            n_known,
            len(held_out),
        )


def split_examples(examples: list[Example], seed: int, *, keeps_rare: bool = False) -> dict[str, list[Example]]:
    """Split examples into train, valid and test, each with the same share of every label.

    Texts that occur more than once are kept once, so that no test text is in train; with the most frequent of their
    labels.

    :param seed: of the shuffle.
    :param keeps_rare: keep all texts of a label that has fewer than three in train.
    :raises PotstillError: when a label has fewer than three different texts, unless these are kept.
    """
    if examples and task_of(examples[0].label).takes_several:
        return _split_several(_each_text_once(examples), seed)
    by_label: dict[Label, list[Example]] = defaultdict(list)
    for example in _each_text_once(examples):
        by_label[example.label].append(example)
    generator = np.random.default_rng(seed)
    splits: dict[str, list[Example]] = {split: [] for split in SPLITS}
    for label, group in sorted(by_label.items(), key=lambda item: item[0]):
        if len(group) < 3 and keeps_rare:
            splits["train"] += group
            continue
        if len(group) < 3:
            raise PotstillError(f"label '{label}' has {len(group)} examples; splitting one file needs at least 3")
        order = [group[i] for i in generator.permutation(len(group))]
        held = max(1, round(len(order) * HELD_OUT))
        splits["valid"] += order[:held]
        splits["test"] += order[held : 2 * held]
        splits["train"] += order[2 * held :]
    return {split: [rows[i] for i in generator.permutation(len(rows))] for split, rows in splits.items()}


def _split_several(examples: list[Example], seed: int) -> dict[str, list[Example]]:
    """The same where a text may have several labels."""
    if len(examples) < len(SPLITS):
        raise PotstillError(f"{len(examples)} different texts: splitting one file needs at least {len(SPLITS)}")
    shares = (1 - 2 * HELD_OUT, HELD_OUT, HELD_OUT)
    parts = stratify([label_names(example) for example in examples], shares, seed)
    order = np.random.default_rng(seed).permutation(len(examples))
    return {split: [examples[row] for row in order.tolist() if parts[row] == part] for part, split in enumerate(SPLITS)}


def _each_text_once(examples: list[Example]) -> list[Example]:
    by_text: dict[Text, list[Example]] = defaultdict(list)
    for example in examples:
        by_text[example.content].append(example)
    counts = {text: Counter(example.label for example in group) for text, group in by_text.items()}
    ambiguous = [text for text, labels in counts.items() if len(labels) > 1]
    if ambiguous:
        logger.warning(
            "%d of %d texts have several labels (%s: %s): each counts once, with the most frequent of its labels",
            len(ambiguous),
            len(by_text),
            shown(ambiguous[0], 60),
            shown(", ".join(sorted(map(str, counts[ambiguous[0]])))),
        )
    chosen = {text: labels.most_common(1)[0][0] for text, labels in counts.items()}
    return [next(example for example in group if example.label == chosen[text]) for text, group in by_text.items()]


def source_has_columns(source: str) -> bool:
    """Whether a data set, as :func:`load_corpus` takes it, has columns: all but ``.txt`` and ``.tsv``.

    :raises PotstillError: when it is a folder without train.
    """
    path = Path(source)
    if path.is_dir():
        return has_columns(find_split(path, "train"))
    return has_columns(path) or not path.exists()


def _load_hub(name: str, seed: int, columns: Columns) -> tuple[dict[str, list[Example]], dict[str, str], bool]:
    """The splits, their fingerprints, and whether one of them had to be made."""
    require("train", "datasets")
    import datasets

    with OneLineErrors(f"{name}: neither a file or folder here nor a data set that the hub gives"):
        loaded = datasets.load_dataset(*name.split(":", 1))
    hashes = {split: str(data._fingerprint) for split, data in loaded.items()}
    splits = {split: _hub_examples(name, loaded[hub], columns) for split, hub in HUB_SPLITS.items() if hub in loaded}
    splits = {split: rows for split, rows in splits.items() if rows}
    splits = _of_one_kind(splits, {split: Path(f"{name}[{split}]") for split in SPLITS}, columns) if splits else {}
    if "train" not in splits:
        raise PotstillError(f"{name}: no train split; it has {', '.join(loaded)}")
    is_split = len(splits) < len(SPLITS)
    if is_split:
        missing = [split for split in SPLITS if split not in splits]
        logger.info(
            "%s has no labelled %s split: splitting its train split by seed %d",
            name,
            " or ".join(missing),
            seed,
        )
        own_splits = split_examples(splits["train"], seed)
        splits = own_splits | {split: rows for split, rows in splits.items() if split != "train"}
    return splits, hashes, is_split


def _hub_examples(name: str, data: Any, columns: Columns) -> list[Example]:
    """The examples of one split; none where all of its labels are hidden."""
    if not len(data):
        return []
    found = find_columns(name, data.column_names, columns, labelled=True, sample=lambda: _hub_sample(data))
    label, is_alone = found.labels[0], len(found.labels) == 1
    feature = data.features.get(label)
    is_named = is_alone and hasattr(feature, "int2str")
    items: Any = getattr(feature, "feature", None)  # of a list of labels: what each is
    rows, n_hidden = [], 0
    for number, record in enumerate(data, start=1):
        value = record.get(label)
        n_hidden += is_alone and value == _HIDDEN
        if is_named and value == _HIDDEN:
            continue
        if is_named and isinstance(value, int):
            record = record | {label: feature.int2str(value)}
        if is_alone and hasattr(items, "int2str") and isinstance(value, list):
            record = record | {label: [items.int2str(each) for each in value]}
        rows.append(check_row(as_row(name, Record(number, found, record))))
    if n_hidden == len(data):  # numbers without names may have -1 as one of them
        return []
    if is_named and n_hidden:
        logger.info("%s: left out %d texts without a label", name, n_hidden)
    return rows


def _hub_sample(data: Any) -> list[dict[str, Any]]:
    """Some records, of columns that cost nothing to decode."""
    plain = [name for name, feature in data.features.items() if getattr(feature, "dtype", "") in ("string", "int64")]
    return list(data.select_columns(plain).select(range(min(SAMPLE_ROWS, len(data)))))
