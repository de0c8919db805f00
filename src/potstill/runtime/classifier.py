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

from potstill.artifacts import CONFIG, ONNX_FILES, PRECISION, TEMPERATURE, TOKENIZER, TOKENIZER_CONFIG, read_object
from potstill.corpus.encoded import Encoded, Text, encode, token_batches
from potstill.corpus.examples import has_half
from potstill.corpus.safe_loading import DAMAGED, OneLineErrors, open_tokenizer
from potstill.errors import PotstillError, unknown_name
from potstill.morphology import morpheme_splitter
from potstill.runtime.hub import find_folder
from potstill.runtime.memory import LIMIT, limit_memory
from potstill.runtime.threads import available_cpus
from potstill.runtime.word_encoder import WordEncoder, splits_at_spaces
from potstill.tasks import Task, find_task

_NO_LIMIT = 1 << 20  # words of a text to a student, which has no longest text
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
        is_student: bool,
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
        self._is_student = is_student or self._inputs == ["input_ids"]  # without a mask: texts of one length
        self._words = WordEncoder(tokenizer) if splits_at_spaces(tokenizer) else None
        self._pool = ThreadPoolExecutor(threads) if self._is_student and threads > 1 else None

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
        inputs = {"input_ids": np.array(ids, dtype=np.int64)}
        if len(self._inputs) > 1:  # the graph of torch's exporter has a mask
            inputs["attention_mask"] = np.ones_like(inputs["input_ids"])
        return self._infer(inputs)

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
    folder = find_folder(path)
    config_file, tokenizer_file, onnx_file = deployed_files(folder, precision)
    config = read_object(config_file)
    labels = _labels(config, config_file)
    analyzer = config.get("analyzer")
    split = morpheme_splitter(str(analyzer)) if analyzer else None
    threads = threads or available_cpus()
    is_student = str(config.get("model_type")).startswith("potstill-")  # its threads have a batch each
    tokenizer = open_tokenizer(tokenizer_file)
    tokenizer.enable_truncation(_max_length(folder))
    return Classifier(
        _open_session(onnx_file, 1 if is_student else threads),
        tokenizer,
        labels,
        pad_id=int(_number(config, "pad_token_id", 0, config_file)),
        temperature=_number(config, TEMPERATURE, 1.0, config_file),
        task=find_task(config.get("problem_type")),
        threads=threads,
        is_student=is_student,
        split=split,
    )


def _labels(config: dict[str, Any], path: Path) -> list[str]:
    """The labels in the order of the logits."""
    names = config.get("id2label")
    if not isinstance(names, dict) or not names:
        raise PotstillError(f"{path}: no id2label in it: not a classifier's folder")
    labels = [names.get(str(index)) for index in range(len(names))]
    if not all(isinstance(label, str | int) and not has_half(str(label)) for label in labels):
        raise PotstillError(f"{path}: id2label is not the labels by their numbers from 0; correct it")
    return [str(label) for label in labels]


def _number(fields: dict[str, Any], name: str, default: float, path: Path) -> float:
    """A number of a JSON file that may be missing: above 0, or what it is when it is missing."""
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not (value == default or 0 < value < np.inf):
        raise PotstillError(f"{path}: {name} is not a number above 0; correct it")
    return value


def deployed_files(folder: Path, precision: str | None = None) -> tuple[Path, Path, Path]:
    """The files that :func:`load` needs: configuration, tokenizer, ONNX file.

    :raises PotstillError: when one is missing.
    """
    if precision is None:
        chosen = folder / PRECISION
        precision = str(read_object(chosen).get("default", "fp32")) if chosen.is_file() else "fp32"
    if precision not in ONNX_FILES:
        raise unknown_name("precision", precision, list(ONNX_FILES))
    files = (folder / CONFIG, folder / TOKENIZER, folder / ONNX_FILES[precision])
    for file in files:
        if not file.is_file() and precision != "fp32" and (folder / ONNX_FILES["fp32"]).is_file():
            raise PotstillError(f"{folder}: no {file.name} in it; make it with: potstill export {folder} --{precision}")
        if not file.is_file():
            raise PotstillError(
                f"{folder}: no {file.name} in it; give the folder of a trained model, such as runs/NAME/student"
            )
    return files


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


def _max_length(folder: Path) -> int:
    """The longest text in tokens that the folder's tokenizer allows its model."""
    path = folder / TOKENIZER_CONFIG
    fields = read_object(path) if path.is_file() else {}
    return int(min(_number(fields, "model_max_length", _NO_LIMIT, path), _NO_LIMIT))
