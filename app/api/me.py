"""Whose key it is, and what it may."""

from typing import Any

from app.api.access import READ, current_key, current_user
from app.api.blueprint import Blueprint
from app.api.fields import Body, Choice, Inner, Listed, Moment, Number, Text
from app.models import Scope

blueprint = Blueprint("me", "Ключ и его владелец")


class KeyBody(Body):
    id = Number(required=True)
    name = Text(required=True)
    expires_at = Moment(required=True, allow_none=True, metadata={"description": "null: бессрочный"})


class MeBody(Body):
    id = Number(required=True)
    name = Text(required=True)
    plan = Text(required=True)
    timezone = Text(required=True)
    scopes = Listed(Choice(Scope), required=True)
    key = Inner(KeyBody, required=True)


@blueprint.endpoint(name="get_me", scope=READ, returns=MeBody)
def get_me() -> dict[str, Any]:
    """Чей это ключ и что ему можно."""
    user, key = current_user(), current_key()
    return {
        "id": user.id,
        "name": user.name,
        "plan": user.plan.key,
        "timezone": user.timezone,
        "scopes": key.scopes,
        "key": key,
    }
