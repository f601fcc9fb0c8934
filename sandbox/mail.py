"""The mailbox of everybody: whatever is sent by SMTP is kept, for people to read and for tests to ask.

Speaks RFC 5321 on a port of its own (aiosmtpd). Troubles see a letter as "MAIL <its first recipient>"; of their kinds
a letter knows `status:<SMTP code>`, `lose_answer` and `hang`/`delay`.
"""

import asyncio
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from sandbox.faults import Rule, Troubles
from sandbox.state import World

ACCEPTED = "250 OK"


@dataclass
class Mail:
    """One letter. `to` are the envelope's recipients; `text` is its plain part."""

    id: str
    at: str
    sender: str
    to: list[str]
    subject: str
    text: str
    message_id: str


class Mailbox:
    def __init__(self, world: World, troubles: Troubles) -> None:
        self._world = world
        self._troubles = troubles
        self._mails = world.table("mail", Mail)

    @property
    def mails(self) -> list[Mail]:
        """The oldest first."""
        with self._world.lock:
            return list(self._mails)

    def serve(self, host: str, port: int) -> None:
        """Listens from now on, in a thread that ends with the process."""
        Controller(self, hostname=host, port=port, enable_SMTPUTF8=True, ident="sandbox").start()

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        """aiosmtpd's hook: a letter has come in whole. Answers what the sender is told."""
        rule = self._troubles.strike(f"MAIL {envelope.rcpt_tos[0]}")
        if rule is None:
            self._keep(envelope)
            return ACCEPTED
        return await self._trouble(rule, server, envelope)

    async def _trouble(self, rule: Rule, server: SMTP, envelope: Envelope) -> str:
        if rule.effect or rule.kind in ("lose_answer", "delay"):
            self._keep(envelope)
        if rule.kind == "status":
            return f"{rule.argument} Trouble in the sandbox"
        if rule.kind in ("delay", "hang"):
            await asyncio.sleep(rule.argument)
        if rule.kind != "delay":
            server.transport.abort()
        return ACCEPTED

    def _keep(self, envelope: Envelope) -> None:
        letter = message_from_bytes(envelope.original_content, policy=policy.default)
        mail = Mail(
            id=uuid.uuid4().hex,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            sender=str(letter["From"] or envelope.mail_from),
            to=list(envelope.rcpt_tos),
            subject=str(letter["Subject"] or ""),
            text=_text(letter),
            message_id=str(letter["Message-ID"] or ""),
        )
        with self._world.lock:
            self._mails.put(mail.id, mail)


def _text(letter: EmailMessage) -> str:
    part = letter.get_body(("plain", "html"))
    return part.get_content().replace("\r\n", "\n") if part else ""
