"""Figures of one process, for a Prometheus to fetch. In a registry of their own: nothing counts by being imported.

Every name is declared here, and has its line in ``docs/reference/metrics.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Readings:
    """What is not counted here but looked up when somebody asks; functions, to be called from any thread."""

    event_streams: Callable[[], float]
    followed_executions: Callable[[], float]
    dropped_streams: Callable[[], float]
    database_connections: Callable[[], Mapping[str, float]]
    """By state: in use, idle."""


class Metrics:
    """Counts what happens, and writes it down when asked."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "combine_http_requests", "Requests answered.", ("route", "method", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "combine_http_request_seconds",
            "Seconds until an answer began.",
            ("route", "method"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._rate_limited = Counter(
            "combine_rate_limited", "Requests refused by a rate limit.", ("limit",), registry=self.registry
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One request is over; ``seconds`` until its answer began. ``status`` 0: it got none."""
        method = method if method in _METHODS else "other"
        self._requests.labels(route, method, f"{status // 100}xx" if status else "none").inc()
        self._seconds.labels(route, method).observe(seconds)

    def rate_limited(self, limit: str) -> None:
        """One request was refused."""
        self._rate_limited.labels(limit).inc()

    def look_up(self, readings: Readings) -> None:
        """From now on these belong to what is written."""
        self.registry.register(_LookedUp(readings))

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self.registry)


class _LookedUp(Collector):
    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        """The present values."""
        now = self._readings
        yield GaugeMetricFamily("combine_event_streams", "Event streams open now.", now.event_streams())
        yield GaugeMetricFamily(
            "combine_followed_executions", "Executions that somebody follows now.", now.followed_executions()
        )
        yield CounterMetricFamily(
            "combine_event_streams_dropped", "Event streams ended because nobody read them.", now.dropped_streams()
        )
        connections = GaugeMetricFamily(
            "combine_database_connections", "Connections to the database by state.", labels=("state",)
        )
        for state, number in now.database_connections().items():
            connections.add_metric((state,), number)
        yield connections
