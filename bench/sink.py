"""A sink for uploads: discards a body, with or without a rate limit, and responds like the Bot API.

It runs in a process, so that it is the same for each client. `curl` ignores the response.
"""

import itertools
import json
import multiprocessing
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.process import die_with_parent

BLOCK = 1 << 20


@dataclass(frozen=True)
class Certificate:
    """Self-signed, for 127.0.0.1."""

    file: Path
    key: Path


@contextmanager
def sink(certificate: Certificate | None = None, bytes_per_second: int = 0) -> Iterator[str]:
    """Runs a sink and yields its URL. `bytes_per_second` is per connection; 0: no limit."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    process = multiprocessing.get_context("fork").Process(
        target=_serve, args=(listener, certificate, bytes_per_second, multiprocessing.current_process().pid)
    )
    process.start()
    port = listener.getsockname()[1]
    listener.close()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
    finally:
        process.kill()
        process.join()


def certificate(folder: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Certificate(folder / "sink.pem", folder / "sink.key")
    made.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


def _serve(listener: socket.socket, certificate: Certificate | None, bytes_per_second: int, parent: int) -> None:
    die_with_parent(parent)
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.file, certificate.key)
    numbers = itertools.count(1)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_handle, args=(connection, context, bytes_per_second, numbers), daemon=True).start()


def _handle(connection: socket.socket, context: ssl.SSLContext | None, rate: int, numbers: Iterator[int]) -> None:
    with suppress(OSError):  # the client may disconnect
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        with connection:
            buffer = memoryview(bytearray(BLOCK))
            while (head := _read_headers(connection)) is not None:
                headers, rest = head
                if headers.get("expect"):
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                _discard_body(connection, int(headers.get("content-length", 0)) - rest, buffer, rate)
                connection.sendall(_response(next(numbers)))


def _read_headers(connection: socket.socket) -> tuple[dict[str, str], int] | None:
    """Returns the headers in lower case and the number of body bytes read with them; None at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}, len(rest)


def _discard_body(connection: socket.socket, left: int, buffer: memoryview, rate: int) -> None:
    started, received = time.monotonic(), 0
    while left > 0:
        count = connection.recv_into(buffer, min(left, BLOCK))
        if not count:
            raise ConnectionResetError
        left -= count
        received += count
        if rate and (ahead := received / rate - (time.monotonic() - started)) > 0:
            time.sleep(ahead)


def _response(number: int) -> bytes:
    chat = {"id": -1001000000001, "type": "channel", "username": "vezde_bench"}
    result = {"message_id": number, "date": int(time.time()), "chat": chat}
    body = json.dumps({"ok": True, "result": result}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
