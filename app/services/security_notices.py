"""What is told by bell and mail besides the line in «Безопасность»: what somebody else would do with the account."""

from app import texts
from app.models import User, record_event
from app.services.audit_log import client_ip


def notify(user: User, kind: str) -> None:
    """`kind` is that of the line, and a key of texts.NOTIFICATIONS. The caller commits it with the change."""
    record_event(user.id, f"security.{kind}", {"address": client_ip.get() or texts.OPERATOR})
