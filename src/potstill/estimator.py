"""A scikit-learn classifier whose ``fit`` distills a student. ``import potstill`` does without."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import assert_all_finite, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from potstill.api import distill
from potstill.corpus.splits import HELD_OUT
from potstill.corpus.stratified import stratify
from potstill.corpus.texts import Text, map_text
from potstill.errors import PotstillError, shown, unknown_name
from potstill.runs.options import Effort
from potstill.runtime.packed import PackedModel
from potstill.runtime.texts import check_texts
from potstill.teachers.answers import label_name
from potstill.teachers.function import name_of

_OF_FIT = ("teacher", "data", "valid", "test", "label_names", "out", "progress", "texts", "labels")


class BadInput(PotstillError, ValueError):
    """What the user can fix, as scikit-learn expects it."""


class DistilledClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A text classifier: ``fit`` distills a teacher into a small student, which predicts.

    ``fit`` holds out 10% of the different texts of each class (at least one, where a class has two) as valid, which
    picks the checkpoint and calibrates the probabilities; the teacher and the student learn from the others. It holds
    out nothing more for a test: score the classifier on texts of your own, or by cross-validation.

    Fitted, it holds the student's files: it can be pickled and sent, and needs neither the run folder nor torch to
    predict. A copy that scikit-learn makes to fit it again gets the parameters alone.

    :param teacher: as of :func:`potstill.distill`: a name or a folder; a function from a list of texts to scores, in
        the order of ``classes_``, or to labels; an estimator that is fitted on texts, frozen (``FrozenEstimator``)
        where scikit-learn copies it. An encoder, or a classifier of other labels, is fine-tuned in each ``fit``.
    :param student: as ``--student`` of ``potstill distill``; of several the best on valid is kept.
    :param effort: ``quick``, ``normal`` or ``best``: how many new texts are made, and how long students are trained.
    :param random_state: the seed of the split and of the run; None: another one in each ``fit``.
    :param threads: that predict; default: the processors this process may use.
    :param out: the run folder, which stays: the same ``fit`` resumes there, and its ``report.html`` shows the run, with
        valid in the place of test. Default: a temporary one. With a folder, only one ``fit`` may run at a time.
    :param progress: show bars in ``fit``.
    :param options: more options of ``potstill distill``, by name.
    :ivar classes_: the different labels of ``y``, sorted, of its type.
    :ivar student_: the student, as :func:`potstill.load` gives it.
    """

    def __init__(
        self,
        *,
        teacher: Any = "bert-base-uncased",
        student: str | tuple[str, ...] = "bilstm",
        effort: str = "normal",
        random_state: Any = 42,
        threads: int | None = None,
        out: str | Path | None = None,
        progress: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.teacher = teacher
        self.student = student
        self.effort = effort
        self.random_state = random_state
        self.threads = threads
        self.out = out
        self.progress = progress
        self.options = options

    def fit(self, X: Any, y: Any) -> Self:
        """Distill a student.

        :param X: texts: a list, an array of strings, a series of pandas or polars; or pairs of texts, as tuples.
        :param y: a label for each: strings, whole numbers or booleans. Where a text may have several, a matrix of 1
            and 0 with a row a text and a column a label, or a list of strings for each text.
        :raises PotstillError: which is a ``ValueError`` too, for bad texts, labels or parameters.
        """
        seed = self._seed()
        several = find_several(y)
        if several is None:
            texts, classes, class_ids = _check_data(X, y)
            names = _label_names(classes)
            train, valid = split(list(zip(texts, [names[index] for index in class_ids], strict=True)), seed)
        else:
            texts = _check_texts(X)
            check_consistent_length(texts, several.labels)
            classes, names = several.classes, [str(name) for name in several.classes]
            train, valid = split_several(list(zip(texts, several.labels, strict=True)), seed)
        held_out = _columns(valid)
        with _as_bad_input():
            finished = distill(
                *_columns(train),
                teacher=_in_order(self.teacher, names),
                valid=held_out,
                test=held_out,
                out=self.out,
                progress=self.progress,
                **self._options(seed),
            )
            packed = PackedModel(finished.folder / "student", self.threads)
            own = packed.classifier.classes_.tolist()
        # Only now: where it cannot be fitted again, it stays as it was.
        order = [own.index(name) if name in own else -1 for name in names]  # -1: a label that no text of train has
        self.packed_, self.classes_, self._order = packed, classes, order
        self._several = several and several.is_matrix
        return self

    @property
    def student_(self) -> Any:
        """The student, as :func:`potstill.load` gives it; its labels are strings."""
        check_is_fitted(self)
        return self.packed_.classifier

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """The probability of each class, float32 ``[len(X), len(classes_)]``, calibrated on valid.

        :raises PotstillError: which is a ``ValueError`` too, for texts that are none.
        """
        check_is_fitted(self)
        with _as_bad_input():
            probabilities: NDArray[np.float32] = self.packed_.classifier.predict_proba(X)
        return self._in_order(probabilities)

    def _in_order(self, columns: NDArray[Any]) -> NDArray[Any]:
        """Columns of the student's labels as those of the classes; 0 for a class that train lacks."""
        found = columns[:, self._order]
        found[:, np.array(self._order) < 0] = 0
        return found

    def _as_the_students(self, columns: NDArray[Any]) -> NDArray[Any]:
        """Columns of the classes as those of the student's labels: the reverse of :meth:`_in_order`."""
        found = np.zeros((len(columns), len(self.student_.classes_)), dtype=columns.dtype)
        is_known = np.array(self._order) >= 0
        found[:, np.array(self._order)[is_known]] = columns[:, is_known]
        return found

    def predict(self, X: Any) -> Any:
        """The likeliest class of each text, ``[len(X)]``, of the type of ``y``; where a text may have several, a
        matrix of 1 and 0 or lists, as ``y`` was.

        :raises PotstillError: which is a ``ValueError`` too, for texts that are none.
        """
        check_is_fitted(self)
        if self._several is not None:
            probabilities = self.predict_proba(X)
            known = self.student_.task.decide_from_probabilities(self._as_the_students(probabilities))
            flags = self._in_order(known.astype(int))
            return flags if self._several else [list(self.classes_[np.flatnonzero(row)]) for row in flags]
        rows = self.predict_proba(X).argmax(axis=1)
        predicted: NDArray[Any] = self.classes_[rows]
        return predicted

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.classifier_tags.multi_label = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "packed_")

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _options(self, seed: int) -> dict[str, Any]:
        """Those of the run, by name."""
        if self.effort not in get_args(Effort):
            raise unknown_name("effort", self.effort, list(get_args(Effort)))
        student = [self.student] if isinstance(self.student, str) else list(self.student)
        own = {"student": student, "effort": self.effort, "seed": seed}
        given = dict(self.options or {})
        if twice := sorted(given.keys() & {*own, *_OF_FIT}):
            raise BadInput(
                f"options: {', '.join(twice)}: a parameter of DistilledClassifier, or what fit gives: leave it out"
            )
        return own | given


@dataclass(frozen=True)
class Several:
    """The labels of texts that may have several.

    :param classes: the different ones.
    :param labels: of each text, as strings.
    :param is_matrix: whether they were a matrix.
    """

    classes: NDArray[Any]
    labels: list[tuple[str, ...]]
    is_matrix: bool


def find_several(y: Any) -> Several | None:
    """The labels of texts that may have several; None where each has one.

    :raises BadInput: when a matrix has other numbers than 1 and 0, or no text has a label.
    """
    matrix = y.toarray() if hasattr(y, "toarray") else y
    is_nested = (
        isinstance(y, list | tuple) and bool(y) and all(isinstance(each, list | tuple | np.ndarray) for each in y)
    )
    if is_nested and all(isinstance(value, int | float | np.number) for row in y for value in row):
        if len(set(map(len, y))) > 1:
            raise BadInput("fit: y has rows of numbers of several lengths: give a matrix of 1 and 0, or names")
        matrix = np.asarray(y)
    shape: tuple[int, ...] = getattr(matrix, "shape", ())
    if len(shape) == 2 and shape[1] > 1:
        flags = np.asarray(matrix)
        if not np.isin(flags, (0, 1)).all():
            raise BadInput("fit: y is a matrix: give it a column a label, with 1 or 0")
        classes = np.array(getattr(y, "columns", np.arange(shape[1])))
        labels = [tuple(str(classes[index]) for index in np.flatnonzero(row)) for row in flags]
        is_matrix = True
    elif isinstance(y, list | tuple) and y and all(isinstance(each, list | tuple | set | frozenset) for each in y):
        labels = [tuple(map(str, each)) for each in y]
        classes = np.array(sorted({name for own in labels for name in own}), dtype=object)
        is_matrix = False
    else:
        return None
    if not any(labels):
        raise BadInput("fit: no text has a label: a classifier needs two labels or more")
    return Several(classes, labels, is_matrix)


def split_several(rows: Sequence[tuple[Text, tuple[str, ...]]], seed: int) -> tuple[list[Any], list[Any]]:
    """Train and valid where a text may have several labels: 10% of the different texts, with their share of each label.

    :param rows: texts with their labels.
    """
    labels = dict(rows)
    parts = stratify(list(labels.values()), (1 - HELD_OUT, HELD_OUT), seed)
    held = {text for text, part in zip(labels, parts.tolist(), strict=True) if part}
    train = [(text, list(own)) for text, own in rows if text not in held]
    return train, [(text, list(labels[text])) for text in labels if text in held] or train


class _InOrder:
    """A function whose scores are in the order of the classes: the labels of a run have an order of their own.

    :ivar classes_: their names.
    """

    def __init__(self, function: Any, names: list[str]) -> None:
        self.classes_ = names
        self.__qualname__ = name_of(function)
        self._function = function

    def __call__(self, texts: list[str]) -> Any:
        return self._function(texts)


def _in_order(teacher: Any, names: list[str]) -> Any:
    """The teacher as :func:`potstill.distill` takes it."""
    is_plain = callable(teacher) and not any(hasattr(teacher, name) for name in ("classes_", "predict_proba"))
    return _InOrder(teacher, names) if is_plain and not isinstance(teacher, type) else teacher


@contextmanager
def _as_bad_input() -> Iterator[None]:
    try:
        yield
    except BadInput:
        raise
    except PotstillError as error:
        raise BadInput(str(error)) from error


def _check_texts(texts: Any) -> list[Text]:
    """The texts or pairs to learn from, without spaces around them."""
    with _as_bad_input():
        return [map_text(text, _stripped) for text in check_texts(texts, pairs=None, taker="fit")]


def _stripped(text: str) -> str:
    return str(text).strip()  # numpy's strings as Python's


def _check_data(texts: Any, y: Any) -> tuple[list[Text], NDArray[Any], NDArray[np.int64]]:
    """The texts or pairs, the classes, and which of them each text has.

    :raises ValueError: when they are no texts and labels, or not as many.
    """
    checked = _check_texts(texts)
    if y is None:
        raise BadInput("fit requires y to be passed, but the target y is None: give a label for each text")
    labels = column_or_1d(y, warn=True)
    check_consistent_length(checked, labels)
    if not checked:
        raise BadInput("fit: no texts: Found array with 0 sample(s) while a minimum of 2 is required")
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    classes, class_ids = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise BadInput(f"fit: y has one class only ('{shown(classes[0])}'): a classifier needs two or more")
    return checked, classes, class_ids


def _label_names(classes: Iterable[Any]) -> list[str]:
    """The classes as the labels of a data set, which are strings.

    :raises BadInput: when two would be the same, or one is empty.
    """
    names = [label_name(value) for value in classes]
    for index, name in enumerate(names):
        if not name or any(sign in name for sign in "\t\r\n"):
            raise BadInput(f"fit: the label {name!r} in y is empty, or has a tab or a line end in it: give another")
        if name in names[:index]:
            raise BadInput(
                f"fit: two labels in y are written '{shown(name)}': give labels that differ in their letters"
            )
    return names


def _columns(rows: list[tuple[Text, Any]]) -> tuple[list[Text], list[Any]]:
    return [text for text, _ in rows], [label for _, label in rows]


def split(rows: Sequence[tuple[Text, str]], seed: int) -> tuple[list[tuple[Text, str]], list[tuple[Text, str]]]:
    """Train and valid: 10% of the different texts of each label are valid, at least one, but not all of them.

    A text is in one of the two, however often it occurs; one that has several labels is in train. Where no label has
    two texts, valid is train.

    :param rows: texts with their labels.
    """
    labels: dict[Text, set[str]] = defaultdict(set)
    for text, label in rows:
        labels[text].add(label)
    texts: dict[str, list[Text]] = defaultdict(list)
    for text, own in labels.items():
        if len(own) == 1:
            texts[next(iter(own))].append(text)
    has_more = {label for own in labels.values() if len(own) > 1 for label in own}  # in train, whatever is held out
    generator = np.random.default_rng(seed)
    held: dict[Text, str] = {}
    for label, group in sorted(texts.items()):
        n_held = min(max(1, round(HELD_OUT * len(group))), len(group) - (label not in has_more))
        held |= {group[index]: label for index in generator.permutation(len(group))[:n_held]}
    train = [(text, label) for text, label in rows if text not in held]
    return train, list(held.items()) or train
