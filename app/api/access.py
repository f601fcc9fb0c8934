"""Who asks: the key of a request, its scope, and how much of its budget is left. No cookie counts here."""

from typing import cast

import structlog
from flask import Response, current_app, g, request

from app.api.errors import ApiProblem
from app.db import commit, db, end_reading, reads_only
from app.models import ApiKey, Scope, User
from app.services import api_keys, request_limits
from app.services.request_limits import WINDOW_SECONDS, Budget
from app.serving import transfers

log = structlog.get_logger(__name__)


def current_user() -> User:
    return cast(User, g.api_user)


def current_key() -> ApiKey:
    return cast(ApiKey, g.api_key)


def authenticate(endpoint: str | None, _values: dict | None) -> None:
    """Before the body is read, and before anything of the view runs."""
    view = current_app.view_functions.get(endpoint)
    scope = getattr(view, "scope", None)
    if scope is None:
        transfers.begin(lambda: None)
        return
    key, user = _key()
    g.api_key, g.api_user = key, user
    g.unseen_key = key.id if api_keys.is_unseen(key) else None
    structlog.contextvars.bind_contextvars(user=user.id, key=key.id)
    transfers.belongs_to(str(user.id))
    _count(key)
    if scope not in key.scopes:
        raise ApiProblem("api_scope_missing", 403)
    transfers.begin(lambda: str(user.id))


def _key() -> tuple[ApiKey, User]:
    given = request.authorization
    if given is None or given.type != "bearer" or not given.token:
        raise ApiProblem("api_key_missing", 401)
    found = api_keys.find(given.token)
    if found is None:
        log.warning("unknown API key", refusal="api_key")
        raise ApiProblem("api_key_wrong", 401)
    key, _user = found
    if not api_keys.is_working(key):
        g.refused_key = key.id if api_keys.is_refusal_news(key) else None
        log.warning("API key that has ended", refusal="api_key", key=key.id)
        raise ApiProblem("api_key_revoked" if key.revoked_at else "api_key_expired", 401)
    return found


def _count(key: ApiKey) -> None:
    g.budget = budget = request_limits.hit(key.id)
    if budget and budget.is_used_up:
        waits = {"Retry-After": str(budget.seconds)}
        raise ApiProblem("too_many_requests", 429, waits, seconds=budget.seconds)


def note_use(response: Response) -> Response:
    """After the view, in a transaction of its own: one that only reads has no write lock."""
    used, refused = g.pop("unseen_key", None), g.pop("refused_key", None)
    if used or refused:
        end_reading()
        before = reads_only.set(False)
        if used:
            api_keys.mark_used(used)
        if refused:
            api_keys.note_refusal(refused)
        commit()
        reads_only.reset(before)
    return response


def show_budget(response: Response) -> Response:
    """RateLimit fields for HTTP (the IETF's draft): what the key may do in a window, and what is left of that."""
    budget: Budget | None = g.get("budget")
    if budget:
        response.headers["RateLimit-Policy"] = f'"key";q={budget.quota};w={WINDOW_SECONDS}'
        response.headers["RateLimit"] = f'"key";r={budget.left};t={budget.seconds}'
    return response


def end_transaction() -> None:
    """Before something slow: what has been changed so far stays, and the user and the key are read anew afterwards."""
    commit()
    db.session.expire_all()


READ, WRITE = Scope.READ, Scope.WRITE
