"""What the database says against what a viewer of the platforms sees."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median

from sqlalchemy import func, select

from app import clock
from app.db import db
from app.models import Publication, PublicationEvent, Status

# A row that should have been looked at this long ago, …
STUCK_AFTER = timedelta(minutes=2)
# … while nothing at all has moved for so long: otherwise it only waits its turn on a slow machine.
STILL = timedelta(seconds=30)
MOVING = (Status.SCHEDULED, Status.PUBLISHING)


@dataclass
class Verdict:
    """`bad` names each publication that broke a promise."""

    statuses: Counter[str]
    first_try: int
    bad: dict[str, list[str]]
    late: list[float]
    slowest: list[str]
    recovered: list[float] = field(default_factory=list)
    deeds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def kept(self) -> bool:
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
            ("от срока до публикации", _seconds(self.late)),
            ("до нового работника после смерти", _seconds(self.recovered)),
        ]
        width = max(len(name) for name, _ in rows)
        lines = [f"  {name:<{width}}  {value}" for name, value in rows]
        lines += [f"  {kind}: {', '.join(which)}" for kind, which in self.bad.items() if which]
        lines += ["  дольше всех:", *(f"    {line}" for line in self.slowest)] if self.deeds else []
        lines += [f"  {name} × {count}" for name, count in (self.reasons + self.deeds).most_common()]
        return "\n".join(lines)


def judge(made: Iterable[int], posts: Iterable[Mapping]) -> Verdict:
    """`made`: ids of what was asked for; `posts`: GET /control/posts. Titles are unique."""
    rows = db.session.scalars(select(Publication).order_by(Publication.id)).all()
    seen = Counter(post["title"].strip() for post in posts if post["visible"])
    hashes = {post["title"].strip(): post["sha256"] for post in posts}
    published = [row for row in rows if row.status == Status.PUBLISHED]
    missing = set(made) - {row.id for row in rows}
    return Verdict(
        statuses=Counter(row.status for row in rows),
        first_try=sum(_at_first_try(row) for row in published),
        bad={
            "duplicates": [_name(row) for row in rows if seen[row.title] > 1],
            # What is gone, and what was called failed or cancelled and stands there all the same.
            "lost": [str(one) for one in missing]
            + [_name(row) for row in rows if row.status in (Status.FAILED, Status.CANCELLED) and seen[row.title]],
            "false successes": [
                _name(row)
                for row in published
                if not seen[row.title] or not row.external_id or hashes[row.title] != row.clip.sha256
            ],
            "stuck": [_name(row) for row in rows if row.status in MOVING],
        },
        slowest=[line for row in sorted(published, key=_late)[-2:] for line in (_name(row), *history(row.id))],
        late=[_late(row) for row in published],
        reasons=Counter(f"{row.platform}: {row.reason} {row.detail or ''}" for row in rows if row.reason),
    )


def moving() -> int:
    count = db.session.scalar(select(func.count()).where(Publication.status.in_(MOVING)))
    db.session.rollback()
    return count


def stuck() -> list[str]:
    now = clock.now()
    moved = db.session.scalar(select(func.max(PublicationEvent.at)))
    rows = db.session.scalars(select(Publication).where(Publication.wake_at < now - STUCK_AFTER)).all()
    names = [_name(row) for row in rows] if moved is None or moved < now - STILL else []
    db.session.rollback()
    return names


def history(publication_id: int) -> list[str]:
    """For a person who wants to know how it came to that."""
    events = db.session.scalars(
        select(PublicationEvent).where(PublicationEvent.publication_id == publication_id).order_by(PublicationEvent.id)
    )
    return [f"{event.at:%H:%M:%S.%f} {event.kind} {event.name or ''} {event.detail or ''}" for event in events]


def _at_first_try(row: Publication) -> bool:
    return row.attempt == 0 and row.crashes == 0


def _late(row: Publication) -> float:
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
