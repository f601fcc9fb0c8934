"""A Redis server of one's own that speaks TLS only, as PaaS rent them out; its journal survives restarts."""

import ipaddress
import shutil
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sandbox.testing import free_port


class TlsRedis:
    """`url` is a `rediss://` address whose certificate is checked."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="vezde-redis-"))
        self.port = free_port()
        _write_certificate(self._folder)
        self.url = f"rediss://127.0.0.1:{self.port}/0?ssl_ca_certs={self._folder}/certificate.pem"
        self.start()

    def start(self) -> None:
        options = {
            "port": "0",
            "tls-port": str(self.port),
            "tls-cert-file": f"{self._folder}/certificate.pem",
            "tls-key-file": f"{self._folder}/key.pem",
            "tls-auth-clients": "no",
            "bind": "127.0.0.1",
            "dir": str(self._folder),
            "appendonly": "yes",
            "save": "",
        }
        command = ["redis-server", *(part for name, value in options.items() for part in (f"--{name}", value))]
        self._server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        client = redis.Redis.from_url(self.url)
        for _ in range(200):
            try:
                client.ping()
                return
            except redis.ConnectionError:
                time.sleep(0.05)
        raise RuntimeError("redis did not come up")

    def kill(self) -> None:
        self._server.kill()
        self._server.wait()

    def wipe(self) -> None:
        redis.Redis.from_url(self.url).flushall()

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self._folder)


def _write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
