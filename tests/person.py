"""Somebody with a browser that runs no scripts: pages, plain forms, and what they say."""

import re
import time
from pathlib import Path
from urllib.parse import urljoin

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
        token = self._form_token(page)
        answer = self._session.post(f"{self.url}{path}", data={"csrf_token": token, **form}, files=files, timeout=120)
        assert answer.ok, (path, answer.status_code, answer.text[:2000])
        return answer

    def _form_token(self, page: str) -> str:
        return re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(page).text)[1]

    @property
    def cookies(self) -> dict[str, str]:
        return self._session.cookies.get_dict()

    def take_cookies(self, cookies: dict[str, str]) -> None:
        self._session.cookies.update(cookies)

    def sign_up(self, **more: str) -> None:
        self.post("/sign-up", "/sign-up", name="Анна", email=self.email, password=PASSWORD, consent="y", **more)

    def sign_in(self) -> None:
        self.post("/sign-in", "/sign-in", email=self.email, password=PASSWORD)

    def connect(self, platform: str, **fields: str) -> None:
        path = f"/settings/integrations/{platform}/connect"
        self._settle(self.post(path, path, **fields))

    def connect_by_consent(self, platform: str) -> None:
        token = self._form_token("/settings/integrations")
        start = self._session.post(
            f"{self.url}/settings/integrations/{platform}/consent",
            data={"csrf_token": token},
            allow_redirects=False,
            timeout=60,
        )
        self._settle(self._session.get(allow(start.headers["Location"]), timeout=60))

    def _settle(self, answer: requests.Response) -> None:
        """Until a platform has answered."""
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


def allow(address: str) -> str:
    """What a person does on a platform's page; answers the address that it leads back to."""
    session = requests.Session()
    page = session.get(address, timeout=10)
    form = re.search(r"<form[^>]*>.*?</form>", page.text, re.S)[0]
    fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', form))
    name, value = re.search(r'<button[^>]*name="([^"]+)"[^>]*value="([^"]+)"[^>]*>\s*Разрешить', form).groups()
    action = re.search(r'action="([^"]*)"', form)
    target = urljoin(page.url, (action[1] if action and action[1] else page.url).replace("&amp;", "&"))
    answer = session.post(target, data={**fields, name: value}, allow_redirects=False, timeout=10)
    return answer.headers["Location"]
