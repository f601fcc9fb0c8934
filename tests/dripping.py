"""A mail server that stops being one: from some command on it sends other bytes, without end."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_REPLIES = {
    "GREETING": b"220 mail.example.org\r\n",
    "EHLO": b"250-mail.example.org\r\n250 STARTTLS\r\n",
    "STARTTLS": b"220 go ahead\r\n",
    "DATA": b"354 go ahead\r\n",
}


class DrippingMailServer:
    """`at`: the command that is answered with `head` and then `dripping` again and again; "." is a letter's end."""

    def __init__(self, at: str, head: bytes, dripping: bytes, pause: float = 0.02) -> None:
        self._at, self._head, self._dripping, self._pause = at, head, dripping, pause
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.heard: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._talk, args=[connection], daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines, suppress(OSError):
            self._answer(connection, "GREETING")
            letter = False
            for line in lines:
                command = line.strip().decode().partition(" ")[0].upper()
                if not letter or command == ".":
                    letter = command == "DATA"
                    self._answer(connection, command)

    def _answer(self, connection: socket.socket, command: str) -> None:
        self.heard.append(command)
        if command != self._at:
            connection.sendall(_REPLIES.get(command, b"250 ok\r\n"))
            return
        connection.sendall(self._head)
        while True:
            time.sleep(self._pause)
            connection.sendall(self._dripping)


@contextmanager
def dripping_mail_server(at: str, head: bytes, dripping: bytes, pause: float = 0.02) -> Iterator[DrippingMailServer]:
    server = DrippingMailServer(at, head, dripping, pause)
    try:
        yield server
    finally:
        server.stop()
