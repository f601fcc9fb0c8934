"""A mail server that keeps what it gets: as much of SMTP (RFC 5321) as a client needs."""

import socketserver
import threading
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default


class Mailbox:
    """`url` for SMTP_URL; `letters` are what has come in."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        letters = self.letters

        class Talk(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 here\r\n")
                while line := self.rfile.readline():
                    verb = line[:4].upper()
                    if verb == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        letters.append(message_from_bytes(b"".join(self._text()), policy=default))
                    self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")

            def _text(self):
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    yield line.removeprefix(b".") if line.startswith(b"..") else line

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk)
        self._server.daemon_threads = True
        self.url = f"smtp://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
