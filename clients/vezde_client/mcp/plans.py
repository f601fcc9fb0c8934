"""What would go out when, looked at without changing anything, and kept until it is confirmed."""

import secrets
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from vezde_client import destinations, when
from vezde_client.api import Api
from vezde_client.errors import Refused, WrongUsage
from vezde_client.publishing import Order

_LIVE = ("scheduled", "publishing", "awaiting_user", "unconfirmed")
_KEPT_SECONDS = 900
_MOST = 200


@dataclass(frozen=True)
class Wish:
    """A publication as an assistant asks for it."""

    clip_id: int
    to: Sequence[str | int] = ()
    set: str = ""
    at: str = ""
    in_minutes: int | None = None
    slot_of: str = ""
    title: str | None = None
    text: str | None = None
    options: Mapping[str, Mapping[str, str | bool]] | None = None
    again: bool = False


def when_of(api: Api, at: str, in_minutes: int | None, slot_of: str) -> dict[str, Any]:
    """Now, where none is given. «In an hour» is counted from the plan on, not from its confirmation."""
    given = [bool(at), in_minutes is not None, bool(slot_of)]
    if sum(given) > 1:
        raise WrongUsage("Из at, in_minutes и slot_of задайте одно.")
    if at:
        return when.at(at, api.me["timezone"])
    if in_minutes is not None:
        return when.at_moment(datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=in_minutes))
    if slot_of:
        return when.slot(destinations.account_set(api, slot_of)["id"])
    return when.NOW


def order_of(api: Api, wish: Wish) -> tuple[Order, list[dict[str, Any]]]:
    """And the accounts."""
    known = destinations.connections(api)
    wanted = destinations.account_set(api, wish.set)["connection_ids"] if wish.set else wish.to
    chosen = destinations.choose(known, wanted)
    if not chosen:
        raise WrongUsage("Назовите, куда публиковать: to или set.")
    typed = [
        f"{where}.{name}={str(value).lower() if isinstance(value, bool) else value}"
        for where, values in (wish.options or {}).items()
        for name, value in values.items()
    ]
    moment = when_of(api, wish.at, wish.in_minutes, wish.slot_of)
    ids = [one["id"] for one in chosen]
    options = destinations.options_for(chosen, typed)
    return Order(ids, moment, wish.title, wish.text, options, wish.again), chosen


def describe(api: Api, wish: Wish, order: Order, chosen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    clip = api.get(f"/clips/{wish.clip_id}")
    earlier: dict[int, str] = {}
    for one in api.pages("/publications", clip_id=wish.clip_id, limit=100):
        earlier.setdefault(one["connection_id"], one["status"])
    title = clip["title"] if order.title is None else order.title
    text = clip["text"] if order.text is None else order.text
    return {
        "clip": {"id": clip["id"], "title": clip["title"], "status": clip["status"]},
        "when": _moment(api, order.when),
        "items": [
            {
                "connection_id": one["id"],
                "platform": one["platform"],
                "account": one["account"],
                "title": title,
                "text": text,
                "options": dict(order.options.get(one["id"], {})),
                "problems": _problems(clip, one, title, text, earlier.get(one["id"]), wish.again),
            }
            for one in chosen
        ],
    }


def _moment(api: Api, asked: Mapping[str, Any]) -> dict[str, Any]:
    zone = api.me["timezone"]
    moment = asked.get("at")
    if asked["kind"] == "slot":
        free = api.get(f"/sets/{asked['set_id']}/slots", count=1)["items"]
        if not free:
            raise Refused("В этом наборе нет свободных слотов.")
        moment = free[0]["at"]
    return {**asked, "at": moment, "local": when.local(moment, zone), "timezone": zone}


def _problems(
    clip: Mapping[str, Any], connection: Mapping[str, Any], title: str, text: str, earlier: str | None, again: bool
) -> list[str]:
    """What the service would refuse, as far as that can be known ahead."""
    limits = connection["limits"]
    found = []
    if clip["status"] != "ready":
        found.append(clip.get("detail") or "Клип ещё проверяется.")
    if connection["status"] != "active":
        found.append(connection.get("detail") or "Аккаунт нужно подключить заново.")
    if earlier in _LIVE:
        found.append("Клип уже ждёт публикации на этом аккаунте.")
    if earlier == "published" and not again:
        found.append("Клип здесь уже опубликован. Ещё раз — только с again.")
    for what, value, limit in (
        ("Название длиннее, чем принимает площадка", len(title), limits["max_title"]),
        ("Описание длиннее, чем принимает площадка", len(text), limits["max_description"]),
        ("Файл больше, чем принимает площадка", clip["size"], limits["max_bytes"]),
        ("Клип длиннее, чем принимает площадка", (clip["duration_ms"] or 0) / 1000, limits["max_seconds"]),
    ):
        if limit is not None and value > limit:
            found.append(f"{what}: {value:g} из {limit}.")
    return found


@dataclass
class Plan:
    order: Order
    clip_id: int
    idempotency_key: str
    end: float


class Plans:
    """Those that wait for a confirmation. A second confirmation of the same makes nothing new."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plans: dict[str, Plan] = {}

    def keep(self, order: Order, clip_id: int) -> str:
        """What confirms it."""
        token = secrets.token_urlsafe(9)
        with self._lock:
            now = time.monotonic()
            alive = [(name, plan) for name, plan in self._plans.items() if plan.end > now]
            self._plans = dict(alive[-_MOST + 1 :])
            self._plans[token] = Plan(order, clip_id, str(uuid.uuid4()), now + _KEPT_SECONDS)
        return token

    def find(self, token: str) -> Plan:
        with self._lock:
            plan = self._plans.get(token)
        if plan is None or plan.end < time.monotonic():
            raise Refused("Такого плана нет или он устарел. Составьте его заново: publish.")
        return plan
