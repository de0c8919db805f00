"""An ONNX file that is open in ONNX Runtime: its inputs checked, its memory limited, its failures one line."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from potstill.corpus.safe_loading import DAMAGED, OneLineErrors
from potstill.errors import PotstillError
from potstill.forks import PerProcess
from potstill.runtime.memory import LIMIT, limit_memory

UNFIT = "the model does not belong to its tokenizer or configuration, or is damaged; export it again"
_INPUTS = frozenset({"input_ids", "pair_input_ids", "attention_mask", "token_type_ids"})
_TOO_LARGE = (
    f"the model needs more than {LIMIT >> 30} GB of memory for these texts: give shorter ones, or fewer at once"
)
_LARGE = 1 << 13  # tokens of a batch whose memory is given back: a text of a book's length takes gigabytes
_NO_MEMORY = "bfc_arena"  # in ONNX Runtime's message when its arena has no more


class OnnxSession:
    """A model's ONNX file; any number of threads may run it at once.

    :param threads: that work on one call of :meth:`run`.
    :ivar inputs: the names of what it takes.
    :ivar takes_one: whether it takes a single text at a time.
    :raises PotstillError: when the file is damaged, or does not take what a tokenizer gives.
    """

    def __init__(self, file: Path, n_labels: int, threads: int) -> None:
        self._n_labels = n_labels
        place = str(file.absolute())  # a child process may open it again, from another folder
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what is wrong is raised
        # Tried for students and lost: no memory patterns (3 microseconds slower), no arena (the same).
        limit_memory(options)
        with OneLineErrors(DAMAGED, file):
            # From 1.24 on ONNX Runtime takes no weights from outside of the file's folder: 1.20 and 1.23 took them from
            # ../secret, an absolute path or a symbolic link.
            self._session = PerProcess(
                lambda: onnxruntime.InferenceSession(
                    place, options, ["CPUExecutionProvider"], enable_fallback=0
                )  # there is no other to fall back to, and trying it is told on standard output
            )
            inputs, outputs = self._session.get().get_inputs(), self._session.get().get_outputs()
            fits = [node.name in _INPUTS and node.type == "tensor(int64)" and len(node.shape) == 2 for node in inputs]
        if not fits or not all(fits) or outputs[0].type != "tensor(float)":
            raise PotstillError(f"{file}: does not take a tokenizer's numbers and give logits; export the model again")
        self.inputs = [node.name for node in inputs]
        self.takes_one = inputs[0].shape[0] == 1

    def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The logits of one batch, float32 ``[n_texts, n_labels]``.

        :param inputs: int64 ``[n_texts, length]`` by name.
        :raises PotstillError: when the graph fails, or gives another shape.
        """
        # The arena keeps what a batch has taken, for the next one; shrinking it each time would make every call slower.
        settings = _shrinking() if inputs["input_ids"].size > _LARGE else None
        with OneLineErrors(UNFIT):
            try:
                logits: NDArray[np.float32] = self._session.get().run(None, inputs, settings)[0]
            except Exception as error:
                if _NO_MEMORY in str(error):
                    raise PotstillError(_TOO_LARGE) from None
                raise
        expected = (len(inputs["input_ids"]), self._n_labels)
        if logits.shape != expected:
            raise PotstillError(f"{UNFIT} (it gives {logits.shape} for {expected} texts and labels)")
        return logits

    def empty_logits(self, n_texts: int) -> NDArray[np.float32]:
        """Logits to be filled in, float32 ``[n_texts, n_labels]``."""
        return np.zeros((n_texts, self._n_labels), dtype=np.float32)


def _shrinking() -> onnxruntime.RunOptions:
    """The settings of a run after which the arena gives back what it does not use."""
    settings = onnxruntime.RunOptions()
    settings.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return settings
