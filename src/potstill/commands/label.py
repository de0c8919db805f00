"""Label files: a teacher's logits on files of texts, here or wherever fsspec reaches, as a transfer set."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from potstill.artifacts import HASHES, MANIFEST, atomic_folder, hash_file, hash_json, new_manifest, own_manifest, shards
from potstill.corpus.columns import TextColumn
from potstill.errors import PotstillError, require
from potstill.files import is_input, rereadable
from potstill.labelling import Engine
from potstill.labelling.label import count_rows, label_texts, texts_of_files
from potstill.outputs import check_apart
from potstill.progress import Progress, silent
from potstill.teachers import Backend, open_teacher

if TYPE_CHECKING:
    from upath import UPath


@dataclass(frozen=True)
class LabelOptions:
    """Let a fine-tuned teacher label the texts of files, here or on a Ray cluster."""

    input: str
    """Texts: a file (.txt: a text a line; .csv, .jsonl, .parquet: column text) or a folder of Parquet files; of Parquet
    also a URL that fsspec knows (s3://bucket/texts)."""
    output: str
    """Folder of the transfer set, Parquet with columns text and logits; a path or a URL. Called again with the same
    input and teacher, it makes the missing shards."""
    teacher: str
    """A fine-tuned classifier: a folder, or a name on the Hugging Face hub."""
    columns: Annotated[TextColumn, tyro.conf.arg(name="")] = field(default_factory=TextColumn)
    labelling: Backend = "torch"
    """What runs the teacher; torch-bf16 and onnx-int8 are faster and less exact."""
    engine: Engine = "local"
    """Where it runs: here, or on the Ray cluster that RAY_ADDRESS or this machine's ray start names. The result is the
    same."""


@dataclass(frozen=True)
class LabelledTexts:
    """A transfer set.

    :param output: its folder.
    :param n_texts: the texts in it.
    """

    output: str
    n_texts: int

    def __str__(self) -> str:
        return f"{self.output}: {self.n_texts} texts labelled"


def label_files(options: LabelOptions, progress: Progress = silent) -> LabelledTexts:
    """Label the texts of files, in their order.

    :raises PotstillError: when there are none, the teacher is not fine-tuned, or a place cannot be reached.
    """
    require("train", "torch", "transformers", "pyarrow", "onnxscript")
    files = _find_files(options.input)
    if "://" not in options.output:
        check_apart(Path(options.output), [Path(options.input), *(Path(str(file.parent)) for file in files)])
    columns = options.columns.of_texts
    rows = {file.name: count_rows(file, columns) for file in files}
    teacher = open_teacher(options.teacher, backend=options.labelling)
    inputs = {
        "texts": {file.name: [rows[file.name], _size(file)] for file in files},
        "teacher": teacher.identity,
        **columns.as_inputs,
    }
    with _working_folder(options.output, inputs) as work:
        texts = texts_of_files(files, sum(rows.values()), columns)
        label_texts(texts, teacher, work, engine=options.engine, progress=progress)
    return LabelledTexts(options.output, sum(rows.values()))


def _find_files(name: str) -> "list[Path | UPath]":
    place = _place(name)
    if isinstance(place, Path) and is_input(place):
        return [place]
    paths: Iterable[Any] = place.glob("*.parquet") if place.is_dir() else [place] if place.is_file() else []
    files = sorted(paths)
    if not files:
        raise PotstillError(f"{name}: no file of texts, and no folder of Parquet files")
    return files


def _size(file: "Path | UPath") -> int:
    return (rereadable(file) if isinstance(file, Path) else file).stat().st_size


def _place(name: str) -> "Path | UPath":
    """A path, or the same behind a URL.

    :raises PotstillError: when it cannot be reached.
    """
    if "://" not in name:
        return Path(name)
    require("ray", "upath")
    from upath import UPath

    try:
        place = UPath(name)
        place.exists()
    except (ImportError, ValueError, OSError) as error:
        raise PotstillError(f"{name}: cannot be reached ({' '.join(str(error).split())})") from error
    return place


@contextmanager
def _working_folder(name: str, inputs: dict[str, Any]) -> "Iterator[Path | UPath]":
    """The folder where shards are made: behind a URL, where nothing can be renamed, the final one; manifest last.

    A folder behind a URL that was begun from other inputs is refused: nothing there is deleted.
    """
    place = _place(name)
    if isinstance(place, Path):
        with atomic_folder(place, inputs) as work:
            yield work
        return
    own_manifest(place)  # raises where another version has labelled; our own is written again
    mark = place / ".inputs"
    if mark.exists() and mark.read_text() != hash_json(inputs):
        raise PotstillError(f"{name}: was begun from other texts or with another teacher: choose another, or remove it")
    place.mkdir(parents=True, exist_ok=True)
    mark.write_text(hash_json(inputs))
    yield place
    files: dict[str, dict[str, Any]] = {
        "files": {file.name: file.stat().st_size for file in shards(place)},
        HASHES: {file.name: hash_file(file) for file in shards(place)},
    }
    (place / MANIFEST).write_text(json.dumps(new_manifest(inputs, files), indent=2))
