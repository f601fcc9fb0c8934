"""What the page «Интеграции» shows of each platform."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import current_app

from app import platforms
from app.models import ConnectionStatus, PlatformConnection, User
from app.plans import Plan, cheapest_for
from app.platforms.base import FormField, GuideStep
from app.problems import NotFound
from app.services import connection_list, withheld
from app.services.connections import THROUGH
from app.services.withheld import Offer


@dataclass(frozen=True)
class PlatformCard:
    key: str
    name: str
    allowed: bool
    plan_needed: Plan
    consent: bool  # connected by a consent page of the platform
    consent_asks: str  # what that page asks for, and why
    form: Sequence[FormField]
    guide: Sequence[GuideStep]  # to what the form asks for
    mode: str  # which way of publishing is on, where there are several
    unready: str  # why nothing can be published in this installation
    connections: list[PlatformConnection]
    offers: Mapping[int, Offer]  # by connection: what was planned there and can be brought back
    more_label: str  # of the button that leads to further accounts
    sources: frozenset[int]  # the connections that have it: one for each token

    @property
    def connected(self) -> bool:
        """Whether there is an account already, so that connecting adds one."""
        return any(one.status != ConnectionStatus.CHOOSING for one in self.connections)


def all_of(user: User) -> list[PlatformCard]:
    mine = connection_list.all_of(user)
    offers = withheld.offers(user)
    return [_card(user, key, mine, offers) for key in platforms.ADAPTERS]


def get(user: User, platform: str, known: Mapping[str, Any] | None = None) -> PlatformCard:
    """`known`: the params of a refusal, from which the guide may say more. Raises NotFound."""
    if platform not in platforms.ADAPTERS:
        raise NotFound
    return _card(user, platform, connection_list.all_of(user), withheld.offers(user), known or {})


def _card(
    user: User,
    platform: str,
    mine: Sequence[PlatformConnection],
    offers: Sequence[Offer],
    known: Mapping[str, Any] | None = None,
) -> PlatformCard:
    adapter, config = platforms.ADAPTERS[platform], current_app.config
    here = [one for one in mine if one.platform == platform]
    facts = {**here[0].facts, **(known or {})} if here else known or {}
    return PlatformCard(
        key=adapter.key,
        name=adapter.name,
        allowed=user.plan.allows(adapter.key),
        plan_needed=cheapest_for(adapter.key),
        consent=adapter.oauth(config) is not None,
        consent_asks=adapter.consent_asks(config),
        form=adapter.form,
        guide=adapter.guide(config, facts),
        mode=adapter.mode(config),
        unready=adapter.unready(config),
        connections=here,
        offers={one.connection_id: one for one in offers if one.platform == platform},
        more_label=adapter.more_label,
        sources=_sources(here) if adapter.more_label else frozenset(),
    )


def _sources(here: Sequence[PlatformConnection]) -> frozenset[int]:
    """Of the connections that have a token in common the one of the token's own page, or else the first."""
    active = [one for one in here if one.status == ConnectionStatus.ACTIVE]
    found: dict[str, int] = {}
    for one in sorted(active, key=lambda one: THROUGH in one.facts):
        found.setdefault(one.facts.get(THROUGH, one.account_id), one.id)
    return frozenset(found.values())
