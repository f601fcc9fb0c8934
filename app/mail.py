"""Mail by SMTP: one plain Russian letter at a time. Addresses and passwords never get into an error's text."""

import smtplib
import ssl
from collections.abc import Callable
from contextlib import closing, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from urllib.parse import unquote, urlsplit

from flask import current_app

TIMEOUT_SECONDS = 20

_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class NotSent(Exception):
    """The server did not accept the letter. `final`: and never will (no such mailbox).

    `unknown`: the server had the letter and its reply was lost, so it may be delivered after all.
    """

    def __init__(self, text: str, *, final: bool = False, unknown: bool = False) -> None:
        super().__init__(text)
        self.final = final
        self.unknown = unknown


def is_set_up() -> bool:
    return bool(current_app.config["SMTP_URL"])


def send(to: str, subject: str, text: str, *, key: str = "", before_send: Callable[[], None] = lambda: None) -> None:
    """Hands one letter to the server. Raises NotSent.

    `key` makes its Message-ID the same on every try, so that a mailbox recognises a letter that came twice.
    `before_send` is called just before the letter itself is transferred: what it raises stops the sending.
    """
    letter = _letter(to, subject, text, key)
    handed_over = False
    try:
        with closing(_connect()) as server:
            _sign_in(server)
            server.ehlo_or_helo_if_needed()
            _check(server.mail(_sender().addr_spec, [] if to.isascii() else ["SMTPUTF8"]))
            _check(server.rcpt(to))
            before_send()
            handed_over = True
            _check(server.data(letter.as_bytes(policy=SMTP)))
            # The server has the letter: an error of QUIT changes nothing.
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
    except smtplib.SMTPResponseException as error:
        raise NotSent(f"{error.smtp_code}", final=500 <= error.smtp_code < 600) from None
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(type(error).__name__, unknown=handed_over) from None


def _letter(to: str, subject: str, text: str, key: str) -> EmailMessage:
    sender = _sender()
    letter = EmailMessage(policy=SMTP)
    letter["From"] = sender
    letter["To"] = to
    letter["Subject"] = subject
    letter["Date"] = formatdate()
    letter["Auto-Submitted"] = "auto-generated"
    if key:
        letter["Message-ID"] = f"<{key}@{sender.domain}>"
    letter.set_content(text, cte="base64")
    return letter


def _sender() -> Address:
    """MAIL_FROM, or an address at our own host."""
    name, address = parseaddr(current_app.config["MAIL_FROM"])
    host = urlsplit(current_app.config["PUBLIC_URL"]).hostname
    return Address(name or "Везде", addr_spec=address or f"no-reply@{host}")


def _connect() -> smtplib.SMTP:
    url = urlsplit(current_app.config["SMTP_URL"])
    port = url.port or _PORTS[url.scheme]
    if url.scheme == "smtps":
        return smtplib.SMTP_SSL(url.hostname, port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
    return smtplib.SMTP(url.hostname, port, timeout=TIMEOUT_SECONDS)


def _sign_in(server: smtplib.SMTP) -> None:
    """Where SMTP_URL names a user."""
    url = urlsplit(current_app.config["SMTP_URL"])
    if url.scheme == "smtp+starttls":
        server.starttls(context=ssl.create_default_context())
    if url.username:
        server.login(unquote(url.username), unquote(url.password or ""))


def _check(reply: tuple[int, bytes]) -> None:
    code, text = reply
    if not 200 <= code < 300:
        raise smtplib.SMTPResponseException(code, text)
