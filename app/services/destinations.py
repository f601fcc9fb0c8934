"""Where a clip can be published: the user's accounts, and what prevents it on each."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import current_app
from sqlalchemy import select

from app import platforms
from app.db import db
from app.models import LIVE, Clip, ConnectionStatus, PlatformConnection, Publication, Status, User
from app.platforms.base import Adapter, Limits
from app.platforms.options import Option
from app.problems import Problem
from app.publishing import preflight
from app.services import connection_list


@dataclass(frozen=True)
class Destination:
    """An account in the publish dialog. With any of the `problems` it cannot be chosen.

    `live` and `published` are the clip's newest publications there.
    """

    connection: PlatformConnection
    label: str
    problems: list[Problem]
    mode: str  # how publishing works there, where there are several ways
    live: Publication | None
    published: Publication | None
    limits: Limits
    max_title: int
    options: Sequence[Option]

    @property
    def blocked(self) -> bool:
        return bool(self.problems or self.live)

    @property
    def one_text(self) -> bool:
        """Whether title and description go out as one text."""
        return self.limits.max_text is not None

    def text(self, title: str, description: str) -> str:
        """The text that the platform shows."""
        adapter = platforms.ADAPTERS[self.connection.platform]
        return adapter.text(title, description) if self.one_text else description.strip()


def for_clip(user: User, clip: Clip) -> list[Destination]:
    mine = [one for one in connection_list.all_of(user) if one.status != ConnectionStatus.CHOOSING]
    publications = db.session.scalars(
        select(Publication)
        .where(Publication.clip_id == clip.id, Publication.status.in_((*LIVE, Status.PUBLISHED)))
        .order_by(Publication.id.desc())
    ).all()
    siblings, found = Counter(connection.platform for connection in mine), []
    for connection in mine:
        adapter = platforms.ADAPTERS[connection.platform]
        limits = adapter.limits(current_app.config)
        account = connection.platform, connection.account_id
        here = [one for one in publications if (one.platform, one.account_id) == account]
        several = siblings[connection.platform] > 1
        destination = Destination(
            connection=connection,
            label=f"{adapter.name} — {connection.account_name}" if several else adapter.name,
            problems=list(_problems(user, connection, adapter, clip)),
            mode=adapter.mode(current_app.config),
            live=next((one for one in here if one.status in LIVE), None),
            published=next((one for one in here if one.status == Status.PUBLISHED), None),
            limits=limits,
            max_title=min(limits.max_title or preflight.MAX_TITLE, preflight.MAX_TITLE),
            options=adapter.options,
        )
        found.append(destination)
    return found


def _problems(user: User, connection: PlatformConnection, adapter: type[Adapter], clip: Clip) -> Iterator[Problem]:
    if not user.plan.allows(connection.platform):
        yield Problem("not_in_plan")
    elif connection.status != ConnectionStatus.ACTIVE:
        yield Problem("account_needs_reconnect")
    yield from preflight.problems(adapter, current_app.config, clip)
