"""A student as the files that the native core reads: its plan, and in 8-bit integers its weights."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece

from potstill.artifacts import PLAN_WEIGHTS, PLANS, WEIGHTS, atomic_file, write_json
from potstill.corpus.characters import reads_characters
from potstill.corpus.encoded import encode
from potstill.corpus.texts import Text
from potstill.corpus.words import is_piece
from potstill.errors import PotstillError
from potstill.model_folder import ModelFolder
from potstill.runtime.core_graph import CoreGraph, find_core
from potstill.runtime.word_encoder import splits_at_spaces
from potstill.students import StudentModel
from potstill.students.core_plan import FORMAT, CorePlan

TOLERANCE = 1e-4  # on the logits, between a model and its ONNX file or plan
_LENGTHS = (1, 17, 40)  # in words, of the texts that are compared
_SLACK = 64  # bytes that the core may read past the end of a table


def write_plan(model: StudentModel, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the plan of a student in floats, beside its weights; nothing where the core cannot run it.

    :raises PotstillError: when the core's logits differ.
    """
    if _has_plan(model, tokenizer):
        _write(model, tokenizer, CorePlan(model), folder, "fp32")
        _check(model, tokenizer, folder)


def write_int8_plan(model: StudentModel, tokenizer: Tokenizer, ranges: NDArray[np.float32], folder: Path) -> None:
    """Write the plan and the weights of a student in 8-bit integers; nothing where the core cannot run it.

    :param ranges: the calibration ranges of its activations, ``[n_activations, 2]``.
    """
    if _has_plan(model, tokenizer):
        _write(model, tokenizer, CorePlan(model, _merged(model, ranges)), folder, "int8")


def _merged(model: StudentModel, ranges: NDArray[np.float32]) -> NDArray[np.float32]:
    """Ranges of which a pair's two texts have one."""
    if not model.config.reads_pairs:
        return ranges
    counted = CorePlan(model)
    model.pool_to_plan(counted)
    n = counted.n_activations  # of one text
    first, second, head = np.split(ranges, [n, 2 * n])
    both = np.stack([np.minimum(first[:, 0], second[:, 0]), np.maximum(first[:, 1], second[:, 1])], axis=1)
    return np.concatenate([both, head])


def _has_plan(model: StudentModel, tokenizer: Tokenizer) -> bool:
    return model.has_plan() and splits_at_spaces(tokenizer)


def _write(model: StudentModel, tokenizer: Tokenizer, plan: CorePlan, folder: Path, precision: str) -> None:
    pooled = model.pool_to_plan(plan)
    assert pooled == len(plan.layers) - 1, "a pool's last layer gives the vector"
    pool = plan.layers
    model.head_to_plan(plan, plan.start_head())
    weights = WEIGHTS
    if plan.has_own_weights:
        weights, end = PLAN_WEIGHTS[precision], {"~end": np.zeros(_SLACK, np.uint8)}  # safetensors puts it last
        with atomic_file(folder / weights) as partial:
            save_file(plan.tensors | end, partial)
    write_json(
        folder / PLANS[precision],
        {
            "format": FORMAT,
            "weights": weights,
            "reads_pairs": bool(model.config.reads_pairs),
            "tokenizer": _kind(tokenizer),
            "pool": pool,
            "head": plan.layers,
        },
    )


def _kind(tokenizer: Tokenizer) -> dict[str, Any]:
    """What the core has to know of a tokenizer besides its vocabulary and marks."""
    normalizer = tokenizer.normalizer

    def normalized(text: str) -> str:
        return text if normalizer is None else str(normalizer.normalize_str(text))

    return {
        "reads": "characters" if reads_characters(tokenizer) else "words",
        "drops_invisible": normalized("a\u00adb") == "ab",
        "composes": normalized("e\u0301") == "\u00e9",
        "lowers": normalized("A") == "a",
        "has_pieces": isinstance(tokenizer.model, WordPiece),
    }


def _check(model: StudentModel, tokenizer: Tokenizer, folder: Path) -> None:
    """Compare the core's logits of random texts with the model's, where the core is built."""
    files = ModelFolder(folder).core_files("fp32")
    if not files or not find_core():
        return
    words = sorted(word for word in tokenizer.get_vocab() if not is_piece(word))
    graph = CoreGraph(files, int(model.config.num_labels or 0))
    texts: list[Text] = [" ".join(np.random.default_rng(length).choice(words, length).tolist()) for length in _LENGTHS]
    if model.config.reads_pairs:
        texts = [(str(text), str(texts[-1])) for text in texts]
    batch = encode(texts, tokenizer, separately=True).pad(np.arange(len(texts)), int(model.config.pad_token_id or 0))
    model.eval()  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        logits = model(**{name: torch.from_numpy(values) for name, values in batch.items()}).logits
    expected = logits.numpy()
    error = float(np.abs(graph.logits(graph.encode(texts)) - expected).max())
    if not error <= TOLERANCE:
        raise PotstillError(f"{files.plan}: the core's logits are off by {error:.2g}: not usable, please report it")
