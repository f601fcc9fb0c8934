"""The figures in Prometheus' format, computed at each scrape: files of forked workers would pile up."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from app.services import ops


class _Refusals(Collector):
    """A counter that is kept elsewhere: the library's own would begin at each scrape."""

    def __init__(self, totals: dict[str, int]) -> None:
        self._totals = totals

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily("vezde_refusals", "Refusals of what no honest client does", labels=["kind"])
        for kind, total in self._totals.items():
            family.add_metric([kind], total)
        yield family


def text(figures: "ops.Figures") -> bytes:
    registry = CollectorRegistry()

    def gauge(name: str, help_text: str, *labels: str) -> Gauge:
        return Gauge(f"vezde_{name}", help_text, labels, registry=registry)

    def by(label: str, name: str, help_text: str, values: dict[str, int]) -> None:
        labelled = gauge(name, help_text, label)
        for key, value in values.items():
            labelled.labels(key).set(value)

    by("status", "publications", "Publications by status", figures.publications)
    gauge("due", "Due publications that wait for a worker").set(figures.due)
    gauge("oldest_due_seconds", "How long the oldest of them has waited").set(figures.oldest_due)
    if figures.lateness.worst is not None:
        gauge("lateness_median_seconds", "Lateness of scheduled starts, 24 h").set(figures.lateness.usual)
        gauge("lateness_max_seconds", "The latest scheduled start, 24 h").set(figures.lateness.worst)
    by("kind", "workers_alive", "Processes that sent a heartbeat lately", figures.workers)
    if figures.queues is not None:
        by("queue", "queue_length", "Wake-ups in a queue", figures.queues)
    if figures.refusals is not None:
        registry.register(_Refusals(figures.refusals))
    gauge("redis_up", "Whether Redis answers").set(figures.queues is not None)
    ended = gauge("ended_24h", "Publications that ended in 24 h", "platform", "outcome")
    connections = gauge("connections", "Connections", "platform", "state")
    for one in figures.outcomes:
        for outcome in ("published", "first_try", "failed"):
            ended.labels(one.platform, outcome).set(getattr(one, outcome))
        connections.labels(one.platform, "active").set(one.connections - one.reconnect)
        connections.labels(one.platform, "reconnect").set(one.reconnect)
    by("platform", "incident", "1 while publishing there pauses", figures.incidents)
    gauge("clips", "Clips").set(figures.clips)
    gauge("clips_bytes", "Size of all clips").set(figures.clip_bytes)
    gauge("uploads", "Uploads under way").set(figures.uploads)
    return generate_latest(registry)
