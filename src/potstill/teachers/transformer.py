"""A fine-tuned transformer as a :class:`~potstill.teachers.Teacher`: tokenises, runs in torch or ONNX Runtime."""

import logging
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from potstill.artifacts import LONG_TEXTS, ONNX_MODEL, hash_json, writing
from potstill.corpus.encoded import tokenizer_hash, with_masks
from potstill.corpus.texts import LongTexts, Text
from potstill.corpus.windows import WindowEncoder
from potstill.corpus.words import MASK
from potstill.errors import PotstillError
from potstill.export.onnx_files import export_onnx, quantize
from potstill.model_folder import ModelFolder
from potstill.progress import Progress, silent
from potstill.tasks import find_task
from potstill.teachers import Backend
from potstill.teachers.checkpoints import Checkpoint
from potstill.teachers.inference import Model, in_onnx, in_torch, predict_logits

logger = logging.getLogger(__name__)

# The other backends log how far their logits are off. torch is the default: ONNX Runtime in fp32 is no faster at equal
# logits (235 and 234 texts a second, MiniLM-L6, one thread) and needs an export first.
_EXACT = ("torch", "onnx")
_COMPARED = 256  # texts on which a less exact backend is compared with torch


class TransformerTeacher:
    """A classifier that is fine-tuned already. Its backend is opened at the first call, in each process again.

    :param source: the folder of the checkpoint, or its name on the hub.
    :param n_ctx: its longest text in tokens; default: as its tokenizer says.
    :raises PotstillError: when it takes fewer tokens than ``n_ctx``.
    """

    def __init__(
        self, checkpoint: Checkpoint, source: str, *, backend: Backend = "torch", n_ctx: int | None = None
    ) -> None:
        self._checkpoint = checkpoint
        self._source = source
        self._backend = backend
        longest = checkpoint.tokenizer.model_max_length
        self._n_ctx = longest if n_ctx is None else n_ctx
        if self._n_ctx > longest:
            raise PotstillError(f"{source}: takes {longest} tokens at most, n_ctx is {self._n_ctx}")

    @property
    def labels(self) -> list[str]:
        """The label of each logit."""
        return self._checkpoint.labels

    @cached_property
    def identity(self) -> str:
        """The hashes of local weights (else the name on the hub), of the tokenizer and the labels; the backend and the
        longest text."""
        weights = ModelFolder(Path(self._source)).weights_hash or self._source
        tokenizer = tokenizer_hash(self._checkpoint.tokenizer.backend_tokenizer)
        return f"{weights} {tokenizer} {hash_json(self.labels)} {self._backend} {self._n_ctx} {self._long_texts}"

    def __getstate__(self) -> dict[str, Any]:
        """Its state, without what each process opens for itself."""
        return {name: value for name, value in vars(self).items() if name not in ("run", "_encoder")}

    @cached_property
    def _encoder(self) -> WindowEncoder:
        return WindowEncoder(self._checkpoint.tokenizer.backend_tokenizer, self._n_ctx, self._long_texts)

    @property
    def _long_texts(self) -> LongTexts:
        how: LongTexts = getattr(self._checkpoint.model.config, LONG_TEXTS, "mean")
        return how

    @cached_property
    def run(self) -> Model:
        """The backend: a padded batch to logits."""
        with tempfile.TemporaryDirectory() as scratch, writing(Path(scratch)):
            return self._open(Path(scratch))

    def _open(self, scratch: Path) -> Model:
        """In torch on a GPU where there is one, in ONNX Runtime on the CPU.

        :param scratch: folder for the files that it needs while it is opened.
        """
        if self._backend in ("torch", "torch-bf16"):
            model: Any = self._checkpoint.model
            device = "cuda" if torch.cuda.is_available() else "cpu"
            return in_torch(model.to(device), bf16=self._backend == "torch-bf16")
        file = scratch / ONNX_MODEL
        export_onnx(self._checkpoint.model, self._checkpoint.tokenizer.model_input_names, file)
        return in_onnx(quantize(file) if self._backend == "onnx-int8" else file)

    def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
        """The logits of texts, float32 ``[len(texts), n_labels]``."""
        return self._logits(self.run, texts, progress)

    def _logits(self, run: Model, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
        # Each model reads its own mask token: one set of new texts serves every teacher.
        mask_token = self._checkpoint.tokenizer.mask_token or MASK
        pad_id = self._checkpoint.model.config.pad_token_id or 0
        # Not tokenised ahead in a thread: it is 0.6% of the time with MiniLM-L6 in fp32 on a CPU, 1.5% in int8.
        windows = self._encoder(with_masks(texts, mask_token))
        logits = predict_logits(run, windows.encoded, pad_id=pad_id, progress=progress)
        return windows.join(logits, find_task(self._checkpoint.model.config.problem_type))

    def check(self, texts: Sequence[Text]) -> None:
        """Log how far a less exact backend's logits are from torch's in fp32."""
        if self._backend in _EXACT:
            return
        sample = texts[:_COMPARED]
        exact = self._logits(in_torch(self._checkpoint.model), sample)
        inexact, task = self(sample), find_task(self._checkpoint.model.config.problem_type)
        logger.info(
            "labelling in %s: logits off by %.3f on average (their standard deviation is %.3f), %.1f%% of labels the "
            "same",
            self._backend,
            float(np.abs(inexact - exact).mean()),
            float(exact.std()),
            100 * float(task.is_right(task.decide(inexact), task.decide(exact)).mean()),
        )
