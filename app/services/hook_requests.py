"""A call of an incoming webhook: its signature, its body read by the user's mapping, the import that it begins.

The same id twice is one clip: programs that got no answer call again. Where the mapping names no id, that of a signed
call counts.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app import clock
from app.models import ClipImport, ImportState, IncomingHook, Source, User
from app.platforms.http.response import Response
from app.problems import Problem
from app.services import arrival_fields, imports, incoming_hooks, renders, throttle
from app.services.throttle import Limit
from app.webhooks import signatures

MAX_BYTES = 256 << 10
_CALLS_PER_HOOK = Limit("hook", times=120, seconds=60)
_TOLERANCE_SECONDS = 300


@dataclass(frozen=True)
class Call:
    """What a body says. `when` is as in the API."""

    url: str
    title: str = ""
    text: str = ""
    id: str | None = None
    rule: int | None = None
    when: dict[str, Any] | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Accepted:
    render_id: int
    clip_import: ClipImport
    is_new: bool


def receive(hook: IncomingHook, user: User, headers: Mapping[str, str], body: bytes) -> Accepted:
    """Begins what the call asks for, or finds what an earlier one has begun. Raises Problem."""
    throttle.hit((_CALLS_PER_HOOK, str(hook.id)))
    signed_id = _verified(hook, headers, body)
    call = read(hook.mapping, body)
    external_id = call.id or (f"webhook-id {signed_id}"[: arrival_fields.MAX_ID] if signed_id else None)
    render = renders.announce(
        user,
        external_id=external_id,
        title=call.title,
        description=call.text,
        rule_id=call.rule,
        when=call.when,
        source=Source.HOOK,
        source_name=hook.name,
    )
    known = imports.newest_of(user, render)
    if known and known.state not in (ImportState.FAILED, ImportState.CANCELLED):
        return Accepted(render.id, known, is_new=False)
    begun = imports.start(user, call.url, sha256=call.sha256, render=render, source=Source.HOOK, source_name=hook.name)
    return Accepted(render.id, begun, is_new=True)


def read(mapping: Mapping[str, str], body: bytes) -> Call:
    """Raises Problem with the field that cannot be read."""
    document = Response(200, {}, body).json()
    if not isinstance(document, dict | list):
        raise Problem("hook_body_not_json")
    found = {name: _at(document, path) for name, path in mapping.items()}
    url = found.get("url")
    if not isinstance(url, str) or not url.strip():
        raise Problem("hook_url_missing", "url", path=mapping.get("url", "url"))
    return Call(
        url=url,
        title=arrival_fields.text(found, "title"),
        text=arrival_fields.text(found, "text"),
        id=arrival_fields.external_id(found),
        rule=arrival_fields.number(found, "rule"),
        when=arrival_fields.when(found.get("when")),
        sha256=arrival_fields.text(found, "sha256") or None,
    )


def _at(value: Any, path: str) -> Any:
    """The value at «data.files.0.url»; None where there is none."""
    for name in path.split("."):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and len(name) < 6 and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _verified(hook: IncomingHook, headers: Mapping[str, str], body: bytes) -> str | None:
    """The id of a signed call; None where the webhook asks for no signature. Raises Problem.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    secret = incoming_hooks.secret_of(hook)
    if secret is None:
        return None
    call_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "")
    if not (call_id and sent_at and given):
        raise Problem("hook_unsigned")
    if not sent_at.isdecimal() or len(sent_at) > 12 or not _is_fresh(int(sent_at)):
        raise Problem("hook_signature_old")
    expected = signatures.signature(secret, call_id, sent_at, body).encode()
    if not any(hmac.compare_digest(expected, one.encode()) for one in given.split(" ")):
        raise Problem("hook_signature_wrong")
    return call_id


def _is_fresh(seconds: int) -> bool:
    return abs(clock.now().timestamp() - seconds) <= _TOLERANCE_SECONDS
