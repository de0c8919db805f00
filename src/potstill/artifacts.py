"""Every file name of an artifact, and the only ways to write one: whole or not at all, manifest last.

A folder is an artifact when its ``manifest.json`` exists and the files it lists have the sizes it lists; anything else
is work in progress: one rule for all of them. Sizes are cheap to read and show an interrupted write. The hashes, which
the manifest lists too, are for :mod:`potstill.manifests`. Knows nothing of what the files mean.
"""

import errno
import json
import logging
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from potstill.errors import PotstillError
from potstill.files import beside, reading, target_of
from potstill.locks import Locked, lock_of, locked

if TYPE_CHECKING:
    from upath import UPath

logger = logging.getLogger(__name__)

_UNWRITABLE = (
    errno.EACCES, errno.EBUSY, errno.EDQUOT, errno.EEXIST, errno.EFBIG, errno.EIO, errno.EISDIR, errno.ELOOP,
    errno.ENAMETOOLONG, errno.ENODEV, errno.ENOSPC, errno.ENOTDIR, errno.ENXIO, errno.EPERM, errno.EROFS,
)  # fmt: skip
_PATIENCE = 5.0  # seconds: most files are written in less
_CUT_SHORT = re.compile(r"requested and \d+ written|unexpected pos \d+ vs|PytorchStreamWriter")  # numpy's, torch's

MANIFEST, HASHES = "manifest.json", "hashes"
# In every manifest and in run.json; to be raised when anything that is read back changes, such as an option of a run.
FORMAT = 4
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
ONNX_MODEL = "model.onnx"
ONNX_INT8 = "model.int8.onnx"
ONNX_FILES = {"fp32": ONNX_MODEL, "int8": ONNX_INT8}  # by precision
PRECISION = "precision.json"
TEMPERATURE = "calibration_temperature"  # in config.json; transformers keeps "temperature" for text generation
THRESHOLDS = "label_thresholds"  # in config.json, where a text may have several labels
CONFIDENCE = "confidence_thresholds"  # in config.json: by name, what potstill threshold found
LONG_TEXTS = "long_texts"  # in config.json: how a transformer reads texts that are longer than its window
WEIGHTS = "model.safetensors"
# What the native core reads, by precision: the plan of a student's layers, and their weights. The plan names their
# file: the model's own where it has them in the form that the core reads.
PLANS = {"fp32": "plan.json", "int8": "plan.int8.json"}
PLAN_WEIGHTS = {"fp32": "plan.safetensors", "int8": "plan.int8.safetensors"}
EMBEDDING = "embedding.npy"
LABELS = "label.txt"
RAW = "augmented.raw"  # the recipe's new texts, which the teacher is to label
TRANSFER = "augmented.txt"  # the recipe's transfer set
TRAINING = "training.json"
TEACHER = "teacher.json"  # what a black box tells of itself
RUN = "run.json"
RUN_LOCK = ".run.lock"
EXPORT_LOCK = ".export.lock"  # in a model's folder, while its files change
EVALUATION = "evaluation.json"
REPORT = "report.html"
CARD = "README.md"  # of a student: the hub's name for a model card
LABELLED = "labelled"  # folder of a run: texts without gold labels with the teacher's logits
TEXTS = "texts.parquet"  # what the teacher is to label
LEFT_OUT = "left_out.jsonl"  # of a transfer set: the texts that the teacher has no answer for
BENCH, BENCH_PLOT = "bench.json", "bench.svg"
ENCODED_SUFFIX = {"teacher": ".fs", "student": ".ids"}


def _remove_tree(folder: Path, *, ignore_errors: bool = False) -> None:
    import shutil  # here: potstill.load to the first answer does without it

    shutil.rmtree(folder, ignore_errors=ignore_errors)


def shard_name(index: int) -> str:
    """The file name of one Parquet shard."""
    return f"part-{index:05d}.parquet"


def left_out_name(index: int) -> str:
    """The file name of the texts that a shard lacks, while the folder is made."""
    return f".left_out-{index:05d}.jsonl"


def shards(folder: "Path | UPath") -> list[Path]:
    """The Parquet shards of a folder, in order."""
    files: Iterable[Any] = folder.glob("part-*.parquet")
    return sorted(files)


def hash_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    :raises PotstillError: when it cannot be read.
    """
    with reading(Path(str(path))), path.open("rb") as file:
        return _digest(file)


def _digest(file: BinaryIO) -> str:
    import hashlib  # here: potstill.load to the first answer does without it

    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def hash_json(value: object) -> str:
    """The SHA-256 of a value's JSON form with sorted keys: equal values, equal hash."""
    import hashlib

    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def read_json(path: "Path | UPath") -> Any:
    """Read a JSON file.

    :raises PotstillError: when it is missing or is not JSON.
    """
    try:
        with reading(Path(str(path))):
            return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # not JSON or not UTF-8; a number or a nesting beyond Python's limits
        raise PotstillError(f"{path}: not a JSON file ({error}); was it cut short or edited?") from None


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    :raises PotstillError: when it is missing or holds anything else.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise PotstillError(f"{path}: not a JSON object; was it cut short or edited?")
    return value


def write_json(path: Path, value: object) -> None:
    """Write a JSON file whole or not at all."""
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def working_folder(folder: Path) -> Path:
    """The folder in which :func:`atomic_folder` has an artifact made, for a process that only reads it."""
    return _partial(folder)


def _partial(path: Path) -> Path:
    return beside(path, "partial")


def _replaced(path: Path) -> Path:
    return beside(path, "replaced")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failed write (no room, no permission, not a folder) into one line that names the place."""
    try:
        yield
    except PotstillError:
        raise
    except Exception as error:
        reason = _why_unwritable(error)
        if reason is None:
            raise
        if (other := _other_place(error, path)) is not None:
            raise PotstillError(
                f"{other}: cannot be read or written ({reason}); free the place or choose another"
            ) from error
        raise PotstillError(f"{path}: cannot write here ({reason}); free the place or choose another") from error


def _why_unwritable(error: Exception) -> str | None:
    """Why a write failed; None for another error."""
    code, text = getattr(error, "errno", None), str(error)
    if code in _UNWRITABLE:
        return os.strerror(code)
    if code is not None:
        return None
    if _CUT_SHORT.search(text):
        return "not all was written; is the disk full?"
    # safetensors and tokenizers give the system's words alone.
    return next((os.strerror(code) for code in _UNWRITABLE if os.strerror(code) in text), None)


def _other_place(error: Exception, path: Path) -> str | None:
    """The file that an error names, if it is not where we write: one that was read for it."""
    name = getattr(error, "filename", None)
    if not isinstance(name, str):
        return None
    place, named = path.absolute(), Path(name).absolute()
    is_ours = any(named.is_relative_to(own.parent) for own in (place, target_of(place)))
    return None if is_ours or place.is_relative_to(named) else name


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write; on success it becomes ``path``, on failure it is removed.

    A link stays: its target is replaced. A device or a pipe, which no file can take the place of, is given itself.
    The file has the mode that any new one has, also where a library wrote it through a private file of its own.

    :raises PotstillError: when the place cannot be written, or another process writes it for long.
    """
    with writing(path):
        if _is_stream(path):
            yield path
            return
        path, partial = target_of(path), _partial(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path, patience=_PATIENCE):  # two at once would write into one temporary file
            try:
                partial.unlink(missing_ok=True)
                partial.touch()
                mode = partial.stat().st_mode
                yield partial
                _flush(partial, mode)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)


def _is_stream(path: Path) -> bool:
    """Whether a path is a device or a pipe: it is written to, never replaced.

    :raises OSError: when it is a folder.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return not stat.S_ISREG(mode)


def _flush(file: Path, mode: int) -> None:
    """Give a new file its mode, and have it on the disk."""
    if file.stat().st_mode != mode:
        file.chmod(stat.S_IMODE(mode))
    with file.open("r+b") as opened:  # Windows syncs no file that is open for reading alone
        os.fsync(opened.fileno())


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a complete folder, or None when there is none or a file of it is missing or short."""
    if lock_of(folder).exists() or _replaced(folder).is_dir() or _complete_manifest(_partial(folder)) is not None:
        # Where another process works on it, or nothing can be written, it is read as it is.
        with suppress(Locked, OSError), locked(folder):
            _settle(folder)
    return _complete_manifest(folder)


def peek_manifest(folder: Path) -> dict[str, Any] | None:
    """The same, without finishing a replacement that a kill interrupted: nothing is changed."""
    return _complete_manifest(_partial(folder)) or _complete_manifest(folder)


def _complete_manifest(folder: Path) -> dict[str, Any] | None:
    manifest = own_manifest(folder)
    if manifest is None:
        return None
    for name, size in manifest["files"].items():
        file = folder / name
        if not file.is_file() or file.stat().st_size != size:
            return None
    return manifest


def own_manifest(folder: "Path | UPath") -> dict[str, Any] | None:
    """The manifest that potstill wrote; other programs have files of that name too.

    :raises PotstillError: when another version wrote it, in another format.
    """
    if not (folder / MANIFEST).is_file():
        return None
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or not all(isinstance(manifest.get(part), dict) for part in ("inputs", "files")):
        return None
    check_format(folder, MANIFEST, manifest)
    return manifest if isinstance(manifest.get(HASHES), dict) else None


def check_format(folder: "Path | UPath", name: str, content: dict[str, Any]) -> None:
    """Check that this version reads a folder.

    :param content: of its file ``name``, which has the number of the folder's format.
    :raises PotstillError: when the number is another one, or missing.
    """
    if content.get("format") != FORMAT:
        number = f"format {content['format']}" if "format" in content else "no format number"
        raise PotstillError(
            f"{folder}: made by another version of potstill: its {name} has {number}, this version reads format "
            f"{FORMAT}; choose another --out or name, remove the folder, or install the version that made it"
        )


def check_replaceable(folder: Path) -> None:
    """Check that an artifact may be made there; nothing is changed.

    :raises PotstillError: when there is something that potstill has not made.
    """
    if not _may_be_replaced(folder):
        raise not_ours(folder)


def not_ours(path: Path) -> PotstillError:
    """The error for something in the way of what potstill makes."""
    return PotstillError(f"{path}: exists and was not made by potstill: choose another name, or remove it")


def _may_be_replaced(folder: Path) -> bool:
    """Whether there is nothing, an empty folder, or one that potstill made."""
    return not folder.exists() or own_manifest(folder) is not None or (folder.is_dir() and not has_files(folder))


def has_files(folder: Path) -> bool:
    """Whether a folder has anything but hidden files, which a kill may have left."""
    return any(not path.name.startswith(".") for path in folder.iterdir())


def _settle(folder: Path) -> None:
    """Finish a replacement that a kill interrupted, if the new folder is complete; else restore the old one."""
    folder = target_of(folder)
    if _complete_manifest(_partial(folder)) is not None and _may_be_replaced(folder):
        _put_in_place(folder)
    elif folder.exists():
        _remove_tree(_replaced(folder), ignore_errors=True)
    elif _replaced(folder).is_dir():
        _replaced(folder).rename(folder)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name (a hard link); where the file system cannot, copy it. An older ``target`` goes."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        import shutil

        shutil.copy2(source, target)


@contextmanager
def atomic_folder(folder: Path, inputs: dict[str, Any]) -> Iterator[Path]:
    """Give a working folder; on success it gets a manifest and takes the place of ``folder``.

    The working folder outlives a failure: the next call resumes in it if it has the same inputs; else it starts with an
    empty one. Files whose name starts with a dot are scratch and are dropped at the end.

    :param folder: the artifact; an older one stays untouched until the new one is complete. A link to it stays a link.
    :param inputs: what the artifact depends on, in JSON form; kept in the manifest.
    :raises PotstillError: when the place cannot be written, another process works on it, or something is there that
        potstill has not made.
    """
    folder, work = target_of(folder), _partial(folder)
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            _settle(folder)
            check_replaceable(folder)
            _prepare_work(work, inputs)
            yield work
            write_manifest(work, inputs)  # a kill before this line leaves the old folder, one after it the new one
            _put_in_place(folder)


def _prepare_work(work: Path, inputs: dict[str, Any]) -> None:
    mark = work / ".inputs"
    begun_from = hash_json({"format": FORMAT, "inputs": inputs})
    if mark.is_file() and mark.read_text() == begun_from:
        return
    if work.exists():
        logger.info("%s: was begun from other inputs: starting again", work)
        mark.unlink(missing_ok=True)  # first: a kill in between must leave nothing to resume
        _remove_tree(work)
    work.mkdir(parents=True)
    mark.write_text(begun_from)


def _put_in_place(folder: Path) -> None:
    """Replace ``folder`` by its working folder, which is complete, without scratch."""
    work = _partial(folder)
    for scratch in work.glob(".*"):
        _remove_tree(scratch) if scratch.is_dir() else scratch.unlink()
    _remove_tree(_replaced(folder), ignore_errors=True)
    if folder.exists():
        folder.rename(_replaced(folder))
    work.rename(folder)
    _remove_tree(_replaced(folder), ignore_errors=True)


def write_manifest(folder: Path, inputs: dict[str, Any]) -> None:
    """Declare a folder complete: list its files, all but those whose name starts with a dot.

    :param inputs: what it was made from, in JSON form.
    """
    write_json(folder / MANIFEST, new_manifest(inputs, describe_files(folder, artifact_files(folder))))


def new_manifest(inputs: dict[str, Any], files: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The content of a manifest.

    :param inputs: what the folder was made from, in JSON form.
    :param files: their sizes and hashes by name, as :func:`describe_files` gives them.
    """
    return {"format": FORMAT, "inputs": inputs, **files}


def artifact_files(folder: Path) -> list[Path]:
    """The files of an artifact, in order, without its manifest and without scratch."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file != folder / MANIFEST]
    return [file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts)]


def describe_files(folder: Path, files: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Sizes and hashes by name; the files are flushed to the disk first, and get the mode that a new file has.

    Libraries write some through a private temporary file, which another user, such as a container's, could not read.
    """
    sizes: dict[str, int] = {}
    hashes: dict[str, str] = {}
    mode = _mode_of_new_files(folder)
    for path in files:
        _flush(path, mode)
        with path.open("rb") as file:
            sizes[path.relative_to(folder).as_posix()] = path.stat().st_size
            hashes[path.relative_to(folder).as_posix()] = _digest(file)
    return {"files": sizes, HASHES: hashes}


def _mode_of_new_files(folder: Path) -> int:
    """What the umask, or the folder's access list, says: a file tells, and no other thread's umask is changed."""
    probe = folder / ".mode"
    probe.touch()
    mode = probe.stat().st_mode
    probe.unlink()
    return mode
