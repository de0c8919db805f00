"""An artifact's manifest once it is written: what was altered since, and how files are replaced under it.

A run that goes on compares sizes alone. Hashes are compared for a training's checkpoint, which would spoil hours
unseen if it were damaged, and by ``potstill verify``.
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
    """What in a folder is not as its manifest says, a line each: every file is read and hashed."""
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
    except OSError as error:
        return f"{file}: cannot be read ({error.strerror})"
    return f"{file}: was altered: its hash is not the one in {MANIFEST}" if altered else None


@contextmanager
def replacing(folder: Path, names: Collection[str]) -> Iterator[None]:
    """Let files of an artifact be added, replaced or removed: they leave its manifest first and come back last.

    At no point does the manifest list what is not there: killed in between, the folder is complete without them. A
    folder without a manifest gets none.

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
