"""Servers that stop being any: from some command on they send other bytes, without end."""

import http.server
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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


OBJECT = bytes(range(100))
_HEADERS = {"ETag": '"1"', "Content-Range": "bytes 0-99/100"}


@contextmanager
def dripping_bucket(
    at: str, head: bytes, dripping: bytes, pause: float = 0.02, certificate: Path | None = None
) -> Iterator[str]:
    """The address of a bucket whose every file is OBJECT. `at`: the method that is answered as above."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.command == at:
                self._drip()
            else:
                self._serve()

        def _drip(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.wfile.write(head)
                while True:
                    time.sleep(pause)
                    self.wfile.write(dripping)

        def _serve(self) -> None:
            self.send_response(206 if self.command == "GET" else 200)
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            body = OBJECT if self.command == "GET" else b""
            self.send_header("Content-Length", str(len(OBJECT) if self.command == "HEAD" else len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_DELETE = do

        def log_message(self, *_arguments) -> None:
            """Silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    try:
        yield f"s3://clips?endpoint=http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
