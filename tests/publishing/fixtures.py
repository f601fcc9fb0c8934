"""Fixtures of whatever has to do with publishing: a platform as small as can be, a publication on it, VK's consent."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from app import platforms
from app.db import commit
from app.models import PlatformConnection, User
from app.platforms.base import Account, Token
from app.services import connections, publications
from app.services.publications import Choice
from tests.connecting import connect_by_consent
from tests.edges import committed
from tests.publishing.toy import Toy, ToyServer


@pytest.fixture
def toy() -> Iterator[ToyServer]:
    """The toy platform, known to the application while the test runs."""
    server = ToyServer()
    platforms.ADAPTERS["toy"] = Toy
    Toy.url, Toy.die_at = server.url, ""
    yield server
    del platforms.ADAPTERS["toy"]
    server.stop()


@pytest.fixture
def toy_publication(app, user, ready_clip, toy) -> Callable[[], int]:
    """A publication on the toy platform, as the user's click makes it: now, or at `due_at`."""

    def make(owner: User | None = None, due_at: datetime | None = None) -> int:
        owner = owner or user()
        connection: PlatformConnection = committed(
            connections.save(owner, "toy", [Account("1", "Игрушка")], Token("toy-token"))
        )
        clip = ready_clip(owner)
        [publication] = publications.publish(owner, clip.id, [Choice(connection.id, clip.title, "")], due_at)
        commit()
        return publication.id

    return make


@pytest.fixture
def vk(app, sandbox) -> Callable[[User], PlatformConnection]:
    """Makes connections by VK ID's consent, as a browser and our callback do."""

    def connect(owner: User) -> PlatformConnection:
        verifier = "v" * 43
        digest = hashlib.sha256(verifier.encode()).digest()
        common = {"client_id": app.config["VK_CLIENT_ID"], "redirect_uri": "http://127.0.0.1/back", "state": "s"}
        answer = requests.post(
            f"{sandbox.url}/vk-id/authorize",
            params=common
            | {
                "response_type": "code",
                "scope": "video wall",
                "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
                "code_challenge_method": "S256",
            },
            data={"decision": "allow", "account": "1"},
            allow_redirects=False,
            timeout=10,
        )
        back = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
        return connect_by_consent(owner, "vk", verifier, common["redirect_uri"], back)

    return connect
