"""The assumed partner API on the wire: what it counts."""

import time

import pytest
import requests


@pytest.fixture
def dzen(sandbox):
    """Calls the partner API as JSON; with `ok=False` answers the response."""
    sandbox.control("tokens", platform="dzen", token="token", account="1", scopes=["zen:write", "zen:read"])

    def call(method: str, path: str, ok: bool = True, token: str = "token", **kwargs):
        headers = {"Authorization": f"OAuth {token}"}
        answer = requests.request(method, f"{sandbox.url}/dzen/publisher/{path}", headers=headers, timeout=10, **kwargs)
        if not ok:
            return answer
        answer.raise_for_status()
        return answer.json()

    return call


@pytest.fixture
def published(dzen, sandbox):
    sandbox.control("options", processing_seconds=0)
    draft = dzen("POST", "videos/drafts", json={"title": "Закат", "description": "", "type": "short"})
    requests.put(draft["upload_url"], b"clip", headers={"Content-Type": "video/mp4"}, timeout=10).raise_for_status()
    dzen("POST", f"videos/{draft['id']}/publish")
    give_up = time.monotonic() + 10
    while not sandbox.posts and time.monotonic() < give_up:
        time.sleep(0.02)
    return draft["id"]


def test_counts_are_shown(dzen, sandbox, published):
    sandbox.control("stats", platform="dzen", id=published, views=1200, likes=30, shares=4)
    assert dzen("GET", f"videos/{published}")["statistics"] == {"views": 1200, "likes": 30, "shares": 4}
    sandbox.control("stats", platform="dzen", id=published, shares=None)
    assert dzen("GET", f"videos/{published}")["statistics"]["shares"] is None


def test_they_are_the_owners_alone(dzen, sandbox, published):
    sandbox.control("tokens", platform="dzen", token="other", account="2", scopes=["zen:read"])
    assert dzen("GET", f"videos/{published}", ok=False, token="other").status_code == 404
    assert dzen("GET", f"videos/{published}", ok=False, token="nobody").status_code == 401
    assert dzen("GET", "videos/none", ok=False).json()["error"]["code"] == "not_found"
