"""A teacher's logits on many texts, as a transfer set."""

import json
import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from potstill.artifacts import LEFT_OUT, atomic_folder, left_out_name, shards
from potstill.corpus.columns import BY_NAME, Columns
from potstill.corpus.examples import holds_pairs, read_pairs, read_texts
from potstill.corpus.readers import find_parquet_columns
from potstill.corpus.soft_labels import SoftLabelFilter
from potstill.corpus.streams import PART_ROWS, in_parts
from potstill.corpus.texts import Text
from potstill.corpus.transfer import as_fields, transfer_parts, write_tsv
from potstill.errors import PotstillError, reason
from potstill.files import check_readable, reading, rereadable
from potstill.labelling import ENGINES, Engine
from potstill.labelling.local import write_left_out
from potstill.progress import Progress, silent
from potstill.tasks import Task
from potstill.teachers import Teacher
from potstill.teachers.left_out import LeftOut

if TYPE_CHECKING:
    from upath import UPath

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unlabelled:
    """Texts for a teacher to label, without duplicates; they may be larger than memory.

    :param n_texts: how many there are.
    :param shards: gives them from the start at each call, :data:`potstill.corpus.streams.PART_ROWS` at a time.
    """

    n_texts: int
    shards: Callable[[], Iterator[Sequence[Text]]]


@dataclass(frozen=True)
class LeftOutCounts:
    """How many texts the teacher has no answer for, by reason."""

    by_reason: dict[str, int]

    @property
    def n_texts(self) -> int:
        """All of them."""
        return sum(self.by_reason.values())

    def __str__(self) -> str:
        return ", ".join(f"{n} {reason}" for reason, n in sorted(self.by_reason.items(), key=lambda item: -item[1]))


def texts_of_files(files: "Sequence[Path | UPath]", n_texts: int, columns: Columns = BY_NAME) -> Unlabelled:
    """The texts of files, Parquet or what :func:`potstill.corpus.examples.read_texts` reads, one file after another;
    pairs of texts where the first file has them.

    :param n_texts: how many rows they have, see :func:`count_rows`.
    :param columns: those of other names than the known ones.
    """

    def texts() -> Iterator[Text]:
        paired = has_pairs(files[0], columns)
        return (text for file in files for text in _texts(file, columns, paired))

    return Unlabelled(n_texts, lambda: in_parts(texts()))


def count_rows(file: "Path | UPath", columns: Columns = BY_NAME) -> int:
    """The texts of a file.

    :raises PotstillError: when it is not one of texts, such as a Parquet file without a column ``text``.
    """
    if _is_lines(file):
        return sum(1 for _ in _texts(file, columns, has_pairs(file, columns)))
    with _open_parquet(file) as table:
        find_parquet_columns(str(file), table, columns, labelled=False)
        return int(table.metadata.num_rows)


def _is_lines(file: "Path | UPath") -> TypeGuard[Path]:
    """Whether a file is read line by line: all but Parquet, which can be read by fsspec, and in columns."""
    return isinstance(file, Path) and file.suffix.lower() != ".parquet"


def has_pairs(file: "Path | UPath", columns: Columns = BY_NAME) -> bool:
    """Whether a file has pairs of texts."""
    if _is_lines(file):
        return holds_pairs(file, columns)
    with _open_parquet(file) as table:
        return bool(find_parquet_columns(str(file), table, columns, labelled=False).pair)


def _texts(file: "Path | UPath", columns: Columns, paired: bool) -> Iterator[Text]:
    if _is_lines(file):
        yield from read_pairs(file, columns) if paired else read_texts(file, columns)
    else:
        yield from _column(file, columns, paired)


def _column(file: "Path | UPath", columns: Columns, paired: bool) -> Iterator[Text]:
    number = 0
    with _open_parquet(file) as table:
        found = find_parquet_columns(str(file), table, columns, labelled=False)
        if bool(found.pair) != paired:
            kinds = ("single texts", "pairs of texts")
            raise PotstillError(
                f"{file}: {kinds[not paired]}, and the files before have {kinds[paired]}: label them apart"
            )
        names = [name for name in (found.text, found.pair) if name]
        for batch in table.iter_batches(columns=names):
            for texts in zip(*(batch.column(name).to_pylist() for name in names), strict=True):
                number += 1
                if not all(isinstance(text, str) for text in texts):
                    raise PotstillError(f"{file}:{number}: no text; leave the row out")
                yield texts if len(texts) == 2 else texts[0]


@contextmanager
def _open_parquet(file: "Path | UPath") -> Iterator[Any]:
    import pyarrow
    import pyarrow.parquet

    try:
        source = rereadable(file) if isinstance(file, Path) else file
        with reading(Path(str(file))), source.open("rb") as opened, pyarrow.parquet.ParquetFile(opened) as table:
            yield table
    except pyarrow.ArrowInvalid as error:
        if isinstance(file, Path):
            check_readable(rereadable(file))
        raise PotstillError(f"{file}: not a Parquet file, cut short or damaged ({reason(error)})") from None


def label_texts(
    unlabelled: Unlabelled,
    teacher: Teacher,
    folder: "Path | UPath",
    *,
    engine: Engine = "local",
    progress: Progress = silent,
) -> LeftOutCounts:
    """Label texts into the Parquet shards of a folder; shards that exist already are kept.

    Texts that the teacher has no answer for are in no shard, but in :data:`potstill.artifacts.LEFT_OUT`, if any.

    :param folder: a working folder (see :func:`potstill.artifacts.atomic_folder`), or one behind a URL.
    :return: how many these are, by reason.
    :raises PotstillError: when no text has an answer.
    """
    n_shards = -(-unlabelled.n_texts // PART_ROWS)
    if len(shards(folder)) < n_shards:
        teacher.check(next(unlabelled.shards()))
        ENGINES[engine](unlabelled.shards(), teacher, folder, n_shards=n_shards, progress=progress)
    counts = _collect_left_out(folder)
    if counts.n_texts == unlabelled.n_texts:
        for shard in shards(folder):
            shard.unlink()  # the same command asks again
        raise PotstillError(f"the teacher has no answer to any of the {counts.n_texts} texts: {counts}")
    if counts.n_texts:
        logger.info("%d texts are left out (%s): %s lists them", counts.n_texts, counts, LEFT_OUT)
    return counts


def _collect_left_out(folder: "Path | UPath") -> LeftOutCounts:
    """Make one file of those that shards have, and count its texts by reason."""
    parts: Iterable[Any] = folder.glob(left_out_name(0).replace("00000", "*"))
    counts: Counter[str] = Counter()

    def all_parts() -> Iterator[LeftOut]:
        for part in sorted(parts):
            for line in part.read_text(encoding="utf-8").splitlines():
                left_out = LeftOut(**json.loads(line))
                counts[left_out.kind] += 1
                yield left_out

    write_left_out(folder / LEFT_OUT, all_parts())
    return LeftOutCounts(dict(counts))


def label_to_tsv(
    unlabelled: Unlabelled,
    teacher: Teacher,
    path: Path,
    *,
    inputs: dict[str, Any],
    task: Task,
    soft_labels: SoftLabelFilter,
    progress: Progress = silent,
) -> int:
    """Label texts into the recipe's TSV file; after a kill, a call with the same inputs resumes.

    :param inputs: the identity of the texts.
    :return: how many of the texts the file has.
    :raises PotstillError: when the teacher is confident of none.
    """
    folder = path.with_name(f"{path.name}.shards")
    n_written = 0

    def parts(labelled: Path) -> Iterator[tuple[Sequence[Text], Sequence[str]]]:
        nonlocal n_written
        for texts, part in zip(unlabelled.shards(), transfer_parts(labelled), strict=True):
            rows = soft_labels.rows(part.logits, task)
            n_written += len(rows)
            logits = part.logits[rows]
            labels = [teacher.labels[label_id] for label_id in task.decide(logits)]
            yield [texts[row] for row in rows], labels if soft_labels.hard_labeling else as_fields(logits)
        soft_labels.check_some(n_written)

    with atomic_folder(folder, inputs | {"teacher": teacher.identity}) as work:
        if left_out := label_texts(unlabelled, teacher, work, progress=progress).n_texts:
            raise PotstillError(f"{path}: {left_out} texts have logits that are no numbers; is the teacher damaged?")
        write_tsv(path, parts(work))  # within: where it fails, the shards are kept
    shutil.rmtree(folder)
    return n_written
