"""Raw text to labels with a model folder: ``config.json``, ``tokenizer.json`` and ``model.onnx``.

Runs students and, from the same three files, teachers. Needs neither torch nor transformers.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from potstill.artifacts import CONFIG, ONNX_MODEL, TOKENIZER, TOKENIZER_CONFIG, read_json
from potstill.corpus.encoded import Text, encode, limited, token_batches
from potstill.errors import PotstillError
from potstill.morphology import morpheme_splitter
from potstill.runtime.threads import available_cpus

_NO_LIMIT = 1 << 20  # words of a text to a student, which has no longest text
_TOKEN_BUDGET = 4096


class Classifier:
    """A text classifier; make one with :func:`load`.

    :ivar classes_: the labels, in the order of the logits, as scikit-learn names them.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        tokenizer: Tokenizer,
        labels: list[str],
        *,
        pad_id: int,
        split: Callable[[Sequence[str]], list[str]] | None = None,
    ) -> None:
        self.classes_ = np.array(labels, dtype=object)
        self._session = session
        self._tokenizer = tokenizer
        self._pad_id = pad_id
        self._split = split
        self._inputs = [given.name for given in session.get_inputs()]

    def logits(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """The model's logits.

        :param texts: raw texts; pairs of texts for a teacher of pairs.
        :return: float32 ``[len(texts), len(classes_)]``.
        :raises PotstillError: for an empty text.
        """
        if isinstance(texts, str):
            raise PotstillError("predict takes a list of texts: write [text] for one")
        for number, text in enumerate(texts, start=1):
            if not all(part.strip() for part in ([text] if isinstance(text, str) else text)):
                raise PotstillError(f"text {number} is empty: give it words or leave it out")
        if self._split is not None:
            texts = self._split([_single(text) for text in texts])
        encoded = encode(texts, self._tokenizer)
        result = np.zeros((len(texts), len(self.classes_)), dtype=np.float32)
        for rows in token_batches(encoded.lengths, _TOKEN_BUDGET):
            batch = encoded.pad(rows, self._pad_id)
            batch.setdefault("token_type_ids", np.zeros_like(batch["input_ids"]))
            result[rows] = self._session.run(None, {name: batch[name] for name in self._inputs})[0]
        return result

    def predict_proba(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """The probability of each label: the softmax of the logits, float32 ``[len(texts), len(classes_)]``."""
        logits = self.logits(texts)
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float32] = exponents / exponents.sum(axis=1, keepdims=True)
        return probabilities

    def predict(self, texts: Sequence[Text]) -> NDArray[np.object_]:
        """The likeliest label of each text, ``[len(texts)]``."""
        labels: NDArray[np.object_] = self.classes_[self.logits(texts).argmax(axis=1)]
        return labels


def _single(text: Text) -> str:
    if not isinstance(text, str):
        raise PotstillError("a pair of texts: students take single texts only")
    return text


def load(path: str | Path, threads: int | None = None) -> Classifier:
    """Load a student (or an exported teacher) for prediction.

    :param path: its folder, such as ``runs/x/student``.
    :param threads: of ONNX Runtime; default: the processors this process may use.
    :raises PotstillError: when the folder is missing, not a model's, or a file in it is damaged; or when the analyzer
        that the student reads through is not installed.
    """
    folder = Path(path)
    for name in (CONFIG, TOKENIZER, ONNX_MODEL):
        if not (folder / name).is_file():
            raise PotstillError(
                f"{folder}: no {name} in it; give the folder of a trained model, such as runs/NAME/student"
            )
    config = read_json(folder / CONFIG)
    names = config.get("id2label")
    if not isinstance(names, dict):
        raise PotstillError(f"{folder / CONFIG}: no id2label in it: not a classifier's folder")
    analyzer = config.get("analyzer")
    split = morpheme_splitter(analyzer) if analyzer else None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or available_cpus()
    options.inter_op_num_threads = 1
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        session = onnxruntime.InferenceSession(str(folder / ONNX_MODEL), options, ["CPUExecutionProvider"])
    except Exception as error:  # both libraries raise bare Exception subclasses of their own
        reason = str(error).splitlines()[0]
        raise PotstillError(f"{folder}: cannot be loaded, a file in it is damaged ({reason}); train it again") from None
    labels = [str(names[key]) for key in sorted(names, key=int)]
    tokenizer = limited(tokenizer, _max_length(folder))
    return Classifier(session, tokenizer, labels, pad_id=int(config.get("pad_token_id") or 0), split=split)


def _max_length(folder: Path) -> int:
    """The longest text in tokens that the folder's tokenizer allows its model."""
    path = folder / TOKENIZER_CONFIG
    limit = read_json(path).get("model_max_length", _NO_LIMIT) if path.is_file() else _NO_LIMIT
    return int(min(limit, _NO_LIMIT))
