"""Label files: a teacher's logits on files of texts, here or wherever fsspec reaches, as a transfer set."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from potstill.artifacts import (
    HASHES,
    LEFT_OUT,
    MANIFEST,
    atomic_folder,
    hash_file,
    hash_json,
    new_manifest,
    own_manifest,
    shards,
)
from potstill.corpus.columns import TextColumns
from potstill.errors import PotstillError, require
from potstill.files import is_input, rereadable
from potstill.labelling import Engine
from potstill.labelling.label import LeftOutCounts, count_rows, has_pairs, label_texts, texts_of_files
from potstill.outputs import check_apart
from potstill.progress import Progress, silent
from potstill.teachers import Backend, Teacher, open_teacher
from potstill.teachers.black_boxes import (
    TEMPLATE,
    Told,
    asks_for_money,
    check_kind_of_texts,
    is_black_box,
    open_black_box,
)
from potstill.teachers.language_model import LanguageModelTeacher
from potstill.teachers.language_model.options import LanguageModelOptions
from potstill.teachers.language_model.usage import RequestPlan, Usage

if TYPE_CHECKING:
    from upath import UPath


@dataclass(frozen=True)
class LabelOptions:
    """Let a teacher label the texts of files: a fine-tuned one, here or on a Ray cluster, or one that is asked."""

    input: str
    """Texts: a file (.txt: a text a line; .csv, .jsonl, .parquet: column text) or a folder of Parquet files; of Parquet
    also a URL that fsspec knows (s3://bucket/texts)."""
    output: str = ""
    """Folder of the transfer set, Parquet with columns text and logits; a path or a URL. Called again with the same
    input and teacher, it makes the missing shards. Texts without an answer are in its left_out.jsonl."""
    teacher: str = field(kw_only=True)
    """A fine-tuned classifier: a folder, or a name on the Hugging Face hub. Or a model that is only asked:
    openai:MODEL, nli:MODEL, skops:FILE, or a folder of SetFit whose head is model_head.skops."""
    labels: str = ""
    """Of openai:MODEL and nli:MODEL: a TOML file with names, descriptions and examples of the labels and an
    instruction, or names, as positive,negative."""
    hypothesis: str = TEMPLATE
    """Of nli:MODEL: what it is asked to find in a text; {} is a label's description, or its name."""
    show_prompt: bool = False
    """Print what the first text becomes for a language model, and send nothing."""
    plan: bool = False
    """Print how many requests and tokens a language model would take, and what they cost; send nothing."""
    columns: Annotated[TextColumns, tyro.conf.arg(name="")] = field(default_factory=TextColumns)
    labelling: Backend = "torch"
    """What runs the teacher; torch-bf16 and onnx-int8 are faster and less exact."""
    engine: Engine = "local"
    """Where it runs: here, or on the Ray cluster that RAY_ADDRESS or this machine's ray start names. The result is the
    same."""
    language_model: LanguageModelOptions = field(default_factory=LanguageModelOptions)

    def __post_init__(self) -> None:
        if asks_for_money(self.teacher):
            if self.engine != "local":
                raise PotstillError(f"{self.teacher} is asked from here: leave --engine {self.engine} out")
        elif self.show_prompt or self.plan:
            raise PotstillError("show_prompt and plan are of a language model: give --teacher openai:MODEL")
        if self.labels and not is_black_box(self.teacher):
            raise PotstillError(f"--labels: {self.teacher} says itself what its labels are; leave it out")
        if not self.output and not self.show_prompt and not self.plan:
            raise PotstillError("no place for the transfer set: give --output")


@dataclass(frozen=True)
class LabelledTexts:
    """A transfer set.

    :param output: its folder.
    :param n_texts: the texts in it.
    :param left_out: those that the teacher has no answer for.
    :param usage: what a language model took.
    """

    output: str
    n_texts: int
    left_out: LeftOutCounts
    usage: Usage | None = None

    def __str__(self) -> str:
        line = f"{self.output}: {self.n_texts} texts labelled"
        if self.left_out.n_texts:
            line += f", {self.left_out.n_texts} left out ({self.left_out}; {LEFT_OUT} lists them)"
        return line if self.usage is None else f"{line}\n{self.usage}"


def label_files(options: LabelOptions, progress: Progress = silent) -> LabelledTexts | RequestPlan | str:
    """Label the texts of files, in their order.

    :return: the transfer set; or what labelling would take, or the prompt of the first text, where these are asked for.
    :raises PotstillError: when there are none, the teacher cannot label them, or a place cannot be reached.
    """
    if asks_for_money(options.teacher):
        require("train", "pyarrow")
    else:
        require("train", "torch", "transformers", "pyarrow", "onnxscript")
    files = _find_files(options.input)
    if options.output and "://" not in options.output:
        check_apart(Path(options.output), [Path(options.input), *(Path(str(file.parent)) for file in files)])
    columns = options.columns.of_texts
    rows = {file.name: count_rows(file, columns) for file in files}
    texts = texts_of_files(files, sum(rows.values()), columns)
    teacher = _open_teacher(options, paired=has_pairs(files[0], columns))
    if isinstance(teacher, LanguageModelTeacher) and (options.show_prompt or options.plan):
        every = (text for shard in texts.shards() for text in shard)
        return teacher.show_prompt(next(every)) if options.show_prompt else teacher.plan(every)
    inputs = {
        "texts": {file.name: [rows[file.name], _size(file)] for file in files},
        "teacher": teacher.identity,
        **columns.as_inputs,
    }
    with _working_folder(options.output, inputs) as work:
        left_out = label_texts(texts, teacher, work, engine=options.engine, progress=progress)
    usage = teacher.usage if isinstance(teacher, LanguageModelTeacher) else None
    return LabelledTexts(options.output, texts.n_texts - left_out.n_texts, left_out, usage)


def _open_teacher(options: LabelOptions, *, paired: bool) -> Teacher:
    if not is_black_box(options.teacher):
        return open_teacher(options.teacher, backend=options.labelling)
    check_kind_of_texts(options.teacher, paired=paired)
    told = Told(None, options.labels, options.hypothesis, options.language_model, takes_pairs=paired)
    return open_black_box(options.teacher, told)


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
