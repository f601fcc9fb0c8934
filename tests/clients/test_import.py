"""`vezde import`: what has been published is fetched again from where it stands."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

import requests

from tests.clients.conftest import Terminal


def test_a_file_comes_by_its_address(terminal: Terminal, new_clip: Callable[..., Path]):
    file = new_clip()
    done = terminal("publish", file, "--to", "telegram", "--wait", "--json")
    page = done.json["items"][0]["results"][0]["publication"]["url"]
    address = urljoin(page, re.search(r'<video[^>]* src="([^"]+)"', requests.get(page, timeout=10).text)[1])
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    fetched = terminal("import", address, "--sha256", digest, "--title", "Издалека", "--wait", "--json")
    assert fetched.exit == 0, fetched.errors
    assert (fetched.json["title"], fetched.json["sha256"]) == ("Издалека", digest)
    assert "начат" in terminal("import", address).out
    other = terminal("import", address, "--sha256", "a" * 64, "--wait")
    assert (other.exit, "SHA-256" in other.errors) == (1, True)
    assert terminal("import", "http://169.254.169.254/clip.mp4", "--wait").exit == 1
    assert terminal("import", "ftp://example.org/clip.mp4").exit == 1
