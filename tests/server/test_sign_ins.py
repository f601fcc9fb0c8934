"""Sixteen sign-ins at once: all succeed, and the web takes no more memory for them than for two."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from app.db import db

AT_ONCE = 16
PATIENCE = 60
# One hash takes 19 MiB.
MOST_MORE = 110 << 10  # KiB


def test_they_hash_two_at_a_time(server, someone):
    emails = [someone().email for _ in range(AT_ONCE // 4)] * 4
    db.session.commit()  # the server writes

    def enter(email: str) -> bool:
        with requests.Session() as browser:
            page = browser.get(f"{server.url}/sign-in", timeout=PATIENCE).text
            form = {
                "csrf_token": re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1],
                "email": email,
                "password": "parol-parol",
            }
            browser.post(f"{server.url}/sign-in", data=form, timeout=PATIENCE)
            return "Выйти" in browser.get(f"{server.url}/", timeout=PATIENCE).text

    assert enter(emails[0])
    before = _kib(server.worker(), "VmRSS")
    Path(f"/proc/{server.worker()}/clear_refs").write_text("5")  # proc(5): the peak begins anew
    with ThreadPoolExecutor(AT_ONCE) as crowd:
        assert all(crowd.map(enter, emails))
    assert _kib(server.worker(), "VmHWM") - before < MOST_MORE
    assert _kib(server.worker(), "VmRSS") - before < MOST_MORE / 2


def _kib(pid: int, what: str) -> int:
    return int(re.search(rf"{what}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])
