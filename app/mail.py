"""Mail by SMTP: one plain Russian letter at a time. Addresses and passwords never get into an error's text."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

from flask import current_app

TIMEOUT_SECONDS = 20

_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class NotSent(Exception):
    """The letter was not taken."""


def is_set_up() -> bool:
    return bool(current_app.config["SMTP_URL"])


def send(to: str, subject: str, text: str) -> None:
    """Hands one letter to the server. Raises NotSent."""
    letter = EmailMessage()
    host = urlsplit(current_app.config["PUBLIC_URL"]).hostname
    letter["From"] = current_app.config["MAIL_FROM"] or f"Везде <no-reply@{host}>"
    letter["To"] = to
    letter["Subject"] = subject
    letter["Date"] = formatdate()
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(text)
    try:
        with _connect() as server:
            server.send_message(letter)
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(type(error).__name__) from None


def _connect() -> smtplib.SMTP:
    """Signed in, where SMTP_URL names a user."""
    url = urlsplit(current_app.config["SMTP_URL"])
    port = url.port or _PORTS[url.scheme]
    if url.scheme == "smtps":
        server = smtplib.SMTP_SSL(url.hostname, port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
    else:
        server = smtplib.SMTP(url.hostname, port, timeout=TIMEOUT_SECONDS)
    if url.scheme == "smtp+starttls":
        server.starttls(context=ssl.create_default_context())
    if url.username:
        server.login(unquote(url.username), unquote(url.password or ""))
    return server
