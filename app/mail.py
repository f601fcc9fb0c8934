"""Mail by SMTP: one plain Russian letter at a time. Addresses and passwords never get into an error's text."""

import smtplib
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from urllib.parse import unquote, urlsplit

from flask import current_app

from app.outgoing import trust
from app.outgoing.connections import connect
from app.outgoing.deadline import Deadline, within

# Of all that is said about one letter: a server that wants to look at it for long has 20 seconds for each reply. Below
# every lease on a letter.
LETTER_SECONDS = 75
_REPLY_SECONDS = 20
_OWN_NAME_SECONDS = 5
# Of all replies to one letter; a line is one of a few words.
_MAX_REPLY_BYTES = 256 << 10

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


def send(
    to: str,
    subject: str,
    text: str,
    *,
    key: str = "",
    before_send: Callable[[], None] = lambda: None,
    seconds: float = LETTER_SECONDS,
) -> None:
    """Hands one letter to the server, in `seconds` at most. Raises NotSent.

    `key` makes its Message-ID the same on every try, so that a mailbox recognises a letter that came twice.
    `before_send` is called just before the letter itself is transferred: what it raises stops the sending.
    """
    letter = _letter(to, subject, text, key)
    handed_over = False
    with Deadline(seconds) as deadline:
        try:
            with closing(_connect()) as server:
                _sign_in(server)
                server.ehlo_or_helo_if_needed()
                _check(server.mail(_sender().addr_spec, [] if to.isascii() else ["SMTPUTF8"]))
                _check(server.rcpt(to))
                before_send()
                deadline.left()  # it may have taken long: nothing has been handed over yet
                handed_over = True
                _check(server.data(letter.as_bytes(policy=SMTP)))
                # The server has the letter: an error of QUIT changes nothing.
                with suppress(OSError, smtplib.SMTPException):
                    server.quit()
        except smtplib.SMTPResponseException as error:
            raise NotSent(f"{error.smtp_code}", final=500 <= error.smtp_code < 600) from None
        except (OSError, smtplib.SMTPException) as error:
            kind = TimeoutError if deadline.has_passed else type(error)
            raise NotSent(kind.__name__, unknown=handed_over) from None


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


class _Replies:
    """What the server says, as smtplib reads it: in whole short lines, and not without end."""

    def __init__(self, connected: socket.socket) -> None:
        self._file, self._left = connected.makefile("rb"), _MAX_REPLY_BYTES

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(limit)
        self._left -= len(line)
        # smtplib takes half a line for a reply, and a long one for a 500, as if the server never wanted this letter.
        if not line.endswith(b"\n") or len(line) == limit or self._left < 0:
            raise OSError("no reply, or too much of it")
        return line

    def close(self) -> None:
        self._file.close()


class _Server(smtplib.SMTP):
    """smtplib's client, whose socket the deadline watches."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return connect(host, port, timeout)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            self.file = _Replies(self.sock)
        return super().getreply()


class _TlsServer(smtplib.SMTP_SSL, _Server):
    """TLS from the first byte."""


def _connect() -> smtplib.SMTP:
    url = urlsplit(current_app.config["SMTP_URL"])
    how = {"host": url.hostname, "port": url.port or _PORTS[url.scheme], "timeout": _REPLY_SECONDS}
    how["local_hostname"] = _own_name()
    if url.scheme == "smtps":
        return _TlsServer(**how, context=trust.default_context())
    return _Server(**how)


def _own_name() -> str:
    """For EHLO, as smtplib would find it, which asks name servers for as long as they like."""
    with suppress(OSError):
        name = within(_OWN_NAME_SECONDS, socket.getfqdn)
        if "." in name:
            return name
    return "[127.0.0.1]"


def _sign_in(server: smtplib.SMTP) -> None:
    """Where SMTP_URL names a user."""
    url = urlsplit(current_app.config["SMTP_URL"])
    if url.scheme == "smtp+starttls":
        server.starttls(context=trust.default_context())
    if url.username:
        server.login(unquote(url.username), unquote(url.password or ""))


def _check(reply: tuple[int, bytes]) -> None:
    code, text = reply
    if not 200 <= code < 300:
        raise smtplib.SMTPResponseException(code, text)
