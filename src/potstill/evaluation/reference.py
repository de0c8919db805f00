"""The reference row: TF-IDF and logistic regression on the same gold labels: what was the whole work worth?"""

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

from potstill.evaluation.measuring import Labelled, time_calls
from potstill.evaluation.peers import PeerTask, train_peer
from potstill.evaluation.results import Reference

_PEER = "tfidf"


def measure_reference(*, train: Labelled, valid: Labelled, test: Labelled, seed: int) -> Reference:
    """Train the peer with its first settings, in seconds, and measure it."""
    from sklearn.metrics import accuracy_score, f1_score

    with TemporaryDirectory() as scratch:
        peer = next(iter(train_peer(_PEER, PeerTask(train, valid, Path(scratch)), seed=seed)))
        predicted = list(peer.predict(test.texts))
        times = time_calls(peer.predict, test.texts)
    return Reference(
        name="TF-IDF + logistic regression",
        accuracy=float(accuracy_score(list(test.labels), predicted)),
        macro_f1=float(f1_score(list(test.labels), predicted, average="macro")),
        valid_accuracy=float(accuracy_score(list(valid.labels), list(peer.predict(valid.texts)))),
        p50_ms=statistics.median(times),
        megabytes=peer.megabytes,
        seconds=round(peer.seconds, 3),
    )
