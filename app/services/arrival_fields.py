"""What another program says of a clip: fields of a webhook's body, of a file beside the clip, of a line of a table."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.models import User
from app.problems import Problem
from app.services import typed_times
from app.services.when import at

MAX_ID = 128


def text(found: Mapping[str, Any], name: str) -> str:
    """A text, or a number as one; empty where there is none. Raises Problem."""
    value = found.get(name)
    if value is None:
        return ""
    if isinstance(value, bool | dict | list):
        raise Problem("field_not_text", name, name=name)
    return str(value).strip()


def number(found: Mapping[str, Any], name: str) -> int | None:
    """Of a row of ours. Raises Problem."""
    typed = text(found, name)
    if not typed:
        return None
    if not (typed.isascii() and typed.isdecimal()) or len(typed) > 18:
        raise Problem("field_not_number", name, name=name)
    return int(typed)


def external_id(found: Mapping[str, Any]) -> str | None:
    """Raises Problem."""
    typed = text(found, "id")
    if len(typed) > MAX_ID:
        raise Problem("field_id_too_long", "id", max=MAX_ID)
    return typed or None


def when(value: Any, user: User | None = None) -> dict[str, Any] | None:
    """As the API has it, or «now», or a time. With a `user` a person has written it: in that user's zone, if in none.

    Raises Problem.
    """
    if value is None or value == "":
        return None
    if isinstance(value, dict):
        return value
    typed = value.strip() if isinstance(value, str) else ""
    if typed.casefold() in ("now", "сейчас"):
        return {"kind": "now"}
    if user is not None:
        return at(typed_times.parse(user, typed))
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        raise Problem("field_when_malformed", "when") from None
    if moment.tzinfo is None:
        raise Problem("field_when_without_zone", "when")
    return at(moment)
