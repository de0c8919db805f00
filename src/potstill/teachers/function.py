"""Any Python function, or any scikit-learn estimator, as a :class:`~potstill.teachers.Teacher`."""

import hashlib
import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import hash_json
from potstill.corpus.streams import in_parts
from potstill.corpus.texts import Text
from potstill.errors import PotstillError, reason, shown
from potstill.progress import Progress, silent
from potstill.teachers.answers import SMOOTHING, Kind, label_name, read_answers
from potstill.teachers.label_matching import match_names

logger = logging.getLogger(__name__)

_BATCH = 256  # texts a call
_PROBED = 32  # texts whose scores tell one version of a function from another
_DECIMALS = 2  # of these scores: what a processor or a batch changes in the last bits is no other version
_METHODS = ("predict_proba", "decision_function", "predict")  # of an estimator, the first that it has


class FunctionTeacher:
    """A function from a list of texts to scores or labels, or an estimator that is fitted on texts.

    Scores are a number for each label, in the order of the labels; of an object with ``classes_``, such as an
    estimator, in their order. Rows from 0 to 1 that add up to one are probabilities: their logarithms are the logits.
    Labels, by name or by number, become logits too: a tenth of the probability is spread over all. What the first
    answers are, the others must be. None instead of a row is no answer: the row is NaN.

    What a function does cannot be seen in its name. Without a ``version`` its scores on the first texts that
    :meth:`check` is given are part of the identity: with another answer to one of these 32 texts, in the first two
    decimals, a run is made again. A change that they do not show is not noticed, and a function that answers at random
    is always another one: give such a function a version.

    It can be pickled if the function can.

    :param labels: the data's labels, which the logits are in the order of; default: those of its scores.
    :param name: to name in the log and in errors; default: the function's own.
    :param classes: the label of each of its scores, where it has no ``classes_``; default: ``labels``.
    :param version: any text that is another one when the function is.
    :raises PotstillError: when it is not callable or not fitted, or has other labels.
    """

    def __init__(
        self,
        function: Any,
        labels: Sequence[str] | None = None,
        name: str | None = None,
        *,
        classes: Sequence[str] | None = None,
        version: str = "",
    ) -> None:
        self._function = function
        self._name = name or name_of(function)
        self._method = _find_method(function, self._name)
        own = _classes(function) or (None if classes is None else list(classes))
        if own is None and hasattr(function, "get_params"):  # of scikit-learn's kind; others name no classes
            raise PotstillError(
                f"{self._name}: not fitted, it has no classes_: fit it on texts and labels first; where scikit-learn "
                "copies it, wrap it: sklearn.frozen.FrozenEstimator(estimator)"
            )
        if own is None and labels is None:
            raise PotstillError(f"{self._name}: give the labels that its scores are of")
        self._labels = list(labels if labels is not None else own or [])
        self._own = own or self._labels
        match = match_names(self._own, self._labels)
        if match is None:
            raise PotstillError(
                f"{self._name}: its labels are {shown(', '.join(self._own))}, the data's are "
                f"{shown(', '.join(self._labels))}"
            )
        if match.how != "by name":
            logger.info("teacher: %s: %s", self._name, match)
        self._order = match.order
        self._version = version
        self._probed = ""
        self._kind: Kind | None = None
        self._known: dict[Text, NDArray[np.float32]] = {}

    @property
    def labels(self) -> list[str]:
        """The label of each logit."""
        return self._labels

    @property
    def identity(self) -> str:
        """The name, the labels, and the version; without one the hash of the scores that :meth:`check` saw."""
        return f"{self._name} {hash_json(self._labels)} {self._version or self._probed}".strip()

    def check(self, texts: Sequence[Text]) -> None:
        """Ask for the first texts, whose answers are kept: that it works, what it gives, which version it is.

        :raises PotstillError: when it fails, or has no answer for any of them.
        """
        if self._probed:  # checked before: the first texts that it saw are those that its identity is of
            return
        sample = list(dict.fromkeys(texts))[:_PROBED]
        logits = self._ask(sample)
        if np.isnan(logits).all():
            raise PotstillError(f"{self._name}: gave no answer (None) for any of the first {len(sample)} texts")
        rounded = np.round(logits.astype(np.float64), _DECIMALS) + 0.0  # no negative zeros
        self._probed = hashlib.sha256(rounded.tobytes()).hexdigest()
        self._known = dict(zip(sample, logits, strict=True))
        self._tell()

    def _tell(self) -> None:
        if self._kind == "labels":
            logger.info(
                "teacher: %s gives labels, no scores: each has %g of the probability, %g is spread over all labels",
                self._name,
                1 - SMOOTHING,
                SMOOTHING,
            )
            return
        logger.info("teacher: %s gives %s", self._name, self._kind)
        logits = np.array(list(self._known.values()))
        if self._kind == "logits" and np.nanmin(logits) >= 0 and np.nanmax(logits) <= 1:
            logger.warning(
                "teacher: %s gives scores from 0 to 1 that do not add up to one: they are read as logits, so that all "
                "labels are almost equally likely; give probabilities or logits",
                self._name,
            )

    def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
        """The logits of texts, float32 ``[len(texts), n_labels]``; NaN where there is no answer.

        :raises PotstillError: when the function fails, or gives anything else than it should.
        """
        parts = [np.zeros((0, len(self._labels)), dtype=np.float32)]
        with progress("labelling", len(texts)) as bar:
            for part in in_parts(texts, _BATCH):
                parts.append(self._look_up_or_ask(part))
                bar.update(len(part))
        return np.concatenate(parts)

    def _look_up_or_ask(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """A call may cost money: what was asked to check it is not asked again. Once: who times it wants a call."""
        new = [text for text in texts if text not in self._known]
        answers = iter(self._ask(new)) if new else iter(())
        known = {text: self._known[text] for text in texts if text in self._known}
        logits = np.stack([known[text] if text in known else next(answers) for text in texts])
        for text in known:
            del self._known[text]
        return logits

    def _ask(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        try:
            given = self._call(texts)
        except PotstillError:
            raise
        except Exception as error:  # whatever a user's function raises
            raise self._failure(texts, error) from error
        answers = read_answers(given, texts, self._own, name=self._name, kind=self._kind)
        self._kind = answers.kind
        return answers.logits[:, self._order]

    def _call(self, texts: Sequence[Text]) -> Any:
        method: Callable[[list[Text]], Any] = getattr(self._function, self._method)
        given = method(list(texts))  # a list of its own: it may change it
        if inspect.isgenerator(given):
            given = list(given)
        if self._method == "decision_function" and len(self._own) == 2 and np.ndim(given) == 1:
            distances = np.asarray(given, dtype=np.float64)  # from the border, positive on the second label's side
            return np.stack([-distances / 2, distances / 2], axis=1)
        return given

    def _failure(self, texts: Sequence[Text], error: Exception) -> PotstillError:
        text, error = self._find_failure(list(texts), error)
        where = f"{len(texts)} texts together, not for one alone" if text is None else f"the text '{shown(text, 60)}'"
        return PotstillError(f"{self._name}: failed with {type(error).__name__} for {where}: {reason(error)}")

    def _find_failure(self, texts: list[Text], error: Exception) -> tuple[Text | None, Exception]:
        """The text that it fails for when it is asked alone, found by halves, and its error; None: there is no such."""
        while len(texts) > 1:
            halves = texts[: len(texts) // 2], texts[len(texts) // 2 :]
            for half in halves:
                try:
                    self._call(half)
                except Exception as found:  # as above
                    texts, error = half, found
                    break
            else:
                return None, error
        return texts[0], error


def name_of(function: Any) -> str:
    """What a teacher is called that is given as an object: its own name, or that of its class."""
    return str(getattr(function, "__qualname__", "") or type(function).__name__)


def _find_method(function: Any, name: str) -> str:
    """What is called: a method of an estimator, or the object itself.

    :raises PotstillError: when there is nothing to call.
    """
    if inspect.isclass(function):
        raise PotstillError(f"{name}: a class: give an object of it, which is fitted")
    for method in _METHODS:
        # Without classes_ predict is no estimator's: a pipeline of transformers has one that is the call itself.
        is_known = method != "predict" or hasattr(function, "classes_") or not callable(function)
        if is_known and callable(getattr(function, method, None)):
            return method
    if not callable(function):
        raise PotstillError(
            f"the teacher is a {name}: give a function that takes a list of texts, or an estimator with predict_proba "
            "or decision_function"
        )
    return "__call__"


def _classes(function: Any) -> list[str] | None:
    """The labels of an object that names them, in the order of its scores."""
    classes = getattr(function, "classes_", None)
    return None if classes is None else [label_name(label) for label in classes]
