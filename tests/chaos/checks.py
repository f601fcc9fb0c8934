"""Compares the database with what the platforms show to viewers."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median

from sqlalchemy import func, select

from app import clock
from app.db import db
from app.models import Publication, PublicationEvent, Status

# A row is stuck if its wake_at is this long ago, …
STUCK_AFTER = timedelta(minutes=2)
# … and no publication has changed for this long: otherwise it only waits in the queue of a slow machine.
IDLE = timedelta(seconds=30)
MOVING = (Status.SCHEDULED, Status.PUBLISHING)


@dataclass
class Report:
    """`bad`: the publications that break a guarantee, by guarantee."""

    statuses: Counter[str]
    first_try: int
    bad: dict[str, list[str]]
    delays: list[float]
    slowest: list[str]
    orphan_latencies: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def passed(self) -> bool:
        return not any(self.bad.values())

    def table(self) -> str:
        total = self.statuses.total()
        rows = [
            ("публикаций", total),
            ("опубликовано", self.statuses[Status.PUBLISHED]),
            ("ошибка", self.statuses[Status.FAILED]),
            ("проверьте", self.statuses[Status.UNCONFIRMED]),
            ("дублей", len(self.bad["duplicates"])),
            ("потеряно", len(self.bad["lost"])),
            ("ложных успехов", len(self.bad["false successes"])),
            ("застряло", len(self.bad["stuck"])),
            ("с первой попытки", f"{self.first_try} ({100 * self.first_try / max(total, 1):.1f} %)"),
            ("от срока до публикации", _seconds(self.delays)),
            ("от гибели процесса до нового работника", _seconds(self.orphan_latencies)),
        ]
        width = max(len(name) for name, _ in rows)
        lines = [f"  {name:<{width}}  {value}" for name, value in rows]
        lines += [f"  {kind}: {', '.join(which)}" for kind, which in self.bad.items() if which]
        lines += ["  дольше всех:", *(f"    {line}" for line in self.slowest)] if self.faults else []
        lines += [f"  {name} × {count}" for name, count in (self.reasons + self.faults).most_common()]
        return "\n".join(lines)


def check(requested: Iterable[int], posts: Iterable[Mapping]) -> Report:
    """`requested`: ids of the requested publications; `posts`: GET /control/posts. Titles are unique."""
    rows = db.session.scalars(select(Publication).order_by(Publication.id)).all()
    visible = Counter(post["title"].strip() for post in posts if post["visible"])
    hashes = {post["title"].strip(): post["sha256"] for post in posts}
    published = [row for row in rows if row.status == Status.PUBLISHED]
    missing = set(requested) - {row.id for row in rows}
    return Report(
        statuses=Counter(row.status for row in rows),
        first_try=sum(_is_first_try(row) for row in published),
        bad={
            "duplicates": [_name(row) for row in rows if visible[row.title] > 1],
            # A row that is missing, or failed or cancelled although its post is visible.
            "lost": [str(one) for one in missing]
            + [_name(row) for row in rows if row.status in (Status.FAILED, Status.CANCELLED) and visible[row.title]],
            "false successes": [
                _name(row)
                for row in published
                if not visible[row.title] or not row.external_id or hashes[row.title] != row.clip.sha256
            ],
            "stuck": [_name(row) for row in rows if row.status in MOVING],
        },
        slowest=[line for row in sorted(published, key=_delay)[-2:] for line in (_name(row), *history(row.id))],
        delays=[_delay(row) for row in published],
        reasons=Counter(f"{row.platform}: {row.reason} {row.detail or ''}" for row in rows if row.reason),
    )


def count_moving() -> int:
    count = db.session.scalar(select(func.count()).where(Publication.status.in_(MOVING)))
    db.session.rollback()
    return count


def list_stuck() -> list[str]:
    now = clock.now()
    last_change = db.session.scalar(select(func.max(PublicationEvent.at)))
    rows = db.session.scalars(select(Publication).where(Publication.wake_at < now - STUCK_AFTER)).all()
    names = [_name(row) for row in rows] if last_change is None or last_change < now - IDLE else []
    db.session.rollback()
    return names


def history(publication_id: int) -> list[str]:
    """Returns the events of a publication, for the report."""
    events = db.session.scalars(
        select(PublicationEvent).where(PublicationEvent.publication_id == publication_id).order_by(PublicationEvent.id)
    )
    return [f"{event.at:%H:%M:%S.%f} {event.kind} {event.name or ''} {event.detail or ''}" for event in events]


def _is_first_try(row: Publication) -> bool:
    return row.attempt == 0 and row.crashes == 0


def _delay(row: Publication) -> float:
    return (row.published_at - row.due_at).total_seconds()


def _name(row: Publication) -> str:
    return f"{row.id} ({row.platform}, {row.status}, «{row.title}»)"


def _seconds(values: list[float]) -> str:
    if not values:
        return "–"
    ordered = sorted(values)
    return (
        f"медиана {median(ordered):.1f} с, 95 % {ordered[int(0.95 * (len(ordered) - 1))]:.1f} с, до {ordered[-1]:.1f} с"
    )
