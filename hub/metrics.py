"""Metrics for operators: counts and times by route, state and kind; no label can hold personal data or an agency."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Counts = Callable[[], Mapping[str, int]]


class Metrics:
    """One hub's metrics."""

    def __init__(self, deliveries: Counts) -> None:
        """`deliveries` counts them by state, when asked."""
        self._registry = CollectorRegistry()
        self._registry.register(_Deliveries(deliveries))
        self.requests = Counter(
            "hub_http_requests", "Requests answered", ("method", "route", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "hub_http_request_seconds", "Time to answer a request", ("method", "route"), registry=self._registry
        )
        self.messages = Counter(
            "hub_messages", "Messages taken in or refused", ("transport", "outcome"), registry=self._registry
        )
        self.refused_callers = Counter(
            "hub_refused_callers", "Requests of callers who did not prove who they are", registry=self._registry
        )

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)


class _Deliveries(Collector):
    """Asks the database only when somebody looks."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily("hub_deliveries", "Deliveries by state", labels=["state"])
        for state, count in sorted(self._counts().items()):
            family.add_metric([state], count)
        yield family
