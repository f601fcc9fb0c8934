"""A Redis server of one's own that speaks TLS only, as PaaS rent them out; its journal survives restarts."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import redis

from sandbox.testing import free_port
from tests.certificates import write_certificate


class TlsRedis:
    """`url` is a `rediss://` address whose certificate is checked."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="vezde-redis-"))
        self.port = free_port()
        write_certificate(self._folder)
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
