"""The server's metrics, in Prometheus's format. Each server has a registry of its own."""

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The server's counters and histograms.

    :ivar n_requests: so far.
    """

    def __init__(self) -> None:
        self.n_requests = 0
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "potstill_requests", "Requests answered, refused ones too.", ["path", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "potstill_request_seconds",
            "Seconds from a request's first byte to the end of its answer.",
            ["path"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batches = Histogram(
            "potstill_batch_texts", "Texts in a call of a model.", ["model"], buckets=_TEXTS, registry=self._registry
        )
        self._predictions = Counter(
            "potstill_answers",
            "Texts answered; answered_by is another name than model where the fallback answered.",
            ["model", "answered_by", "label"],
            registry=self._registry,
        )
        self._fallbacks = Counter(
            "potstill_fallback_answers", "Texts that the fallback answered.", ["model"], registry=self._registry
        )

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        self.n_requests += 1
        self._requests.labels(path, status).inc()
        self._seconds.labels(path).observe(seconds)

    def count_batch(self, model: str, n_texts: int) -> None:
        """Count a call of a model."""
        self._batches.labels(model).observe(n_texts)

    def count_prediction(self, model: str, answered_by: str, label: str) -> None:
        """Count the prediction for a text.

        :param model: the model of the request.
        :param answered_by: the model that predicted: the same, or its fallback.
        """
        self._predictions.labels(model, answered_by, label).inc()
        if answered_by != model:
            self._fallbacks.labels(model).inc()

    def exposition(self) -> bytes:
        """Everything, in the text format that Prometheus reads."""
        return generate_latest(self._registry)
