"""Where a clip can be published: the user's accounts, and what prevents it on each."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import current_app
from sqlalchemy import func, select

from app import platforms
from app.db import db
from app.media.recipes import plan
from app.media.recipes.recipe import Recipe
from app.models import LIVE, Clip, ClipStatus, ConnectionStatus, PlatformConnection, Publication, Status, User
from app.platforms.base import Adapter, Limits
from app.platforms.options import Option
from app.problems import Problem
from app.publishing import preflight, recipes
from app.services import asked_options, connection_list


@dataclass(frozen=True)
class Destination:
    """An account in the publish dialog. With any of the `problems` it cannot be chosen.

    `live` and `published` are the clip's newest publications there.
    """

    clip: Clip
    connection: PlatformConnection
    label: str
    problems: list[Problem]  # of the account, then of the file as it is, or as it is without asking
    mode: str  # how publishing works there, where there are several ways
    live: Publication | None
    published: Publication | None
    limits: Limits
    max_title: int
    options: Sequence[Option]
    allowed: bool  # by the user's plan

    @property
    def blocked(self) -> bool:
        return bool(self.problems or self.live)

    @property
    def adapter(self) -> type[Adapter]:
        return platforms.ADAPTERS[self.connection.platform]

    @cached_property
    def offers(self) -> Sequence["plan.Offer"]:
        """How the clip can be changed so that it fits; none where it fits, or something else is in the way."""
        if self.live or not self.problems or list(self._account_problems):
            return ()
        return recipes.offers(self.clip, self.adapter)

    @cached_property
    def lossless(self) -> Recipe | None:
        """What is done to the file without asking."""
        return recipes.recipe_for(self.clip, self.adapter) if self.clip.status == ClipStatus.READY else None

    def recipe(self, chosen: str) -> Mapping[str, Any] | None:
        """What is chosen, as a row has it. Raises Problem for what is not offered."""
        return recipes.chosen(self.clip, self.adapter, chosen) if chosen else None

    def problems_with(self, recipe: Mapping[str, Any] | None) -> list[Problem]:
        """Those that are left where the file is changed by that recipe."""
        return [*self._account_problems, *_file_problems(self.adapter, self.clip, recipe)] if recipe else self.problems

    @property
    def _account_problems(self) -> Iterator[Problem]:
        return _account_problems(self.allowed, self.connection)

    @property
    def one_text(self) -> bool:
        """Whether title and description go out as one text."""
        return self.limits.max_text is not None

    def text(self, title: str, description: str) -> str:
        """The text that the platform shows."""
        adapter = platforms.ADAPTERS[self.connection.platform]
        return adapter.text(title, description) if self.one_text else description.strip()


def for_clip(user: User, clip: Clip) -> list[Destination]:
    return for_clips(user, [clip])[clip.id]


def for_clips(user: User, clips: Sequence[Clip]) -> dict[int, list[Destination]]:
    """By clip, in the order of the user's accounts. As many queries for many clips as for one."""
    mine = [one for one in connection_list.all_of(user) if one.status != ConnectionStatus.CHOOSING]
    siblings = Counter(connection.platform for connection in mine)
    known = _newest([clip.id for clip in clips])
    return {clip.id: [_destination(user, clip, one, siblings, known) for one in mine] for clip in clips}


# What is newest of a clip on an account: by clip, platform, account, and whether it is live.
_Newest = Mapping[tuple[int, str, str, bool], Publication]


def _newest(clip_ids: Sequence[int]) -> _Newest:
    """Not all: a clip may have been published a thousand times."""
    live = Publication.status.in_(LIVE)
    newest = (
        select(func.max(Publication.id))
        .where(Publication.clip_id.in_(clip_ids), Publication.status.in_((*LIVE, Status.PUBLISHED)))
        .group_by(Publication.clip_id, Publication.platform, Publication.account_id, live)
    )
    found = db.session.scalars(select(Publication).where(Publication.id.in_(newest)))
    return {(one.clip_id, one.platform, one.account_id, one.status in LIVE): one for one in found}


def _destination(
    user: User, clip: Clip, connection: PlatformConnection, siblings: Mapping[str, int], newest: _Newest
) -> Destination:
    adapter = platforms.ADAPTERS[connection.platform]
    limits = adapter.limits(current_app.config)
    account = clip.id, connection.platform, connection.account_id
    several = siblings[connection.platform] > 1
    allowed = user.plan.allows(connection.platform)
    return Destination(
        clip=clip,
        connection=connection,
        label=f"{adapter.name} — {connection.account_name}" if several else adapter.name,
        problems=[*_account_problems(allowed, connection), *_file_problems(adapter, clip)],
        mode=adapter.mode(current_app.config),
        live=newest.get((*account, True)),
        published=newest.get((*account, False)),
        limits=limits,
        max_title=min(limits.max_title or preflight.MAX_TITLE, preflight.MAX_TITLE),
        options=asked_options.declared(connection),
        allowed=allowed,
    )


def _account_problems(allowed: bool, connection: PlatformConnection) -> Iterator[Problem]:
    if not allowed:
        yield Problem("not_in_plan")
    elif connection.status != ConnectionStatus.ACTIVE:
        yield Problem("account_needs_reconnect")


def _file_problems(adapter: type[Adapter], clip: Clip, recipe: Mapping[str, Any] | None = None) -> Iterator[Problem]:
    """Of the file that the platform would be sent: changed by `recipe`, or by what is done without asking."""
    sent = recipes.outcome(clip, adapter, recipe) if clip.status == ClipStatus.READY else clip
    return preflight.problems(adapter, current_app.config, sent)
