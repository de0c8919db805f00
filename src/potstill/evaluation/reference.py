"""The reference row: TF-IDF and logistic regression on the same gold labels: what was the whole work worth?"""

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from potstill.evaluation.labelled import Labelled
from potstill.evaluation.measuring import time_calls
from potstill.evaluation.peers import Peer, PeerTask, all_forms, train_peer
from potstill.evaluation.results import Reference

_PEER = "tfidf"
_NAME = "TF-IDF + logistic regression"


@dataclass(frozen=True)
class ReferenceOnValid:
    """What it makes of valid.

    :param accuracy: the share of right labels.
    :param seconds: of the processor, for its training.
    """

    accuracy: float
    seconds: float

    def __str__(self) -> str:
        return f"{_NAME}, fitted in {self.seconds:.1f} s: {100 * self.accuracy:.1f}% of valid"


def fit_reference(*, train: Labelled, valid: Labelled, seed: int) -> ReferenceOnValid | None:
    """Train the peer with its first settings and compare it with valid; None where its library fails."""
    with _fitted(train, valid, seed) as peer:
        return None if peer is None else ReferenceOnValid(_accuracy(peer, valid), peer.seconds)


def measure_reference(*, train: Labelled, valid: Labelled, test: Labelled, seed: int) -> Reference | None:
    """Train the peer with its first settings, in seconds, and measure it; None where its library fails."""
    with _fitted(train, valid, seed) as peer:
        if peer is None:
            return None
        predicted = peer.predict(test.texts)
        return Reference(
            name=_NAME,
            accuracy=float(test.is_right(predicted).mean()),
            macro_f1=test.f1(predicted),
            micro_f1=test.micro_f1(predicted),
            average_precision=None,
            valid={"accuracy": _accuracy(peer, valid)},
            p50_ms=statistics.median(time_calls(peer.predict, test.texts)),
            megabytes=peer.megabytes,
            seconds=round(peer.seconds, 3),
        )


@contextmanager
def _fitted(train: Labelled, valid: Labelled, seed: int) -> Iterator[Peer | None]:
    """The peer in its full form, its files there as long as it is used."""
    with TemporaryDirectory() as scratch:
        forms = train_peer(_PEER, PeerTask(train, valid, Path(scratch)), seed=seed)
        yield next(iter(all_forms(islice(forms, 1))), None)


def _accuracy(peer: Peer, part: Labelled) -> float:
    return float(part.is_right(peer.predict(part.texts)).mean())
