"""Somebody with a browser that runs no scripts: pages, plain forms, and what they say."""

import re
import time
from pathlib import Path

import requests

PASSWORD = "parol-parol"


class Person:
    """Talks to `url`, which may change in between: several copies of the web know the same session."""

    def __init__(self, url: str, email: str = "anna@example.org") -> None:
        self.url, self.email = url, email
        self._session = requests.Session()

    def get(self, path: str, **more) -> requests.Response:
        return self._session.get(f"{self.url}{path}", timeout=60, **more)

    def post(self, path: str, page: str, files: dict | None = None, **form: str) -> requests.Response:
        """Sends a form as `page` would: with its token."""
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(page).text)[1]
        answer = self._session.post(f"{self.url}{path}", data={"csrf_token": token, **form}, files=files, timeout=120)
        assert answer.ok, (path, answer.status_code, answer.text[:2000])
        return answer

    def sign_up(self) -> None:
        self.post("/sign-up", "/sign-up", name="Анна", email=self.email, password=PASSWORD, consent="y")

    def sign_in(self) -> None:
        self.post("/sign-in", "/sign-in", email=self.email, password=PASSWORD)

    def connect(self, platform: str, **fields: str) -> None:
        path = f"/settings/integrations/{platform}/connect"
        answer = self.post(path, path, **fields)
        while "Refresh" in answer.headers:
            time.sleep(0.1)
            answer = self._session.get(answer.url, timeout=60)

    def upload(self, file: Path) -> int:
        """The new clip's number."""
        with file.open("rb") as content:
            self.post("/clips", "/", files={"clip": (file.name, content, "video/mp4")})
        return max(map(int, re.findall(r'id="clip-(\d+)"', self.get("/").text)))

    def publish(self, clip: int, title: str, *, again: bool = False) -> None:
        """To every account that the dialog offers."""
        path = f"/clips/{clip}/publish"
        page = self.get(path).text
        name = "again" if again else "connection"
        accounts = re.findall(rf'type="checkbox" name="{name}"[^>]*value="(\d+)"', page)
        assert accounts, page
        self.post(path, path, **{name: accounts}, **{f"title-{account}": title for account in accounts})

    def card(self, clip: int) -> str:
        """The text of the clip's card."""
        page = self.get("/").text
        found = re.search(rf'<article class="clip" id="clip-{clip}".*?</article>', page, re.DOTALL)
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[0])) if found else ""
