"""``labelled``: texts without any gold label with a black box's answers, of which the data is made."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from potstill.artifacts import LABELLED, TEACHER, hash_file, hash_json, write_json
from potstill.corpus.columns import BY_NAME, Columns
from potstill.corpus.examples import Example, as_example, check_row, holds_pairs, read_all_texts
from potstill.corpus.labels import encode_labels, for_task
from potstill.corpus.readers import Row, find_reader, of_form
from potstill.corpus.splits import SPLITS, Corpus, split_examples
from potstill.corpus.streams import PART_ROWS, distinct, in_parts
from potstill.corpus.texts import Text, map_text, on_one_line
from potstill.corpus.transfer import transfer_parts
from potstill.corpus.words import as_words
from potstill.distillation.black_box import describe
from potstill.errors import PotstillError, shown
from potstill.files import rereadable
from potstill.labelling.label import Unlabelled, label_texts
from potstill.progress import Progress, silent
from potstill.runs.job import Stage
from potstill.runs.options import DistillOptions
from potstill.tasks import find_task
from potstill.teachers import Teacher

logger = logging.getLogger(__name__)

_FEWEST = 20  # texts


@dataclass(frozen=True)
class LabellingJob:
    """The first part of a run without gold labels: the teacher labels the texts.

    :param texts: that a Python caller gave, single ones or pairs; none: those of ``--unlabelled``.
    """

    options: DistillOptions
    teacher: Teacher
    texts: tuple[Text, ...] = ()
    progress: Progress = silent

    @property
    def command(self) -> str:
        """The command that makes the run."""
        return "distill"

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.options.out

    @property
    def sources(self) -> dict[str, Any]:
        """The hashes of its texts."""
        if self.texts:
            return {"texts": hash_json(self.texts)}
        files = self.options.unlabelled
        names = [path.name if [each.name for each in files].count(path.name) == 1 else str(path) for path in files]
        return {name: hash_file(rereadable(path)) for name, path in zip(names, files, strict=True)}

    @property
    def columns(self) -> Columns:
        """The columns of its texts."""
        return self.options.columns.of_texts

    @cached_property
    def is_paired(self) -> bool:
        """Whether the texts are pairs."""
        return are_pairs(self.options, self.texts)

    def all_texts(self) -> Iterator[Text]:
        """The texts, each once."""
        if self.texts:
            return distinct(map(on_one_line, self.texts))
        return distinct(read_all_texts(self.options.unlabelled, self.columns, paired=self.is_paired))


def are_pairs(options: DistillOptions, texts: Sequence[Text]) -> bool:
    """Whether texts without labels are pairs: those that a Python caller gave, or else the first of the files.

    :raises PotstillError: when the first file cannot be read.
    """
    if texts:
        return not isinstance(texts[0], str)
    first = options.unlabelled[0]
    return holds_pairs(first, of_form(first, options.columns.of_texts))


def labelled_stage(job: LabellingJob) -> Stage:
    """The texts with the teacher's logits.

    :raises PotstillError: when there are too few.
    """
    n_texts = sum(1 for _ in job.all_texts())
    if n_texts < _FEWEST:
        where = "" if job.texts else f"{', '.join(map(str, job.options.unlabelled))}: "
        raise PotstillError(f"{where}{n_texts} different texts are too few to learn from: give {_FEWEST} or more")
    inputs = {"texts": job.sources, "teacher": job.options.teacher, "identity": job.teacher.identity}
    return Stage(LABELLED, (), inputs | job.columns.as_inputs, _label)


def _label(job: LabellingJob, work: Path) -> None:
    n_texts = sum(1 for _ in job.all_texts())
    label_texts(Unlabelled(n_texts, lambda: in_parts(job.all_texts())), job.teacher, work, progress=job.progress)
    write_json(work / TEACHER, describe(job.teacher))


def read_labelled(job: LabellingJob) -> Corpus:
    """The data set that the teacher's labels make: split by text, with the same share of each label.

    :raises PotstillError: when the teacher gave one label to all texts, or none to most.
    """
    examples, gold = _answered(job), _gold(job)
    counts = Counter(example.label for example in examples)
    logger.info("labelled by the teacher: %s", ", ".join(f"{counts[label]} {label}" for label in job.teacher.labels))
    if len(examples) < _FEWEST:
        raise PotstillError(
            f"{job.options.teacher}: answered on {len(examples)} texts, too few to learn from: "
            f"{job.folder / LABELLED} tells why"
        )
    if len(counts) < 2:
        raise PotstillError(
            f"{job.options.teacher}: gave every text the label '{shown(next(iter(counts)))}': describe the labels "
            "better"
        )
    if missing := [label for label in job.teacher.labels if not counts[label]]:
        logger.warning("the teacher gave no text the label %s: the student will hardly know it", ", ".join(missing))
    known = {map_text(example.content, as_words) for example in gold}
    unknown = [example for example in examples if map_text(example.content, as_words) not in known]
    splits = split_examples(unknown, job.options.seed, keeps_rare=True)
    if gold:
        splits = {"train": splits["train"] + splits["test"], "valid": splits["valid"], "test": gold}
    hashes = job.sources | ({"gold": hash_file(rereadable(job.options.gold))} if job.options.gold else {})
    return Corpus(splits, job.teacher.labels, hashes, seed=job.options.seed, is_gold=False, has_gold_test=bool(gold))


def provisional_corpus(job: LabellingJob) -> Corpus:
    """The first texts as if they had labels: what can be checked before the teacher labels any is checked on it.

    :raises PotstillError: when ``--gold`` has none, or wrong ones.
    """
    _gold(job)
    labels = cycle(job.teacher.labels)
    examples = [as_example(text, next(labels)) for text in islice(job.all_texts(), PART_ROWS)]
    splits = dict.fromkeys(SPLITS, examples)
    return Corpus(splits, job.teacher.labels, job.sources, seed=job.options.seed, is_gold=False)


def _answered(job: LabellingJob) -> list[Example]:
    examples, task = [], find_task()
    for part in transfer_parts(job.folder / LABELLED):
        labels = (job.teacher.labels[label_id] for label_id in task.decide(part.logits).tolist())
        examples += [as_example(text, label) for text, label in zip(part.texts, labels, strict=True)]
    return examples


def _gold(job: LabellingJob) -> list[Example]:
    """The texts of ``--gold`` that have got a label.

    :raises PotstillError: when none has, or a label is not one of the teacher's.
    """
    path = job.options.gold
    if path is None:
        return []
    rows = list(find_reader(path)(path, BY_NAME, True))
    filled = [row for row in rows if not _is_empty(row)]
    if not filled:
        raise PotstillError(f"{path}: no row has a label yet: fill in its column 'label'")
    logger.info("%s: %d of %d texts have a label: they are test", path, len(filled), len(rows))
    examples = [check_row(row) for row in filled]
    if other := next((each for each in examples if (each.pair is not None) != job.is_paired), None):
        what = "no second text, and the texts are pairs" if job.is_paired else "a pair, and the texts are single"
        raise PotstillError(f"{path}:{other.line}: {what}: correct the row, or remove it")
    examples = [as_example(on_one_line(each.content), each.label) for each in examples]
    examples = for_task(examples, find_task(), str(path))
    encode_labels(examples, job.teacher.labels, str(path))
    return examples


def _is_empty(row: Row) -> bool:
    return row.label is None or not str(row.label).strip()
