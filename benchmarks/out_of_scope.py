"""How many texts that no label fits are refused, where 90% of those that one fits get a label.

Models beside TF-IDF, and beside fastText where it is installed, with those of its settings that are best on valid.

python benchmarks/out_of_scope.py runs/banking/teacher runs/banking/student --data banking
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import tyro
from numpy.typing import NDArray

import potstill
from potstill.corpus.examples import read_examples, read_texts
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.peers import PEERS, PeerTask, train_peer
from potstill.evaluation.risk import reach_coverage, risk_coverage
from potstill.tables import table


@dataclass(frozen=True)
class Options:
    """Measure models on texts that no label fits."""

    models: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of models."""
    data: Path
    """What benchmarks/task_data.py unknown wrote."""
    coverage: float = 0.9
    """The share of the known texts that get a label."""


def main(options: Options) -> None:
    """Print a row a model."""
    test = Labelled.of(read_examples(options.data / "test.txt"))
    unknown = list(read_texts(options.data / "unknown-test.txt"))
    rows = []
    for folder in options.models:
        model = potstill.load(folder)
        known, others = model.predict_proba(test.texts), model.predict_proba(unknown)
        rows.append(measure(folder.name, model.classes_, known, others, test, options.coverage))
    if find_spec("fasttext"):
        rows.append(measure("fastText", *fasttext(options.data, test, unknown), test, options.coverage))
    rows.append(measure("TF-IDF", *tfidf(options.data, test, unknown), test, options.coverage))
    answered = f"right of the {100 * options.coverage:.0f}%"
    print(table(("model", "accuracy", answered, "unknown refused %", "area"), rows))


def measure(
    name: str,
    classes: NDArray[np.object_],
    known: NDArray[np.float32],
    unknown: NDArray[np.float32],
    test: Labelled,
    coverage: float,
) -> tuple[str, ...]:
    """A model's row.

    :param known: its probabilities on test, ``[n_texts, n_labels]``.
    :param unknown: the same of the texts that no label fits.
    """
    is_right = test.is_right(classes[known.argmax(axis=1)])
    curve = risk_coverage(known.max(axis=1), is_right)
    point = reach_coverage(curve, coverage)
    refused = float((unknown.max(axis=1) < point.at_least).mean())
    figures = (is_right.mean(), 1 - point.risk, refused, curve.area)
    return (name, *(f"{100 * figure:.2f}" for figure in figures))


def fasttext(
    data: Path, test: Labelled, unknown: list[str]
) -> tuple[NDArray[np.object_], NDArray[np.float32], NDArray[np.float32]]:
    """Labels and probabilities of fastText."""
    train, valid = (Labelled.of(read_examples(data / f"{split}.txt")) for split in ("train", "valid"))
    with TemporaryDirectory() as folder:
        task = PeerTask(train, valid, Path(folder))
        peers = [next(train_peer("fasttext", task, settings)) for settings in PEERS["fasttext"].settings]
    best = max(peers, key=lambda peer: valid.is_right(peer.predict(valid.texts)).mean())
    known, others = (best.probabilities(texts) for texts in (test.texts, unknown))  # type: ignore[misc]
    return np.array(best.labels, dtype=object), known, others


def tfidf(
    data: Path, test: Labelled, unknown: list[str]
) -> tuple[NDArray[np.object_], NDArray[np.float32], NDArray[np.float32]]:
    """Labels and probabilities of logistic regression over words and characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    train = Labelled.of(read_examples(data / "train.txt"))
    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]"),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, min_df=2),
    )
    model = make_pipeline(features, LogisticRegression(C=16.0, max_iter=1000))
    model.fit(list(train.texts), list(train.labels))
    classes = model.classes_.astype(object)
    return classes, model.predict_proba(list(test.texts)), model.predict_proba(unknown)


if __name__ == "__main__":
    main(tyro.cli(Options))
