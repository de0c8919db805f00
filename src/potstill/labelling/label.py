"""A teacher's logits on many texts, as a transfer set."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from potstill.artifacts import atomic_folder, shards
from potstill.corpus.columns import BY_NAME, Columns
from potstill.corpus.encoded import Text
from potstill.corpus.examples import read_texts
from potstill.corpus.readers import find_parquet_columns
from potstill.corpus.soft_labels import SoftLabelFilter
from potstill.corpus.streams import PART_ROWS, in_parts
from potstill.corpus.transfer import as_fields, transfer_parts, write_tsv
from potstill.errors import PotstillError, reason
from potstill.files import check_readable, reading, rereadable
from potstill.labelling import ENGINES, Engine
from potstill.progress import Progress, silent
from potstill.tasks import Task
from potstill.teachers import Teacher

if TYPE_CHECKING:
    from upath import UPath


@dataclass(frozen=True)
class Unlabelled:
    """Texts for a teacher to label, without duplicates; they may be larger than memory.

    :param n_texts: how many there are.
    :param shards: gives them from the start at each call, :data:`potstill.corpus.streams.PART_ROWS` at a time.
    """

    n_texts: int
    shards: Callable[[], Iterator[Sequence[Text]]]


def texts_of_files(files: "Sequence[Path | UPath]", n_texts: int, columns: Columns = BY_NAME) -> Unlabelled:
    """The texts of files, Parquet or what :func:`potstill.corpus.examples.read_texts` reads, one file after another.

    :param n_texts: how many rows they have, see :func:`count_rows`.
    :param columns: those of other names than the known ones.
    """
    return Unlabelled(n_texts, lambda: in_parts(text for file in files for text in _texts(file, columns)))


def count_rows(file: "Path | UPath", columns: Columns = BY_NAME) -> int:
    """The texts of a file.

    :raises PotstillError: when it is not one of texts, such as a Parquet file without a column ``text``.
    """
    if _is_lines(file):
        return sum(1 for _ in read_texts(file, columns))
    with _open_parquet(file) as table:
        _text_column(file, table, columns)
        return int(table.metadata.num_rows)


def _is_lines(file: "Path | UPath") -> TypeGuard[Path]:
    """Whether a file is read line by line: all but Parquet, which can be read by fsspec, and in columns."""
    return isinstance(file, Path) and file.suffix.lower() != ".parquet"


def _text_column(file: "Path | UPath", table: Any, columns: Columns) -> str:
    return find_parquet_columns(str(file), table, columns, labelled=False).text


def _texts(file: "Path | UPath", columns: Columns) -> Iterator[str]:
    if _is_lines(file):
        yield from read_texts(file, columns)
    else:
        yield from _column(file, columns)


def _column(file: "Path | UPath", columns: Columns) -> Iterator[str]:
    number = 0
    with _open_parquet(file) as table:
        name = _text_column(file, table, columns)
        for batch in table.iter_batches(columns=[name]):
            for text in batch.column(name).to_pylist():
                number += 1
                if not isinstance(text, str):
                    raise PotstillError(f"{file}:{number}: no text; leave the row out")
                yield text


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
) -> None:
    """Label texts into the Parquet shards of a folder; shards that exist already are kept.

    :param folder: a working folder (see :func:`potstill.artifacts.atomic_folder`), or one behind a URL.
    """
    n_shards = -(-unlabelled.n_texts // PART_ROWS)
    if len(shards(folder)) == n_shards:
        return
    teacher.check(next(unlabelled.shards()))
    ENGINES[engine](unlabelled.shards(), teacher, folder, n_shards=n_shards, progress=progress)


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
        label_texts(unlabelled, teacher, work, progress=progress)
        write_tsv(path, parts(work))  # within: where it fails, the shards are kept
    shutil.rmtree(folder)
    return n_written
