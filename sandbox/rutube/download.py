"""Rutube comes for the file: which addresses it goes to, and how it downloads."""

import os
import threading
import time
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests

from sandbox.emulator import Emulator, words
from sandbox.rutube.videos import Videos
from sandbox.state import Gone, Receiver, Video

PIECE = 64 << 10
"""Bytes that are taken at once: what a connection that breaks was about to give is lost up to this."""

AT_ONCE = 5
"""Downloads of a channel; more wait. By the vendor's page."""

DOWNLOAD_SECONDS = 600
CONNECT_SECONDS = 5
READ_SECONDS = 30
TRIES = 3
"""After a broken connection it goes on with Range."""

BAD_URL = "Введите правильный URL."


class Failed(Exception):
    """The file cannot be had; the text says why."""


class Pull:
    def __init__(self, emulator: Emulator, videos: Videos) -> None:
        self._emulator = emulator
        self._world = emulator.world
        self._videos = videos
        self._places: dict[str, threading.Semaphore] = {}
        for video in videos.downloading():  # a process that was killed left them
            self.start(video)

    def checked(self, url: object) -> str:
        """Public https on a domain name, or one of the local hosts. Raises ValueError."""
        if not isinstance(url, str):
            raise ValueError(BAD_URL)
        parts = urlsplit(url)
        host = parts.hostname or ""
        local = words(os.environ.get("LOCAL_HOSTS", "")) + self._emulator.option("local_hosts")
        if parts.scheme in ("http", "https") and (host in local or parts.netloc in local):
            return url
        if parts.scheme != "https" or "." not in host or _is_address(host):
            raise ValueError(BAD_URL)
        return url

    def start(self, video: Video) -> None:
        """In a thread of its own."""
        place = self._places.setdefault(video.account, threading.Semaphore(AT_ONCE))
        threading.Thread(target=self._run, args=(video, place), daemon=True).start()

    def _run(self, video: Video, place: threading.Semaphore) -> None:
        with place:
            try:
                self._download(video)
            except Gone:
                return
            except (requests.RequestException, Failed) as error:
                video.facts["failure"] = str(error)
                state = "error"
            else:
                state = "error" if self._emulator.option("unreadable") else "processing"
                video.facts["failure"] = "the file cannot be read"
        with self._world.lock:
            if self._world.videos.get(video.key) is not video:
                return
            self._videos.set_state(video, state)
            if state == "processing":
                self._emulator.process(video)

    def _download(self, video: Video) -> None:
        """HEAD, then GET; redirects are not followed. Raises Failed, RequestException, Gone."""
        deadline = time.monotonic() + DOWNLOAD_SECONDS
        with requests.Session() as session, self._world.receive(video) as receiver:
            session.trust_env = False  # no proxy stands before this machine's own hosts
            total = self._announced(session, video.facts["source"])
            for attempt in range(1, TRIES + 1):
                try:
                    self._fetch(session, video, receiver, deadline)
                    break
                except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                    if attempt == TRIES:
                        raise
            if video.bytes != total:
                raise Failed(f"{video.bytes} bytes came instead of {total}")

    def _announced(self, session: requests.Session, url: str) -> int:
        answer = session.head(url, timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False)
        total = int(answer.headers.get("Content-Length", 0))
        if answer.status_code != 200 or not total:
            raise Failed(f"HEAD answers {answer.status_code} with {total} bytes")
        if total > self._emulator.option("max_mb") * 1_000_000:
            raise Failed(f"{total} bytes are too many")
        return total

    def _fetch(self, session: requests.Session, video: Video, receiver: Receiver, deadline: float) -> None:
        """From where the file ends so far."""
        start = video.bytes
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with session.get(
            video.facts["source"],
            headers=headers,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            stream=True,
            allow_redirects=False,
        ) as answer:
            if answer.status_code != (206 if start else 200):
                raise Failed(f"GET answers {answer.status_code}")
            for block in answer.iter_content(PIECE):
                if time.monotonic() > deadline:
                    raise Failed("it takes too long")
                if video.bytes + len(block) > self._emulator.option("max_mb") * 1_000_000:
                    raise Failed("more bytes than announced, and too many")
                receiver.write(block)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
