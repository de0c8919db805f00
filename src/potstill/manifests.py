"""An artifact's manifest after it is written: finding altered files, and replacing files that it lists.

A run that is resumed compares only sizes. Hashes are compared by ``potstill verify``, and for a training's checkpoint:
a damaged one could spoil hours of training unnoticed.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from potstill.artifacts import (
    HASHES,
    MANIFEST,
    artifact_files,
    describe_files,
    hash_file,
    own_manifest,
    write_json,
)
from potstill.errors import PotstillError


def find_faults(folder: Path) -> list[str]:
    """The differences between a folder and its manifest, a line each: every file is read and hashed."""
    try:
        manifest = own_manifest(folder)
    except PotstillError as error:
        return [str(error)]
    if manifest is None:
        return [f"{folder}: has no {MANIFEST} of potstill's: not complete, or not made by it"]
    faults = [fault for name in manifest["files"] if (fault := _file_fault(folder, name, manifest))]
    unknown = [file for file in artifact_files(folder) if str(file.relative_to(folder)) not in manifest["files"]]
    return faults + [f"{file}: is not listed in {MANIFEST}" for file in unknown]


def _file_fault(folder: Path, name: str, manifest: dict[str, Any]) -> str | None:
    file, expected = folder / name, manifest["files"][name]
    if not file.is_file():
        return f"{file}: is missing"
    size = file.stat().st_size
    if size != expected:
        return f"{file}: has {size} bytes, {MANIFEST} says {expected}"
    try:
        altered = hash_file(file) != manifest[HASHES].get(name)
    except PotstillError as error:
        return str(error)
    return f"{file}: was altered: its hash is not the one in {MANIFEST}" if altered else None


@contextmanager
def replacing(folder: Path, names: Collection[str]) -> Iterator[None]:
    """Let files of an artifact be added, replaced or removed: its manifest omits them first and lists them again last.

    So the manifest never lists a missing file: after a kill in between, the folder is complete without them. A folder
    without a manifest gets none.

    :param names: of all files that change.
    """
    manifest = own_manifest(folder)
    if manifest is None:
        yield
        return
    rest = {
        part: {name: value for name, value in manifest[part].items() if name not in names} for part in ("files", HASHES)
    }
    write_json(folder / MANIFEST, manifest | rest)
    yield
    changed = [file for file in artifact_files(folder) if str(file.relative_to(folder)) in names]
    listed = {part: rest[part] | new for part, new in describe_files(folder, changed).items()}
    write_json(folder / MANIFEST, manifest | listed)
