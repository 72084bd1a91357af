"""Counts and times for Prometheus, from one process or from many; never a name or an id."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client import disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
UNMATCHED = "unmatched"
# Few and wide: each is a series for every route.
BUCKETS = (0.025, 0.1, 0.5, 2.0)
# gunicorn.conf.py names the folder before a worker imports this.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class Metrics:
    """What a server counts about itself; every label comes from a set that is known beforehand.

    `routes` are the URL rules (more can be allowed later), `classes` those that a lead can have.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(
        self,
        routes: Iterable[str] = (),
        classes: Iterable[str] = ("SQL", "MQL", "Unqualified"),
        prefix: str = "leadline",
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._routes = set(routes)
        self._classes = frozenset(classes)
        self._registry = CollectorRegistry()
        self._prefix = prefix
        self._requests = self._counter("http_requests", "Requests.", "route", "method", "status")
        self._seconds = Histogram(
            f"{prefix}_http_request_seconds",
            "Seconds a request took.",
            ["route"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self.sessions_started = self._counter("sessions_started", "Conversations begun.")
        self.answers_accepted = self._counter("answers_accepted", "Answers kept.")
        self.behaviors = self._counter("behaviors", "Behaviours reported.")
        self.rate_limited = self._counter("rate_limited", "Requests refused as too many.")
        self._leads_classified = self._counter("leads_classified", "Changes of class.", "class")
        self._deliveries = self._counter("deliveries", "Attempts to deliver.", "channel", "outcome")

    def allow_routes(self, routes: Iterable[str]) -> None:
        """Adds URL rules that may be a label; all others count as unmatched."""
        self._routes.update(routes)

    def observe_request(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Counts a request and its time under its URL rule (never its path)."""
        rule = route if route in self._routes and route is not None else UNMATCHED
        verb = method if method in METHODS else OTHER
        self._requests.labels(rule, verb, _status_class(status)).inc()
        self._seconds.labels(rule).observe(max(seconds, 0.0))

    def lead_classified(self, class_: str) -> None:
        """Counts a lead that came into this class."""
        self._leads_classified.labels(class_ if class_ in self._classes else OTHER).inc()

    def delivery(self, channel: str, outcome: str) -> None:
        """Counts an attempt to deliver; both words are ours, never a visitor's."""
        self._deliveries.labels(channel, outcome).inc()

    def render(self, gauges: Mapping[str, tuple[str, float]] | None = None) -> bytes:
        """Everything counted, by all processes of the server, in the Prometheus text format.

        `gauges` are what only this moment can say, each by its name: a sentence and the value.
        """
        now = CollectorRegistry()
        now.register(_Gauges(self._prefix, gauges or {}))
        return self._counted() + generate_latest(now)

    def _counted(self) -> bytes:
        if os.environ.get(SHARED_FOLDER):
            shared = CollectorRegistry()
            MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
            return generate_latest(shared)
        return generate_latest(self._registry)

    def _counter(self, name: str, sentence: str, *labels: str) -> Counter:
        return Counter(f"{self._prefix}_{name}", sentence, labels, registry=self._registry)


class _Gauges(Collector):
    """Values of one moment; a Gauge of the library would leave a file for each process."""

    def __init__(self, prefix: str, gauges: Mapping[str, tuple[str, float]]) -> None:
        self._prefix = prefix
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        """Each as the library writes it."""
        for name, (sentence, value) in self._gauges.items():
            yield GaugeMetricFamily(f"{self._prefix}_{name}", sentence, value=value)


def _status_class(status: int) -> str:
    return f"{status // 100}xx" if 100 <= status <= 599 else OTHER
