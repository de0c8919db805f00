"""The models of a server: named, each behind its queue, the fallback among them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.texts import Text
from potstill.errors import PotstillError
from potstill.model_folder import ModelFolder
from potstill.progress import Progress
from potstill.runtime.cascade import Cascade
from potstill.runtime.classifier import Classifier, load
from potstill.serving.batcher import Batcher, Predict
from potstill.serving.limits import Limits
from potstill.serving.metrics import Metrics
from potstill.tasks import Label


@dataclass(frozen=True)
class Prediction:
    """One model's prediction for a text.

    :param answer: its label, or None where no label is likely enough; where a text may have several, all of them.
    :param probabilities: of each label, the likeliest first.
    :param reason: why there is no label.
    """

    answer: Label | None
    probabilities: dict[str, float]
    reason: str = ""

    def body(self) -> dict[str, Any]:
        """As a response has it: ``label``, or ``labels`` where a text may have several."""
        named = {"labels": list(self.answer)} if isinstance(self.answer, tuple) else {"label": self.answer}
        return {**named, **({"reason": self.reason} if self.reason else {}), "probabilities": self.probabilities}


@dataclass(frozen=True)
class ServedPrediction:
    """The prediction that a client gets for a text.

    :param answered_by: the name of the model that made it.
    :param student: the student's own prediction, where the fallback made this one.
    """

    prediction: Prediction
    answered_by: str
    student: Prediction | None = None


@dataclass(frozen=True)
class Fallback:
    """The larger model behind a student, and the rule that says when it predicts."""

    model: "ServedModel"
    cascade: Cascade


@dataclass(frozen=True)
class ServedModel:
    """One model by name, with its queue, and its fallback if there is one.

    :param at_least: the probability below which no label is given, unless a request says another one.
    :param reads_pairs: whether it and its fallback read pairs of texts, or single ones; None: both.
    """

    name: str
    classifier: Classifier
    batcher: Batcher
    fallback: Fallback | None = None
    at_least: float = 0.0
    reads_pairs: bool | None = False

    @property
    def labels(self) -> list[str]:
        """The labels, in the order of the model's probabilities."""
        labels: list[str] = self.classifier.classes_.tolist()
        return labels

    async def predict(self, texts: Sequence[Text], at_least: float | str | None = None) -> list[ServedPrediction]:
        """The predictions for some texts; the fallback's where this model's confidence is below the threshold.

        :param at_least: the probability below which no label is given, or the name of one of this model's.
        :raises PotstillError: when it is none.

        The fallback has a queue of its own, so that a request of confident predictions never waits for it.
        """
        least = self.at_least if at_least is None else self.classifier.find_threshold(at_least)
        probabilities = await self.batcher.predict(texts)
        predictions = [ServedPrediction(self.to_prediction(row, least), self.name) for row in probabilities]
        if self.fallback is None:
            return predictions
        cascade, model = self.fallback.cascade, self.fallback.model
        positions = np.flatnonzero(cascade.below_threshold(probabilities)).tolist()
        if positions:
            rows = cascade.in_student_order(await model.batcher.predict([texts[i] for i in positions]))
            for i, row in zip(positions, rows, strict=True):
                student = predictions[i].prediction
                predictions[i] = ServedPrediction(self.to_prediction(row, least), model.name, student)
        return predictions

    def to_prediction(self, probabilities: NDArray[np.float32], at_least: float = 0.0) -> Prediction:
        """The prediction of one text's probabilities, float32 ``[n_labels]``."""
        labels, values = self.labels, probabilities.tolist()
        order = np.argsort(-probabilities, kind="stable").tolist()
        named = {labels[i]: round(values[i], 6) for i in order}
        answer = self.classifier.task.answers(probabilities[None], self.classifier.classes_, at_least)[0]
        best, reason = order[0], ""
        if not answer:
            limit = f"below {at_least:g}" if values[best] < at_least else "below its threshold"
            reason = f"the likeliest label, {labels[best]}, has a probability of {values[best]:.4g}, {limit}"
        return Prediction(answer, named, reason)


class Models:
    """All models of a server; the first predicts where a request names none."""

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self._models = {model.name: model for model in models}

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._models.values())

    def get(self, name: str | None) -> ServedModel | None:
        """The model of a name, the first for None; None where no model has the name."""
        return next(iter(self)) if name is None else self._models.get(name)

    def close(self) -> None:
        """Let the models' threads end."""
        for model in self:
            model.batcher.close()


@dataclass(frozen=True)
class Loader:
    """Loads models for one server.

    :param threads: of ONNX Runtime, for each model.
    """

    threads: int
    limits: Limits
    metrics: Metrics
    progress: Progress

    def open(self, students: Sequence[str], fallback: str | None, below: float | None, at_least: str = "") -> Models:
        """Load the students, and behind them the fallback.

        :param students: each ``NAME=FOLDER``, or a folder, which gives its own name.
        :param fallback: the same, for texts whose confidence is below ``below``; or None.
        :param at_least: the probability below which no label is given, or a name that every student has one under.
        :raises PotstillError: when a folder is not a model's, two have one name, or their labels differ.
        """
        named = [name_and_folder(argument) for argument in [*students, *([] if fallback is None else [fallback])]]
        names = [name for name, _ in named]
        for name in names:
            if names.count(name) > 1:
                raise PotstillError(f"two models are named '{name}': write NAME=FOLDER, with a name for each")
        models = []
        with self.progress("loading", len(named)) as bar:
            for name, folder in named:
                models.append(self._load(name, folder))
                bar.update(1)
        if at_least:
            is_student = [number < len(students) for number in range(len(models))]
            models = [
                replace(model, at_least=model.classifier.find_threshold(at_least)) if is_one else model
                for model, is_one in zip(models, is_student, strict=True)
            ]
        if fallback is None or below is None:
            return Models(models)
        *first, last = models
        return Models([*(_with_fallback(model, last, below) for model in first), last])

    def _load(self, name: str, folder: Path) -> ServedModel:
        classifier = load(folder, self.threads)
        reads_pairs = ModelFolder(folder).reads_pairs
        first: Text = ("warm", "up") if reads_pairs else "warm up"
        probabilities = classifier.predict_proba([first])  # ONNX Runtime plans its memory at the first call
        if not np.isfinite(probabilities).all():
            raise PotstillError(f"{folder}: its probabilities are not numbers; train it again")
        observe = partial(self.metrics.count_batch, name)
        predict: Predict = classifier.predict_proba
        if reads_pairs is None:
            predict = partial(predict_mixed, predict)
        batcher = Batcher(predict, self.limits.max_texts, observe)
        return ServedModel(name, classifier, batcher, reads_pairs=reads_pairs)


def predict_mixed(predict: Predict, texts: list[Text]) -> NDArray[np.float32]:
    """The probabilities of single texts and pairs together, as the requests of one call may have both.

    :param predict: takes single texts or pairs, not mixed.
    :return: float32 ``[len(texts), n_labels]``.
    """
    is_single = np.array([isinstance(text, str) for text in texts])
    if is_single.all() or not is_single.any():
        return predict(texts)
    order = np.concatenate([np.flatnonzero(is_single), np.flatnonzero(~is_single)])
    n_single = int(is_single.sum())
    kinds = (order[:n_single], order[n_single:])
    found = np.concatenate([predict([texts[row] for row in rows.tolist()]) for rows in kinds])
    return found[np.argsort(order)]


def _with_fallback(student: ServedModel, model: ServedModel, below: float) -> ServedModel:
    """The student with a fallback behind it.

    :raises PotstillError: when their labels differ, or one reads single texts and the other pairs.
    """
    kinds = {each.reads_pairs for each in (student, model)} - {None}
    if len(kinds) == 2:
        pairs, single = (student, model) if student.reads_pairs else (model, student)
        raise PotstillError(
            f"{pairs.name} reads pairs of texts and {single.name} single ones: give a fallback that reads what the "
            "student reads"
        )
    cascade = Cascade(student.classifier, model.classifier, below)
    # A transformer reads both, and passes on what it is not sure of: it may be asked what its fallback reads too.
    return replace(student, fallback=Fallback(model, cascade), reads_pairs=next(iter(kinds), None))


def name_and_folder(argument: str) -> tuple[str, Path]:
    """The name and the folder of ``NAME=FOLDER`` or ``FOLDER``.

    :raises PotstillError: when the name or the folder is empty.
    """
    name, equals, folder = argument.partition("=")
    if not equals or Path(argument).is_dir():  # a folder's own name may have an equals sign
        name, folder = Path(argument).resolve().name, argument
    if not name or not folder:
        raise PotstillError(f"'{argument}': give a model as NAME=FOLDER, or its folder alone")
    return name, Path(folder)
