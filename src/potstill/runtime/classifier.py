"""Raw text to labels with a model's folder: a student in the native core, any other model in ONNX Runtime.

Needs neither torch nor transformers; a student in the core needs numpy alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.texts import Text, map_text, parts_of
from potstill.errors import PotstillError, require
from potstill.files import reading
from potstill.model_folder import ModelFolder
from potstill.runtime.core_graph import CoreGraph, find_core, tell_without_core
from potstill.runtime.estimator import FittedClassifier
from potstill.runtime.hub import find_folder
from potstill.runtime.texts import check_texts
from potstill.runtime.threads import available_cpus
from potstill.tasks import Task, Temperature


class Graph(Protocol):
    """A tokenizer and an ONNX graph: what makes logits of texts."""

    def encode(self, texts: Sequence[Any]) -> Any:
        """What :meth:`logits` takes, for texts without a fault."""

    def logits(self, encoded: Any) -> NDArray[np.float32]:
        """The logits of encoded texts, float32 ``[n_texts, n_labels]``."""

    def count_words(self, encoded: Any) -> NDArray[np.int64] | None:
        """Of each text the words and the unknown ones, int64 ``[n_texts, 2]``; None where tokens are no words."""


class Source(NamedTuple):
    """Where a classifier comes from: what :func:`load` was given."""

    path: str
    threads: int | None
    precision: str | None


class Classifier(FittedClassifier):
    """A text classifier; make one with :func:`load`. Any number of threads may use it at once.

    Pickled, and so copied or sent to another process, it is the arguments of :func:`load`: its files must be there.

    :param pairs: whether it takes pairs of texts, or single ones; None: both.
    :param source: what it was loaded from.
    :param split: texts to their morphemes, for a student that reads those.
    :ivar classes_: the labels, in the order of the logits, as scikit-learn names them.
    :ivar temperature: what the logits are divided by before they become probabilities. It is fitted on valid, as
        distilled logits are not calibrated. Where a text may have several labels there is one a label.
    :ivar thresholds: the confidences that ``potstill threshold`` found, by their names.
    :ivar task: how logits become decisions and probabilities.
    """

    def __init__(
        self,
        graph: Graph,
        labels: list[str],
        *,
        temperature: Temperature,
        task: Task,
        pairs: bool | None,
        source: Source,
        thresholds: Mapping[str, float] | None = None,
        split: Callable[[Sequence[str]], list[str]] | None = None,
    ) -> None:
        self.classes_ = np.array(labels, dtype=object)
        self.temperature = temperature
        self.task = task
        self._graph = graph
        self._pairs = pairs
        self._source = source
        self.thresholds = dict(thresholds or {})
        self._split = split

    def __repr__(self) -> str:
        return f"<potstill classifier {self._source.path}: {', '.join(self.classes_)}>"

    def __reduce__(self) -> tuple[Callable[..., "Classifier"], Source]:
        return load, self._source

    def logits(self, texts: Iterable[Text]) -> NDArray[np.float32]:
        """The model's logits.

        :param texts: raw texts, in whatever gives them one after another: a list, an array, a series, an iterator;
            pairs of texts for a teacher of pairs.
        :return: float32 ``[len(texts), len(classes_)]``.
        :raises PotstillError: for a text that is no string, empty, or not Unicode.
        """
        return self._graph.logits(self.encode(check_texts(texts, pairs=self._pairs)))

    @property
    def tokenises_apart(self) -> bool:
        """Whether :meth:`encode` makes tokens; in the native core that is one with the logits."""
        return not isinstance(self._graph, CoreGraph)

    def encode(self, texts: Sequence[Any]) -> Any:
        """The tokens of texts in the graph's own form: the first half of :meth:`logits`, without its checks."""
        if self._split is not None:
            split = iter(self._split(list(parts_of(texts))))
            texts = [map_text(text, lambda _: next(split)) for text in texts]
        return self._graph.encode(texts)

    def count_words(self, texts: Iterable[Text]) -> NDArray[np.int64] | None:
        """How many words of texts the model knows.

        :return: of each text its words and the unknown ones of them, int64 ``[len(texts), 2]``; None for a model whose
            tokens are no words.
        """
        return self._graph.count_words(self.encode(check_texts(texts, pairs=self._pairs)))

    def find_threshold(self, given: float | str) -> float:
        """The probability that a number or a name means, see :meth:`predict`.

        :raises PotstillError: when it is none.
        """
        return find_threshold(given, self.thresholds, self._source.path)

    def predict_proba(self, texts: Iterable[Text]) -> NDArray[np.float32]:
        """The probability of each label, float32 ``[len(texts), len(classes_)]``, at the calibrated temperature."""
        return self.task.probabilities(self.logits(texts), self.temperature)

    def predict(self, texts: Iterable[Text], at_least: float | str | None = None) -> NDArray[np.object_]:
        """The likeliest label of each text, object ``[len(texts)]``; where a text may have several, the list of those
        whose probability reaches their threshold.

        :param at_least: a probability, or the name of one that ``potstill threshold`` found: a label that is less
            likely is not given. Where a text has one label, None is in its place.
        :raises PotstillError: as :meth:`logits`; for what is no probability, or a name that is not known.
        """
        if at_least is None:
            labels = self.task.decode(self.task.decide(self.logits(texts), self.temperature), self.classes_)
        else:
            least = self.find_threshold(at_least)
            labels = self.task.answers(self.predict_proba(texts), self.classes_, least)
        if self.task.takes_several:
            labels[:] = [list(each) for each in labels]
        return labels


def find_threshold(given: float | str, known: Mapping[str, float], source: str) -> float:
    """The probability that a number, or a name among those that are known, means.

    :param source: whose names they are, for an error.
    :raises PotstillError: when it is none.
    """
    if isinstance(given, str) and given in known:
        return known[given]
    try:
        value = float(given)
    except ValueError:
        names = f"it has {', '.join(known)}" if known else "it has none: potstill threshold fits one"
        raise PotstillError(f"{source}: no threshold '{given}': {names}; or give a probability, such as 0.8") from None
    if not 0 <= value <= 1:
        raise PotstillError(f"at least {given}: a probability is between 0 and 1")
    return value


def load(path: str | Path, threads: int | None = None, precision: str | None = None) -> Classifier:
    """Load a student (or an exported teacher) for prediction.

    :param path: its folder, such as ``runs/x/student``; or its name on the Hugging Face hub, ``USER/NAME``.
    :param threads: how many work on one call; default: the processors this process may use.
    :param precision: ``fp32`` or ``int8``; default: the one that ``potstill export`` chose, else ``fp32``.
    :raises PotstillError: when the folder is missing, not a model's, or a file in it is damaged; or when the analyzer
        that the student reads through is not installed.
    """
    with reading(Path(path)):
        folder = ModelFolder(find_folder(path, has_core=find_core() is not None))
        folder.files(precision)  # an error names what is missing
    analyzer = folder.config.get("analyzer")
    source = Source(str(folder.path.absolute()) if Path(path).exists() else str(path), threads, precision)
    graph = _open_graph(folder, precision, threads or available_cpus())
    return Classifier(
        graph,
        folder.labels,
        temperature=folder.temperature,
        task=folder.task,
        pairs=folder.reads_pairs,
        source=source,
        thresholds=folder.confidence_thresholds,
        split=_splitter(str(analyzer)) if analyzer else None,
    )


def _open_graph(folder: ModelFolder, precision: str | None, threads: int) -> Graph:
    """A student in the native core, where both are there; else a model in ONNX Runtime."""
    files = folder.core_files(precision)
    if files and find_core():
        return CoreGraph(files, len(folder.labels), threads)
    if files:
        tell_without_core()
    require("onnx", "onnxruntime", "tokenizers")
    from potstill.runtime.onnx_graphs import open_onnx

    return open_onnx(folder, precision, threads)


def _splitter(analyzer: str) -> Callable[[Sequence[str]], list[str]]:
    require("onnx", "tokenizers")  # analyzers tag the words of the word splitter
    from potstill.morphology import MorphemeSplitter

    return MorphemeSplitter(analyzer)
