"""An encoder as a :class:`~potstill.teachers.Teacher` whose "logits" are a text's sentence vector."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from potstill.corpus.encoded import encode, limited, tokenizer_hash
from potstill.corpus.texts import Text
from potstill.errors import PotstillError
from potstill.model_folder import ModelFolder
from potstill.progress import Progress, silent
from potstill.teachers.checkpoints import TextForm, open_bare_encoder, open_tokenizer, resolve
from potstill.teachers.inference import Model, has_native_bf16, predict_logits


class SentenceEncoder:
    """The mean of an encoder's last states over a text's tokens, scaled to length 1, as Sentence Transformers has it.

    A student that learns it knows how words make a sentence before it sees a task.

    :param source: a folder, a name on the hub, or a package.
    :param n_ctx: its longest text in tokens.
    :raises PotstillError: when there is no such encoder, or it gives no states of tokens.
    """

    def __init__(self, source: str, *, n_ctx: int = 64) -> None:
        self._source = source
        self._n_ctx = n_ctx
        self._model = open_bare_encoder(source)
        self._tokenizer = open_tokenizer(source, TextForm(n_ctx=n_ctx))

    @property
    def labels(self) -> list[str]:
        """The numbers of the vector's dimensions."""
        return [str(index) for index in range(int(self._model.config.hidden_size))]

    @cached_property
    def identity(self) -> str:
        """The hashes of local weights (else the name on the hub) and of the tokenizer, and the longest text."""
        weights = ModelFolder(Path(resolve(self._source))).weights_hash or self._source
        return f"sentence vectors {weights} {tokenizer_hash(self._tokenizer.backend_tokenizer)} {self._n_ctx}"

    def __getstate__(self) -> dict[str, Any]:
        """Its state, without what each process opens for itself."""
        return {name: value for name, value in vars(self).items() if name not in ("_run", "_limited")}

    @cached_property
    def _limited(self) -> Any:
        return limited(self._tokenizer.backend_tokenizer, self._n_ctx)

    @cached_property
    def _run(self) -> Model:
        model: Any = self._model.eval()
        model.to("cuda" if torch.cuda.is_available() else "cpu")
        bf16 = model.device.type == "cuda" or has_native_bf16()

        def run(batch: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
            inputs = {name: torch.from_numpy(array).to(model.device) for name, array in batch.items()}
            with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
                states = model(**inputs)[0].float()  # [rows, length, hidden_size]
            mask = inputs["attention_mask"].unsqueeze(-1)
            means = (states * mask).sum(dim=1) / mask.sum(dim=1)
            vectors: NDArray[np.float32] = functional.normalize(means, dim=1).cpu().numpy()
            return vectors

        return run

    def check(self, texts: Sequence[Text]) -> None:
        """Check that it gives vectors."""
        vectors = self(texts[:2])
        if not np.isfinite(vectors).all() or float(np.ptp(vectors)) == 0.0:
            raise PotstillError(f"{self._source}: it gives no sentence vectors: give another encoder")

    def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
        """The texts' vectors, float32 ``[len(texts), hidden_size]``."""
        encoded = encode(texts, self._limited)
        return predict_logits(self._run, encoded, pad_id=self._model.config.pad_token_id or 0, progress=progress)
