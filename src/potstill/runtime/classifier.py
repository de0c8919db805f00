"""Raw text to labels with a model folder: ``config.json``, ``tokenizer.json`` and an ONNX file.

Runs students and, from the same three files, teachers. Needs neither torch nor transformers.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from potstill.corpus.encoded import Encoded, Text, encode, token_batches
from potstill.corpus.examples import has_half
from potstill.corpus.safe_loading import DAMAGED, OneLineErrors, open_tokenizer
from potstill.errors import PotstillError
from potstill.model_folder import ModelFolder
from potstill.morphology import morpheme_splitter
from potstill.runtime.hub import find_folder
from potstill.runtime.memory import LIMIT, limit_memory
from potstill.runtime.threads import available_cpus
from potstill.runtime.word_encoder import WordEncoder, splits_at_spaces
from potstill.tasks import Task, find_task

_TOKEN_BUDGET = 4096  # of a padded batch
_WORD_BUDGET = 1024  # of a batch of texts of one length: what its layers give stays in the cache
_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})
_UNFIT = "the model does not belong to its tokenizer or configuration, or is damaged; export it again"
_TOO_LARGE = (
    f"the model needs more than {LIMIT >> 30} GB of memory for these texts: give shorter ones, or fewer at once"
)
_NO_MEMORY = "bfc_arena"  # stands in ONNX Runtime's message when its arena has no more


class Classifier:
    """A text classifier; make one with :func:`load`. Any number of threads may use it at once.

    :ivar classes_: the labels, in the order of the logits, as scikit-learn names them.
    :ivar temperature: what the logits are divided by before they become probabilities.
    :ivar task: how logits become decisions and probabilities.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        tokenizer: Tokenizer,
        labels: list[str],
        *,
        pad_id: int,
        temperature: float,
        task: Task,
        threads: int,
        split: Callable[[Sequence[str]], list[str]] | None = None,
    ) -> None:
        self.classes_ = np.array(labels, dtype=object)
        self._session = session
        self._tokenizer = tokenizer
        self._pad_id = pad_id
        self.temperature = temperature
        self.task = task
        self._split = split
        self._inputs = [given.name for given in session.get_inputs()]
        self._takes_one = session.get_inputs()[0].shape[0] == 1
        self._words = WordEncoder(tokenizer) if splits_at_spaces(tokenizer) else None
        self._pool = ThreadPoolExecutor(threads) if self._is_student and threads > 1 else None

    @property
    def _is_student(self) -> bool:
        """Whether the graph takes texts of one length, without a mask."""
        return self._inputs == ["input_ids"]

    def logits(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """The model's logits.

        :param texts: raw texts; pairs of texts for a teacher of pairs.
        :return: float32 ``[len(texts), len(classes_)]``.
        :raises PotstillError: for an empty text, or one that is not Unicode.
        """
        if isinstance(texts, str):
            raise PotstillError("predict takes a list of texts: write [text] for one")
        for number, text in enumerate(texts, start=1):
            for part in (text,) if isinstance(text, str) else text:
                if not part or part.isspace():
                    raise PotstillError(f"text {number} is empty: give it words or leave it out")
                if has_half(part):
                    raise PotstillError(f"text {number} has half a surrogate pair: give valid Unicode")
        return self.logits_of(self.encode(texts))

    def encode(self, texts: Sequence[Any]) -> Any:
        """What :meth:`logits_of` takes: the first half of :meth:`logits`, without its checks."""
        if self._split is not None:
            texts = self._split([_single(text) for text in texts])
        with OneLineErrors(_UNFIT):
            if not self._is_student:
                return encode(texts, self._tokenizer)
            return list(map(self._words or self._ids, texts))

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def logits_of(self, encoded: Any) -> NDArray[np.float32]:
        """The logits of encoded texts: the second half of :meth:`logits`."""
        if not self._is_student:
            return self._padded(encoded)
        return self._run(encoded) if len(encoded) == 1 else self._of_one_length(encoded)

    def _of_one_length(self, ids: list[list[int]]) -> NDArray[np.float32]:
        """A student's logits: a batch holds texts of one length, each thread has a batch."""
        lengths = defaultdict(list)
        for row, words in enumerate(ids):
            lengths[len(words)].append(row)
        batches = []
        for length, rows in lengths.items():
            n_rows = 1 if self._takes_one else max(1, _WORD_BUDGET // max(1, length))
            batches += [rows[start : start + n_rows] for start in range(0, len(rows), n_rows)]
        result = np.zeros((len(ids), len(self.classes_)), dtype=np.float32)
        run = self._pool.map if self._pool else map
        for rows, logits in zip(batches, run(lambda rows: self._run([ids[row] for row in rows]), batches), strict=True):
            result[rows] = logits
        return result

    def _run(self, ids: list[list[int]]) -> NDArray[np.float32]:
        return self._infer({"input_ids": np.array(ids, dtype=np.int64)})

    def _infer(self, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """What the ONNX file gives for one batch."""
        with OneLineErrors(_UNFIT):
            try:
                logits: NDArray[np.float32] = self._session.run(None, inputs)[0]
            except Exception as error:
                if _NO_MEMORY in str(error):
                    raise PotstillError(_TOO_LARGE) from None
                raise
        expected = (len(inputs["input_ids"]), len(self.classes_))
        if logits.shape != expected:
            raise PotstillError(f"{_UNFIT} (it gives {logits.shape} for {expected} texts and labels)")
        return logits

    def _padded(self, encoded: Encoded) -> NDArray[np.float32]:
        """A transformer's logits: batches by token budget."""
        result = np.zeros((len(encoded), len(self.classes_)), dtype=np.float32)
        for rows in token_batches(encoded.lengths, _TOKEN_BUDGET):
            batch = encoded.pad(rows, self._pad_id)
            batch.setdefault("token_type_ids", np.zeros_like(batch["input_ids"]))
            result[rows] = self._infer({name: batch[name] for name in self._inputs})
        return result

    def predict_proba(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """The probability of each label, float32 ``[len(texts), len(classes_)]``, at the calibrated temperature."""
        return self.task.probabilities(self.logits(texts), self.temperature)

    def predict(self, texts: Sequence[Text]) -> NDArray[np.object_]:
        """The likeliest label of each text, ``[len(texts)]``."""
        labels: NDArray[np.object_] = self.classes_[self.task.decide(self.logits(texts))]
        return labels


def _single(text: Text) -> str:
    if not isinstance(text, str):
        raise PotstillError("a pair of texts: students take single texts only")
    return text


def load(path: str | Path, threads: int | None = None, precision: str | None = None) -> Classifier:
    """Load a student (or an exported teacher) for prediction.

    :param path: its folder, such as ``runs/x/student``; or its name on the Hugging Face hub, ``USER/NAME``.
    :param threads: how many work on one call; default: the processors this process may use.
    :param precision: ``fp32`` or ``int8``; default: the one that ``potstill export`` chose, else ``fp32``.
    :raises PotstillError: when the folder is missing, not a model's, or a file in it is damaged; or when the analyzer
        that the student reads through is not installed.
    """
    folder = ModelFolder(find_folder(path))
    _, tokenizer_file, onnx_file = folder.files(precision)
    labels, analyzer = folder.labels, folder.config.get("analyzer")
    split = morpheme_splitter(str(analyzer)) if analyzer else None
    threads = threads or available_cpus()
    tokenizer = open_tokenizer(tokenizer_file)
    tokenizer.enable_truncation(folder.max_length)
    return Classifier(
        _open_session(onnx_file, 1 if folder.is_student else threads),  # a student's threads have a batch each
        tokenizer,
        labels,
        pad_id=folder.pad_id,
        temperature=folder.temperature,
        task=find_task(folder.config.get("problem_type")),
        threads=threads,
        split=split,
    )


def _open_session(file: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open an ONNX file. ONNX Runtime, from 1.24 on, takes no weights from outside of its folder.

    :raises PotstillError: when it is damaged, or does not take what a tokenizer gives.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is raised
    limit_memory(options)
    with OneLineErrors(f"{file}: {DAMAGED}"):
        session = onnxruntime.InferenceSession(
            str(file), options, ["CPUExecutionProvider"], enable_fallback=0
        )  # there is no other to fall back to, and trying it is told on standard output
        inputs, outputs = session.get_inputs(), session.get_outputs()
        fits = [given.name in _INPUTS and given.type == "tensor(int64)" and len(given.shape) == 2 for given in inputs]
    if not fits or not all(fits) or outputs[0].type != "tensor(float)":
        raise PotstillError(f"{file}: does not take a tokenizer's numbers and give logits; export the model again")
    return session
