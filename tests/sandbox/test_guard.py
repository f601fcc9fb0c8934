"""A foreign page in the browser of whoever runs the sandbox neither reads it nor presses its buttons."""

import pytest
import requests

from sandbox.testing import Sandbox

FOREIGN = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
)
COMMANDS = ("/control/reset", "/control/trouble", "/control/options", "/control/tokens", "/reset", "/trouble")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:5050", "x@127.0.0.1", ""])
@pytest.mark.parametrize("path", ["/", "/control/posts", "/files/x", "/vk/method/users.get", "/telegram/bot1:a/getMe"])
def test_only_its_own_names_are_served(sandbox: Sandbox, host: str, path: str):
    answer = requests.get(f"{sandbox.url}{path}", headers={"Host": host}, timeout=5)
    assert answer.status_code == 403
    assert sandbox.requests == []


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_foreign_page_changes_nothing(sandbox: Sandbox, headers: dict[str, str]):
    sandbox.trouble({"match": "getMe", "do": "status:500"})
    before = sandbox.control("trouble"), sandbox.control("options")
    for path in COMMANDS:
        for body in ({"json": {"rules": [], "rate_limits": True}}, {"data": {"preset": "none"}}):
            assert requests.post(f"{sandbox.url}{path}", headers=headers, timeout=5, **body).status_code == 403
    assert requests.get(f"{sandbox.url}/control/mails", headers=headers, timeout=5).status_code == 403
    assert (sandbox.control("trouble"), sandbox.control("options")) == before


def test_its_own_pages_and_programs_do(sandbox: Sandbox):
    own = {"Origin": sandbox.url, "Sec-Fetch-Site": "same-origin"}
    for headers in ({}, own):
        sandbox.trouble({"match": "getMe", "do": "status:500"})
        form = {"preset": "none"}
        answer = requests.post(f"{sandbox.url}/trouble", form, headers=headers, timeout=5, allow_redirects=False)
        assert answer.status_code == 303
        assert sandbox.control("trouble")["rules"] == []
    assert requests.get(sandbox.url.replace("127.0.0.1", "localhost"), timeout=5).status_code == 200
