"""The log: JSON lines on stdout with ids, gunicorn's among them; errors to Sentry without users' data."""

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import brotli
import pytest
import requests

from tests.conftest import free_port
from tests.procfile import ROOT, Process, environ
from tests.test_run import wait_until


@pytest.fixture
def web(environment, tmp_path: Path) -> Iterator[tuple[str, Process]]:
    port = free_port()
    process = Process("web", {**environment, "PORT": str(port), "WEB_CONCURRENCY": "1"}, tmp_path / "web.log")
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return requests.get(f"{url}/healthz", timeout=5).ok
        except requests.RequestException:
            return False

    wait_until(answers, 60)
    yield url, process
    process.kill()


def test_every_line_is_json_and_a_request_is_found_by_its_id(web):
    url, process = web
    answer = requests.get(f"{url}/sign-in?secret=1", timeout=10)
    assert process.stop() == 0
    lines = [json.loads(line) for line in process.said.splitlines()]
    assert any("Booting worker" in line["event"] and line["logger"] == "gunicorn.error" for line in lines)
    [line] = [line for line in lines if line.get("request") == answer.headers["X-Request-ID"]]
    assert (line["path"], line["status"], line["level"]) == ("/sign-in", 200, "info")
    assert "secret" not in process.said


def test_a_command_keeps_stdout_for_its_answer(environment, app):
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "current"]
    done = subprocess.run(command, cwd=ROOT, env=environ(environment), capture_output=True, text=True, check=True)
    assert "logger" not in done.stdout
    assert json.loads(done.stderr.splitlines()[0])["logger"] == "alembic.runtime.migration"


UNPACK = {"gzip": gzip.decompress, "br": brotli.decompress, None: bytes}


class Sentry(BaseHTTPRequestHandler):
    """Takes what Sentry's client sends."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(UNPACK[self.headers.get("Content-Encoding")](body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_arguments) -> None:
        """Quiet."""


@pytest.fixture
def sentry() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Sentry)
    server.got = []
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield server
    server.shutdown()


BREAK = """
from app import create_app
from app.web.access import public

@public
def broken():
    password = "local-secret"
    raise RuntimeError("it broke")

app = create_app()
app.view_functions["health.process"] = broken
app.test_client().get("/healthz?code=query-secret", headers={"Cookie": "a=cookie-secret", "X-Request-ID": "request-17"})
"""


def report(environment, dsn: str) -> None:
    settings = {**environment, "SENTRY_DSN": dsn}
    subprocess.run([sys.executable, "-c", BREAK], cwd=ROOT, env=environ(settings), check=True, capture_output=True)


def test_errors_go_to_sentry_with_ids_and_without_data(environment, app, sentry):
    report(environment, f"http://key@127.0.0.1:{sentry.server_port}/1")
    [sent] = sentry.got
    text = sent.decode()
    assert "it broke" in text and "request-17" in text and "RuntimeError" in text
    for secret in ("local-secret", "query-secret", "cookie-secret", environment["SECRET_KEY"], "/healthz"):
        assert secret not in text


def test_without_an_address_nothing_is_reported(environment, app, sentry):
    report(environment, "")
    assert sentry.got == []
