"""What the page «Интеграции» shows of each platform."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import current_app

from app import platforms
from app.models import PlatformConnection, User
from app.plans import Plan, cheapest_for
from app.platforms.base import FormField
from app.problems import NotFound
from app.services import connections


@dataclass(frozen=True)
class PlatformCard:
    key: str
    name: str
    allowed: bool
    plan_needed: Plan
    consent: bool  # connected by a consent page of the platform
    form: Sequence[FormField]
    mode: str  # which way of publishing is on, where there are several
    unready: str  # why nothing can be published in this installation
    connections: list[PlatformConnection]


def all_of(user: User) -> list[PlatformCard]:
    mine = connections.all_of(user)
    return [_card(user, key, mine) for key in platforms.ADAPTERS]


def get(user: User, platform: str) -> PlatformCard:
    """Raises NotFound."""
    if platform not in platforms.ADAPTERS:
        raise NotFound
    return _card(user, platform, connections.all_of(user))


def _card(user: User, platform: str, mine: Sequence[PlatformConnection]) -> PlatformCard:
    adapter, config = platforms.ADAPTERS[platform], current_app.config
    return PlatformCard(
        key=adapter.key,
        name=adapter.name,
        allowed=user.plan.allows(adapter.key),
        plan_needed=cheapest_for(adapter.key),
        consent=adapter.oauth(config) is not None,
        form=adapter.form,
        mode=adapter.mode(config),
        unready=adapter.unready(config),
        connections=[one for one in mine if one.platform == platform],
    )
