"""Rutube downloads the file itself: allowed URLs, and the download."""

import os
import threading
import time
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests

from sandbox.emulator import Emulator, split_list
from sandbox.rutube.videos import Videos
from sandbox.state import DraftGone, Receiver, Video

CHUNK = 64 << 10
"""Bytes read at once: a broken connection loses at most this much."""

MAX_DOWNLOADS = 5
"""Concurrent downloads of a channel; others wait. From the vendor's page."""

DOWNLOAD_SECONDS = 600
CONNECT_SECONDS = 5
READ_SECONDS = 30
MAX_ATTEMPTS = 3
"""A broken download is continued with Range."""

BAD_URL = "Введите правильный URL."


class DownloadFailed(Exception):
    """The download failed; the text is the reason."""


class Downloader:
    def __init__(self, emulator: Emulator, videos: Videos) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._videos = videos
        self._semaphores: dict[str, threading.Semaphore] = {}
        for video in videos.downloading():  # interrupted by a kill
            self.start(video)

    def validate_url(self, url: object) -> str:
        """Returns the URL if it is https with a domain name, or on a local host. Raises ValueError."""
        if not isinstance(url, str):
            raise ValueError(BAD_URL)
        parts = urlsplit(url)
        host = parts.hostname or ""
        local = split_list(os.environ.get("LOCAL_HOSTS", "")) + self._emulator.option("local_hosts")
        if parts.scheme in ("http", "https") and (host in local or parts.netloc in local):
            return url
        if parts.scheme != "https" or "." not in host or _is_address(host):
            raise ValueError(BAD_URL)
        return url

    def start(self, video: Video) -> None:
        """Starts the download in a thread."""
        semaphore = self._semaphores.setdefault(video.account, threading.Semaphore(MAX_DOWNLOADS))
        threading.Thread(target=self._run, args=(video, semaphore), daemon=True).start()

    def _run(self, video: Video, semaphore: threading.Semaphore) -> None:
        with semaphore:
            try:
                self._download(video)
            except DraftGone:
                return
            except (requests.RequestException, DownloadFailed) as error:
                video.facts["failure"] = str(error)
                status = "error"
            else:
                status = "error" if self._emulator.option("unreadable") else "processing"
                video.facts["failure"] = "the file cannot be read"
        with self._state.lock:
            if self._state.videos.get(video.key) is not video:
                return
            self._videos.set_status(video, status)
            if status == "processing":
                self._emulator.process(video)

    def _download(self, video: Video) -> None:
        """HEAD, then GET; redirects are not followed. Raises DownloadFailed, RequestException, DraftGone."""
        deadline = time.monotonic() + DOWNLOAD_SECONDS
        with requests.Session() as session, self._state.receive(video) as receiver:
            session.trust_env = False  # no proxy for local hosts
            total = self._content_length(session, video.facts["source"])
            for attempt in range(1, MAX_ATTEMPTS + 1):
                try:
                    self._get(session, video, receiver, deadline)
                    break
                except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                    if attempt == MAX_ATTEMPTS:
                        raise
            if video.bytes != total:
                raise DownloadFailed(f"{video.bytes} bytes received instead of {total}")

    def _content_length(self, session: requests.Session, url: str) -> int:
        response = session.head(url, timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False)
        total = int(response.headers.get("Content-Length", 0))
        if response.status_code != 200 or not total:
            raise DownloadFailed(f"HEAD returned {response.status_code} with {total} bytes")
        if total > self._emulator.option("max_mb") * 1_000_000:
            raise DownloadFailed(f"{total} bytes are too many")
        return total

    def _get(self, session: requests.Session, video: Video, receiver: Receiver, deadline: float) -> None:
        """Continues from the bytes that have arrived."""
        start = video.bytes
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with session.get(
            video.facts["source"],
            headers=headers,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            stream=True,
            allow_redirects=False,
        ) as response:
            if response.status_code != (206 if start else 200):
                raise DownloadFailed(f"GET returned {response.status_code}")
            for block in response.iter_content(CHUNK):
                if time.monotonic() > deadline:
                    raise DownloadFailed("timed out")
                if video.bytes + len(block) > self._emulator.option("max_mb") * 1_000_000:
                    raise DownloadFailed("more bytes than announced, and too many")
                receiver.write(block)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
