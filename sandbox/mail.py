"""An SMTP server that stores every message, for the web page and for tests.

Implements RFC 5321 on its own port (aiosmtpd). Fault rules match a message as "MAIL <first recipient>". These kinds
apply: `status:<SMTP code>`, `lose_answer`, `hang` and `delay`.
"""

import asyncio
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from sandbox.faults import FaultRules, Rule
from sandbox.state import State

ACCEPTED = "250 OK"


@dataclass
class Mail:
    """One message. `to`: recipients of the envelope; `text`: the plain text part."""

    id: str
    at: str
    sender: str
    to: list[str]
    subject: str
    text: str
    message_id: str


class Mailbox:
    def __init__(self, state: State, faults: FaultRules) -> None:
        self._state = state
        self._faults = faults
        self._mails = state.table("mail", Mail)

    @property
    def mails(self) -> list[Mail]:
        """Returns all messages, the oldest first."""
        with self._state.lock:
            return list(self._mails)

    def serve(self, host: str, port: int) -> None:
        """Starts listening, in a daemon thread."""
        Controller(self, hostname=host, port=port, enable_SMTPUTF8=True, ident="sandbox").start()

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        """aiosmtpd's hook for a complete message. Returns the SMTP reply."""
        rule = self._faults.match(f"MAIL {envelope.rcpt_tos[0]}")
        if rule is None:
            self._store(envelope)
            return ACCEPTED
        return await self._inject(rule, server, envelope)

    async def _inject(self, rule: Rule, server: SMTP, envelope: Envelope) -> str:
        if rule.effect or rule.kind in ("lose_answer", "delay"):
            self._store(envelope)
        if rule.kind == "status":
            return f"{rule.argument} Fault injected by the sandbox"
        if rule.kind in ("delay", "hang"):
            await asyncio.sleep(rule.argument)
        if rule.kind != "delay":
            server.transport.abort()
        return ACCEPTED

    def _store(self, envelope: Envelope) -> None:
        message = message_from_bytes(envelope.original_content, policy=policy.default)
        mail = Mail(
            id=uuid.uuid4().hex,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            sender=str(message["From"] or envelope.mail_from),
            to=list(envelope.rcpt_tos),
            subject=str(message["Subject"] or ""),
            text=_text(message),
            message_id=str(message["Message-ID"] or ""),
        )
        with self._state.lock:
            self._mails.put(mail.id, mail)


def _text(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    return part.get_content().replace("\r\n", "\n") if part else ""
