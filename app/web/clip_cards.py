"""What a clip's card says, and the fragments that pages swap in: cards, the open panel, what needs attention."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qs

from flask import render_template, request, url_for
from flask_login import current_user
from markupsafe import Markup

from app.models import LIVE, Clip, ClipStatus, ConnectionStatus, PlatformConnection, Publication, Status
from app.problems import NotFound
from app.services import clip_list, clips, connection_list, history
from app.statistics.report import COUNTS
from app.web import plan_page
from app.web.access import address_of

_OWN_PAGE = re.compile(r"/clips/(\d{1,18})")


_URGENCY = (
    *(Status.UNCONFIRMED, Status.AWAITING_USER, Status.FAILED),
    *(Status.PUBLISHING, Status.SCHEDULED, Status.PUBLISHED, Status.CANCELLED),
)


class Action(StrEnum):
    """What a card offers first."""

    NONE = "none"  # the file cannot be published
    WAIT = "wait"  # the file is being looked through
    RECONNECT = "reconnect"
    CHECK = "check"
    RETRY = "retry"
    PUBLISH = "publish"
    AGAIN = "again"  # it is everywhere
    BUSY = "busy"  # it is on its way everywhere


@dataclass(frozen=True)
class Card:
    """A clip, its newest publication on each account, and what follows from their states.

    `telling` is the publication that the card's second line is about. `sums` adds up what is known of each count.
    `promised`: the platforms where the clip goes as soon as it is checked.
    """

    clip: Clip
    publications: Sequence[Publication] = ()
    action: Action = Action.NONE
    telling: Publication | None = None
    sums: dict[str, int] = field(default_factory=dict)
    promised: Sequence[str] = ()

    @property
    def urgent(self) -> list[Publication]:
        """What needs its user first, then what is not over; the published come last."""
        return sorted(self.publications, key=lambda one: _URGENCY.index(one.status))


def card_of(clip: Clip, publications: Sequence[Publication], accounts: Sequence[PlatformConnection]) -> Card:
    """`accounts`: all of the user's, read once for all cards."""
    usable = {one.id: one for one in accounts if one.status != ConnectionStatus.CHOOSING}
    lost = [one for one in publications if _waits_for_account(one, usable)]
    asking = [one for one in publications if one.status in (Status.UNCONFIRMED, Status.AWAITING_USER)]
    failed = [one for one in publications if one.status == Status.FAILED]
    going_on = [one for one in publications if one.status == Status.PUBLISHING]
    planned = sorted((one for one in publications if one.status == Status.SCHEDULED), key=lambda one: one.due_at)
    action = {ClipStatus.PROCESSING: Action.WAIT, ClipStatus.FAILED: Action.NONE}.get(clip.status)
    if action is None and lost:
        action = Action.RECONNECT
    elif action is None and asking:
        action = Action.CHECK
    elif action is None and any(one.connection_id in usable for one in failed):
        action = Action.RETRY
    remarked = [one for one in publications if one.status == Status.PUBLISHED and one.reason]
    telling = next(iter([*lost, *asking, *failed, *going_on, *planned, *remarked]), None)
    action = action or _publish_action(publications, usable)
    promised = list(dict.fromkeys(one.platform for one in usable.values() if not one.left_out))
    promised = promised if clip.status == ClipStatus.PROCESSING and clip.publish_when_ready else ()
    return Card(clip, publications, action, telling, _sums(publications), promised)


def _waits_for_account(publication: Publication, usable: dict[int, PlatformConnection]) -> bool:
    account = usable.get(publication.connection_id)
    return bool(
        account
        and account.status == ConnectionStatus.RECONNECT
        and publication.status in (Status.SCHEDULED, Status.FAILED)
    )


def _publish_action(publications: Sequence[Publication], usable: dict[int, PlatformConnection]) -> Action:
    taken = {(one.platform, one.account_id) for one in publications if one.status in (*LIVE, Status.PUBLISHED)}
    if not taken or any((one.platform, one.account_id) not in taken for one in usable.values()):
        return Action.PUBLISH
    return Action.BUSY if any(one.status in LIVE for one in publications) else Action.AGAIN


def _sums(publications: Sequence[Publication]) -> dict[str, int]:
    published = [one for one in publications if one.status == Status.PUBLISHED]
    known = {count: [getattr(one, count) for one in published if getattr(one, count) is not None] for count in COUNTS}
    return {count: sum(values) for count, values in known.items() if values}


def cards_of(some: Sequence[Clip], accounts: Sequence[PlatformConnection] | None = None) -> list[Card]:
    """Two queries, however many clips there are; one where the user's `accounts` are there already."""
    if not some:
        return []
    by_clip = history.for_clips(current_user, [clip.id for clip in some])
    if accounts is None:
        accounts = connection_list.all_of(current_user)
    return [card_of(clip, by_clip.get(clip.id, []), accounts) for clip in some]


# Fragments


@dataclass(frozen=True)
class Shown:
    """What the page that asks shows of clips: whether the list, and which clip is open, beside something or alone."""

    has_list: bool = True
    open_id: int | None = None
    alone: bool = False


def shown() -> Shown:
    address = address_of(request.htmx.current_url if request.htmx else None)
    if alone := _OWN_PAGE.fullmatch(address.path):
        return Shown(False, int(alone[1]), alone=True)
    opened = parse_qs(address.query).get("clip", [""])[0]
    is_list = address.path == url_for("clips.page")
    has_panel = is_list or plan_page.is_shown()
    return Shown(is_list, int(opened) if has_panel and re.fullmatch(r"\d{1,18}", opened) else None)


def opened() -> Card | None:
    """The clip whose panel is open beside the page's list or calendar, by its address."""
    clip_id = request.args.get("clip", type=int)
    try:
        return cards_of([clips.get(current_user, clip_id)])[0] if clip_id else None
    except NotFound:
        return None


def cards(some: Sequence[Clip], *, oob: bool = True) -> Markup:
    """Cards as fragments; out of band they replace those that the page shows, with all that follows from them there:
    the open panel, the plan.
    """
    made, page = cards_of(some), shown()
    if not oob:
        return Markup("").join(card(one, oob) for one in made)
    fragments = [*map(card, made), attention()] if page.has_list else []
    return Markup("").join([*fragments, *_plan(), *(panel(one) for one in made if one.clip.id == page.open_id)])


def _plan() -> list[Markup]:
    return [plan_page.fragment()] if plan_page.is_shown() else []


def card(card: Card, oob: bool = True) -> Markup:
    return Markup(render_template("clips/_card.html", card=card, oob=oob))


def panel(card: Card) -> Markup:
    """Replaces the panel that is open."""
    return Markup(render_template("clips/_panel.html", card=card, alone=shown().alone, oob=True))


def removed(clip_ids: Sequence[int]) -> Markup:
    page = shown()
    fragments = [*map(removed_card, clip_ids), attention()] if page.has_list else []
    return Markup("").join([*fragments, *_plan(), *(closed_panel() for clip_id in clip_ids if clip_id == page.open_id)])


def removed_card(clip_id: int) -> Markup:
    return Markup('<article id="clip-{}" hx-swap-oob="delete"></article>').format(clip_id)


def closed_panel() -> Markup:
    return Markup(render_template("clips/_no_panel.html", alone=shown().alone))


def changed_panel(known: Mapping[int, str]) -> Iterator[Markup]:
    """Of the clip that is open beside the plan, by the version that the page knows."""
    changed, gone = clips.changed(current_user, {number: int(version) for number, version in known.items()})
    yield from (panel(card) for card in cards_of(changed))
    yield from (closed_panel() for _ in gone)


def attention() -> Markup:
    """The strip above the list, anew."""
    count = clip_list.count_attention(current_user)
    return Markup(render_template("clips/_attention.html", attention=count, oob=True))
