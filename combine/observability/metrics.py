"""Prometheus metrics of one process, in their own registry, so that importing registers nothing.

Every metric is declared here and documented in ``docs/reference/metrics.md``.
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
    """Values that are read on each scrape; the functions may be called from any thread."""

    event_streams: Callable[[], float]
    followed_executions: Callable[[], float]
    dropped_streams: Callable[[], float]
    database_connections: Callable[[], Mapping[str, float]]
    """By state: in use, idle."""


class Metrics:
    """Counts events and renders all metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "combine_http_requests", "HTTP requests.", ("route", "method", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "combine_http_request_seconds",
            "Time until the response began, in seconds.",
            ("route", "method"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._rate_limited = Counter(
            "combine_rate_limited", "Requests rejected by a rate limit.", ("limit",), registry=self.registry
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a finished request; ``seconds`` until its response began. ``status`` 0: it got no response."""
        method = method if method in _METHODS else "other"
        self._requests.labels(route, method, f"{status // 100}xx" if status else "none").inc()
        self._seconds.labels(route, method).observe(seconds)

    def rate_limited(self, limit: str) -> None:
        """Count a request rejected by a rate limit."""
        self._rate_limited.labels(limit).inc()

    def add_readings(self, readings: Readings) -> None:
        """Include these values from now on."""
        self.registry.register(_ReadingsCollector(readings))

    def text(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return generate_latest(self.registry)


class _ReadingsCollector(Collector):
    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        """The current values."""
        now = self._readings
        yield GaugeMetricFamily("combine_event_streams", "Open event streams.", now.event_streams())
        yield GaugeMetricFamily(
            "combine_followed_executions", "Executions with at least one open event stream.", now.followed_executions()
        )
        yield CounterMetricFamily(
            "combine_event_streams_dropped",
            "Event streams closed because the client did not read them.",
            now.dropped_streams(),
        )
        connections = GaugeMetricFamily(
            "combine_database_connections", "Database connections by state.", labels=("state",)
        )
        for state, number in now.database_connections().items():
            connections.add_metric((state,), number)
        yield connections
