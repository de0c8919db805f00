"""A trained model as bytes in memory: what holds one can be pickled, copied and sent without the model's folder."""

import os
import shutil
import tempfile
import weakref
from functools import cached_property
from pathlib import Path
from typing import Any

from potstill.artifacts import TOKENIZER_CONFIG, writing
from potstill.files import reading
from potstill.model_folder import ModelFolder
from potstill.runtime.classifier import Classifier, load
from potstill.runtime.core_graph import find_core


class PackedModel:
    """The files of a model that are deployed, and the classifier that they make, opened at its first use.

    :param folder: of a student, or of an exported teacher; it is not needed again.
    :param threads: as of :func:`~potstill.runtime.classifier.load`.
    """

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        model = ModelFolder(folder)
        files = model.files("fp32") if find_core() else model.onnx_files("fp32")
        with reading(folder):
            optional = [path for path in (folder / TOKENIZER_CONFIG,) if path.is_file()]
            self._files = {path.name: path.read_bytes() for path in (*files, *optional)}
        self._threads = threads

    def __getstate__(self) -> dict[str, Any]:
        """The bytes, without what each process opens for itself."""
        return {"_files": self._files, "_threads": self._threads}

    @property
    def megabytes(self) -> float:
        """The size of the files in 10^6 bytes."""
        return sum(map(len, self._files.values())) / 1e6

    @cached_property
    def classifier(self) -> Classifier:
        """The model, ready to predict."""
        # A folder of its own, as long as this lives: a forked process opens the graph again.
        folder = Path(tempfile.mkdtemp(prefix="potstill-"))
        weakref.finalize(self, _remove, folder, os.getpid())
        with writing(folder):
            for name, content in self._files.items():
                (folder / name).write_bytes(content)
        return load(folder, self._threads)


def _remove(folder: Path, process: int) -> None:
    """Remove the folder, but not where a forked process ends that only has a copy."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
