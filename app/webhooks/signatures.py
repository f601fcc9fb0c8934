"""Signatures of the Standard Webhooks specification: symmetric secrets, HMAC-SHA256."""

import base64
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

SECRET_PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    return written(secrets.token_bytes(_SECRET_BYTES))


def written(raw: bytes) -> str:
    """A secret as libraries of the standard take it."""
    return SECRET_PREFIX + base64.b64encode(raw).decode()


def new_message_id() -> str:
    return f"msg_{secrets.token_hex(16)}"


def headers(keys: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """`keys`: secrets that are valid at the moment; each signs, so that a receiver may still have the previous one."""
    timestamp = str(int(at.timestamp()))
    raws = [base64.b64decode(key.removeprefix(SECRET_PREFIX)) for key in keys]
    signatures = [signature(raw, message_id, timestamp, body) for raw in raws]
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}


def signature(raw: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    content = b".".join([message_id.encode(), timestamp.encode(), body])
    return "v1," + base64.b64encode(hmac.digest(raw, content, "sha256")).decode()
