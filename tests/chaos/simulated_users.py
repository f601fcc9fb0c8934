"""Simulated users, each with its own account on each platform, so that they share no rate limit."""

import base64
import hashlib
import itertools
import os
import random
import secrets
import shutil
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from flask import current_app

from app import clock, platforms
from app.db import commit, db
from app.models import Clip, PlatformConnection, Publication, Status, User
from app.platforms.base import Account, Token
from app.publishing import state_machine
from app.services import connections, publications, users
from app.services.publications import Choice
from app.storage import storage
from tests import clips as test_clips
from tests import probing
from tests.edges import committed

REDIRECT = "http://127.0.0.1/back"
CLIP_SECONDS = 6.0
LARGE_CLIP_BYTES = 6 << 20


class SimulatedUsers:
    """`publish()` creates a clip's publications on all platforms, each with a unique title."""

    def __init__(self, sandbox_url: str, folder: Path, rng: random.Random) -> None:
        self._sandbox_url, self._folder, self._rng = sandbox_url, folder, rng
        self._files = [
            test_clips.write(folder / "light.mp4", seconds=CLIP_SECONDS),
            test_clips.write_big(folder / "heavy.mp4", LARGE_CLIP_BYTES, seconds=CLIP_SECONDS),
        ]
        self._probed: list[dict[str, Any]] = []
        self.published: dict[int, str] = {}
        self._titles = itertools.count()

    def control(self, name: str, /, **command: Any) -> None:
        requests.post(f"{self._sandbox_url}/control/{name}", json=command, timeout=30).raise_for_status()

    def join(self, number: int) -> tuple[int, list[int]]:
        """Creates a user; returns its id and the ids of its four connections."""
        email = f"chaos{number}@example.org"
        user = users.sign_up(email=email, password="parol-parol", name="Хаос", timezone="Europe/Moscow")
        users.set_plan(email, "business")
        commit()
        joined = [
            self._vk(user, number),
            self._rutube(user, number),
            self._dzen(user, number),
            self._telegram(user, number),
        ]
        return user.id, [connection.id for connection in joined]

    def publish(self, user_id: int, connection_ids: Sequence[int], due_in: float) -> None:
        """Publishes now, or schedules in `due_in` seconds if it is > 0."""
        user = db.session.get(User, user_id)
        clip = self._clip(user)
        choices = [Choice(one, f"{next(self._titles):06d}", "") for one in connection_ids]
        if due_in:
            rows = [self._scheduled(user, clip, choice, due_in) for choice in choices]
        else:
            rows = publications.publish(user, clip.id, choices)
            commit()
        self.published |= {row.id: row.title for row in rows}
        db.session.commit()

    def _scheduled(self, user: User, clip: Clip, choice: Choice, due_in: float) -> Publication:
        connection = db.session.get(PlatformConnection, choice.connection_id)
        due = clock.now() + timedelta(seconds=due_in)
        row = Publication(
            user_id=user.id,
            clip_id=clip.id,
            connection_id=connection.id,
            platform=connection.platform,
            account_id=connection.account_id,
            account_name=connection.account_name,
            account_url=connection.account_url,
            title=choice.title,
            description="",
            status=Status.SCHEDULED,
            due_at=due,
            wake_at=due,
        )
        db.session.add(row)
        db.session.flush()
        state_machine.note(row.id, "scheduled", status=Status.SCHEDULED)
        return row

    def _clip(self, user: User) -> Clip:
        """Creates a ready clip. Each file is probed once; other clips share its file."""
        if not self._probed:
            self._probed = [self._probe(user, file) for file in self._files]
        clip = Clip(user_id=user.id, title="Клип", **self._rng.choice(self._probed))
        db.session.add(clip)
        db.session.commit()
        return clip

    def _probe(self, user: User, file: Path) -> dict[str, Any]:
        copy = self._folder / f"incoming-{os.urandom(4).hex()}.mp4"
        shutil.copy(file, copy)
        clip = Clip(user_id=user.id, title="Клип", file_name="clip.mp4", size=copy.stat().st_size, storage_key="")
        clip.storage_key, clip.wake_at = storage().put_file(copy, test_clips.new_key()), clock.now()
        db.session.add(clip)
        db.session.commit()
        probing.probe(clip.id)
        db.session.refresh(clip)
        not_shared = {"id", "user_id", "title", "created_at"}
        return {
            column.key: getattr(clip, column.key) for column in Clip.__table__.columns if column.key not in not_shared
        }

    # Accounts

    def _vk(self, user: User, number: int) -> PlatformConnection:
        account = str(5000 + number)
        self.control("tokens", platform="vk", token=f"vk1.a.chaos-{number}", account=account, scopes="video,wall")
        return self._consent(user, "vk", account)

    def _dzen(self, user: User, number: int) -> PlatformConnection:
        account = str(7000 + number)
        self.control("tokens", platform="dzen", token=f"y0_chaos-{number}", account=account, scopes="login:info")
        return self._consent(user, "dzen", account)

    def _rutube(self, user: User, number: int) -> PlatformConnection:
        token = f"rutube-chaos-token-{number}"
        self.control("tokens", platform="rutube", token=token, account=str(9000 + number))
        adapter = platforms.adapter("rutube", current_app.config)
        return committed(connections.save(user, "rutube", *adapter.connect({"token": token})))

    def _telegram(self, user: User, number: int) -> PlatformConnection:
        bot, chat = 300000000 + number, -1002000000000 - number
        token = f"{bot}:AAchaos-chaos-chaos-chaos-chaos-chaos"
        self.control("tokens", platform="telegram", token=token, username=f"chaos_{number}_bot")
        rights = {str(bot): {"status": "administrator", "can_post_messages": True}}
        self.control("chats", id=chat, title=f"Хаос {number}", username=f"chaos_{number}", rights=rights)
        account = Account(
            str(chat),
            f"Хаос {number}",
            f"{self._sandbox_url}/telegram-web/chaos_{number}",
            facts={"chat_id": chat, "username": f"chaos_{number}", "bot": f"@chaos_{number}_bot"},
        )
        return committed(connections.save(user, "telegram", [account], Token(token)))

    def _consent(self, user: User, platform: str, account: str) -> PlatformConnection:
        """Connects by the platform's consent page, like a browser and Authlib: such a token can be refreshed."""
        adapter = platforms.adapter(platform, current_app.config)
        oauth = adapter.oauth(current_app.config)
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        params = {
            "response_type": "code",
            "client_id": oauth.client_id,
            "redirect_uri": REDIRECT,
            "scope": oauth.scope,
            "state": secrets.token_urlsafe(24),
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        redirect = requests.post(
            oauth.authorize_url,
            params=params,
            data={"decision": "allow", "account": account},
            timeout=30,
            allow_redirects=False,
        )
        arguments = adapter.callback(dict(parse_qsl(urlsplit(redirect.headers["Location"]).query)))
        token: Mapping[str, Any] = requests.post(
            oauth.token_url,
            data={
                "grant_type": "authorization_code",
                "code": arguments["code"],
                "client_id": oauth.client_id,
                "client_secret": oauth.client_secret,
                "redirect_uri": REDIRECT,
                "code_verifier": verifier,
                **adapter.token_params(arguments),
            },
            timeout=30,
        ).json()
        return committed(connections.save(user, platform, *adapter.accept(token, arguments)))
