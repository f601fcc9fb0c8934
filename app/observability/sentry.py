"""Errors to Sentry, where SENTRY_DSN names one: what broke and where, and no user's data.

No request (addresses and headers can hold a token), no local variables, no breadcrumbs; an error's text is redacted as
in the log.
"""

from collections.abc import MutableMapping
from typing import Any

import structlog

from app.observability import redact

# In the log's context, but of a user.
_PERSONAL = ("user", "address")

_connected = False


def connect(dsn: str) -> None:
    """From here on errors are reported; without a `dsn` nothing is loaded."""
    global _connected
    if not dsn:
        return
    import sentry_sdk
    from sentry_sdk.integrations.logging import LoggingIntegration

    sentry_sdk.init(
        dsn,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        before_send=_scrub,
        # The log reports by itself, see `report`: structlog's records would arrive without their exceptions.
        integrations=[LoggingIntegration(level=None, event_level=None)],
    )
    _connected = True


def report(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of the log: errors go to Sentry as well."""
    if _connected and event.get("level") in ("error", "critical"):
        import sentry_sdk

        error = event.get("exc_info")
        if error:
            sentry_sdk.capture_exception(error if isinstance(error, BaseException) else None)
        else:
            sentry_sdk.capture_message(event["event"], level="error")
    return event


def _scrub(event: dict[str, Any], _hint: dict[str, Any]) -> dict[str, Any]:
    for part in ("request", "user", "breadcrumbs", "extra"):
        event.pop(part, None)
    for exception in event.get("exception", {}).get("values", []):
        exception["value"] = redact.text(str(exception.get("value") or ""))
    if "message" in event:
        event["message"] = redact.text(event["message"])
    known = structlog.contextvars.get_contextvars().items()
    event["tags"] = {**event.get("tags", {}), **{name: str(value) for name, value in known if name not in _PERSONAL}}
    return event
