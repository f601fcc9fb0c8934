"""Sets of accounts, and the slots in which their clips go out."""

from typing import Any

from app.api.access import READ, current_user
from app.api.blueprint import Blueprint
from app.api.fields import Body, Inner, Listed, Moment, Number, NumberText, Query, Text, between
from app.models import AccountSet
from app.services import account_sets, slots

blueprint = Blueprint("sets", "Наборы аккаунтов и их слоты")

MOST_SLOTS = 50


class SetBody(Body):
    """Набор аккаунтов."""

    id = Number(required=True)
    name = Text(required=True)
    connection_ids = Listed(Number(), required=True)
    paused_at = Moment(required=True, allow_none=True)
    slots_count = Number(required=True)


class SetsBody(Body):
    items = Listed(Inner(SetBody), required=True)


class SlotBody(Body):
    """Свободный слот."""

    slot_id = Number(required=True)
    set_id = Number(required=True, attribute="account_set_id")
    at = Moment(required=True, attribute="due_at")


class SlotsBody(Body):
    items = Listed(Inner(SlotBody), required=True)


class SlotCount(Query):
    count = NumberText(load_default=10, validate=between(1, MOST_SLOTS))


@blueprint.endpoint(name="list_sets", scope=READ, returns=SetsBody)
def list_sets() -> dict[str, Any]:
    """Наборы аккаунтов."""
    return {"items": [_set(one) for one in account_sets.all_of(current_user())]}


@blueprint.endpoint("/<int:set_id>", name="get_set", scope=READ, returns=SetBody)
def get_set(set_id: int) -> dict[str, Any]:
    """Один набор."""
    return _set(account_sets.get(current_user(), set_id))


@blueprint.endpoint("/<int:set_id>/slots", name="list_free_slots", scope=READ, query=SlotCount, returns=SlotsBody)
def list_free_slots(set_id: int, query: dict[str, int]) -> dict[str, Any]:
    """Ближайшие свободные слоты набора."""
    return {"items": slots.next_free(current_user(), set_id, query["count"])}


def _set(one: AccountSet) -> dict[str, Any]:
    names = ("id", "name", "connection_ids", "paused_at")
    return {name: getattr(one, name) for name in names} | {"slots_count": len(one.slots)}
