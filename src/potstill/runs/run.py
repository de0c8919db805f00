"""A run folder: stages that are done once, again when what they depend on changes, and resumed when killed."""

import importlib.metadata
import logging
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from potstill.artifacts import RUN, atomic_folder, hash_json, read_json, read_manifest, write_json

logger = logging.getLogger(__name__)

_RECORDED = (
    "potstill", "torch", "transformers", "tokenizers", "onnxruntime", "datasets", "numpy", "spacy",
    "kiwipiepy", "python-mecab-ko",
)  # fmt: skip


class Run:
    """One run folder and its ``run.json``.

    :param folder: made where missing.
    :param config: the resolved options, for the record.
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder = folder
        self._hashes: dict[str, str] = {}
        self._record: dict[str, Any] = {
            "config": config,
            "versions": _versions(),
            "data": {},
            "stages": read_json(folder / RUN).get("stages", {}) if (folder / RUN).is_file() else {},
        }
        self._write()

    def record_data(self, hashes: dict[str, str]) -> None:
        """Keep the hashes of the data's sources."""
        self._record["data"] = hashes
        self._write()

    def is_done(self, name: str) -> bool:
        """Whether this object has made a stage, or found it made."""
        return name in self._hashes

    def stage(self, name: str, inputs: dict[str, Any], after: list[str], build: Callable[[Path], None]) -> Path:
        """Make a stage's folder, unless it is there already from the same inputs.

        :param name: of the stage and its folder.
        :param inputs: the options that it depends on, in JSON form.
        :param after: the stages whose folders it reads.
        :param build: writes the stage's files into the folder it is given; called again after a kill, it goes
            on from the files it finds there.
        :return: the folder.
        """
        inputs = inputs | {stage: self._hashes[stage] for stage in after}
        self._hashes[name] = hash_json(inputs)
        folder = self.folder / name
        manifest = read_manifest(folder)
        if manifest is not None and manifest["inputs"] == inputs:
            logger.info("%s: done already", name)
            if self._record["stages"].get(name, {}).get("inputs") != self._hashes[name]:
                self._note(name, None)  # it was killed between the stage's last step and this
            return folder
        if manifest is not None:
            logger.info("%s: again, because %s", name, _changes(manifest["inputs"], inputs))
        began = time.time()
        with atomic_folder(folder, inputs) as work:
            build(work)
        self._note(name, round(time.time() - began, 1))
        return folder

    def _note(self, name: str, seconds: float | None) -> None:
        self._record["stages"][name] = {"inputs": self._hashes[name], "seconds": seconds}
        self._write()

    def _write(self) -> None:
        write_json(self.folder / RUN, self._record)


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _RECORDED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _changes(old: dict[str, Any], new: dict[str, Any]) -> str:
    """What differs, in words: options with both values, earlier stages by name."""
    changes = []
    for name in sorted(set(old) | set(new)):
        if old.get(name) == new.get(name):
            continue
        values = [str(side.get(name)) for side in (old, new)]
        long = max(map(len, values)) > 40
        changes.append(f"{name} changed" if long else f"{name} was {values[0]} and is {values[1]}")
    return ", ".join(changes)
