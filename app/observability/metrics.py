"""The figures in Prometheus' format, computed at each scrape: files of forked workers would pile up."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from app.services import ops

__all__ = ["CONTENT_TYPE", "text"]


def text(figures: "ops.Figures") -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(figures))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, figures: "ops.Figures") -> None:
        self._figures = figures

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        figures = self._figures
        yield _by("vezde_publications", "Publications by status", "status", figures.publications)
        yield _one("vezde_due", "Due publications that wait for a worker", figures.due)
        yield _one("vezde_oldest_due_seconds", "How long the oldest of them has waited", figures.oldest_due)
        if figures.lateness.worst is not None:
            yield _one("vezde_lateness_median_seconds", "Lateness of scheduled starts, 24 h", figures.lateness.usual)
            yield _one("vezde_lateness_max_seconds", "The latest scheduled start, 24 h", figures.lateness.worst)
        yield _by("vezde_workers_alive", "Processes that sent a heartbeat lately", "kind", figures.workers)
        if figures.queues is not None:
            yield _by("vezde_queue_length", "Wake-ups in a queue", "queue", figures.queues)
        yield _one("vezde_redis_up", "Whether Redis answers", figures.queues is not None)
        yield from _outcomes(figures.outcomes)
        yield _one("vezde_clips", "Clips", figures.clips)
        yield _one("vezde_clips_bytes", "Size of all clips", figures.clip_bytes)
        yield _one("vezde_uploads", "Uploads under way", figures.uploads)


def _outcomes(outcomes: "list[ops.Outcomes]") -> Iterator[Metric]:
    ended = GaugeMetricFamily("vezde_ended_24h", "Publications that ended in 24 h", labels=["platform", "outcome"])
    connections = GaugeMetricFamily("vezde_connections", "Connections", labels=["platform", "state"])
    for one in outcomes:
        for outcome in ("published", "first_try", "failed"):
            ended.add_metric([one.platform, outcome], getattr(one, outcome))
        connections.add_metric([one.platform, "active"], one.connections - one.reconnect)
        connections.add_metric([one.platform, "reconnect"], one.reconnect)
    yield ended
    yield connections


def _one(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=float(value))


def _by(name: str, help_text: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
