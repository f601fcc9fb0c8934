"""A resumable upload: https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol

A session makes one video, however often it is sent to: it says what it has and, once it has everything, which video it
became. So whatever happened to a request, the session is asked before anything is sent to it again.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from app.platforms.base import PublishContext
from app.platforms.errors import PlatformError, Unavailable
from app.platforms.http.body import FileBody
from app.platforms.http.client import Http
from app.platforms.http.response import Response
from app.platforms.http.timeouts import LONG_RESPONSE_SECONDS
from app.platforms.youtube.api import YouTubeApi

Video = Mapping[str, Any]  # as the API shows it

_STORED = re.compile(r"bytes=0-(\d{1,18})")
_BLOCK = 1 << 20
# Answers that leave the session without anything more of the clip, one after the other.
_MOST_STANDSTILLS = 3
_SESSION_GONE = (404, 410)


@dataclass(frozen=True)
class Incomplete:
    """The session goes on with the byte number `stored`."""

    stored: int


class SessionGone(PlatformError):
    """The session's address is no longer good. `may_be_done`: the whole clip was sent to it before."""

    def __init__(self, detail: str, may_be_done: bool = False) -> None:
        super().__init__("youtube_session", detail)
        self.may_be_done = may_be_done


class Session:
    def __init__(self, url: str, context: PublishContext, api: YouTubeApi, http: Http, api_url: str) -> None:
        self._url, self._context, self._api, self._http = url, context, api, http
        # The address is good by itself; the token goes along only where it would go anyway.
        own = urlsplit(url)[:2] == urlsplit(api_url)[:2]
        self._headers = api.authorization(context.token) if own else {}

    def ask(self) -> Video | Incomplete:
        """Raises SessionGone."""
        response = self._put(b"", f"bytes */{self._context.clip.size}")
        answer = self._read(response)
        if answer is None:
            raise self._api.error(response) or Unavailable("YouTube не говорит, сколько байт у него есть")
        return answer

    def send(self, stored: int, begin_commit: Callable[..., None]) -> Video:
        """Everything from the byte number `stored` on. Raises SessionGone."""
        standstills, furthest = 0, stored
        while True:
            answer = self._send_rest(stored, begin_commit)
            if not isinstance(answer, Incomplete):
                return answer
            stored = answer.stored
            standstills = standstills + 1 if stored <= furthest else 0
            furthest = max(furthest, stored)
            if standstills == _MOST_STANDSTILLS:
                raise Unavailable("YouTube не берёт клип дальше", definitely_not_applied=True)

    def _send_rest(self, stored: int, begin_commit: Callable[..., None]) -> Video | Incomplete:
        clip, context, complete = self._context.clip, self._context, False

        def before_last() -> None:
            nonlocal complete
            begin_commit(LONG_RESPONSE_SECONDS)
            complete = True

        with clip.open() as file:
            _skip(file, stored, lambda done: context.progress(done, clip.size))
            body = FileBody(
                file,
                clip.size - stored,
                on_block=lambda sent, _: context.progress(stored + sent, clip.size),
                before_last=before_last,
            )
            sent = f"bytes {stored}-{clip.size - 1}/{clip.size}"
            response = self._put(body, sent, response_seconds=LONG_RESPONSE_SECONDS)
        try:
            answer = self._read(response)
        except SessionGone as gone:
            answer, refusal = None, gone
        else:
            refusal = self._api.error(response)
        return answer if answer is not None else self._look_behind(response, refusal, complete)

    def _look_behind(self, response: Response, refusal: PlatformError | None, complete: bool) -> Video | Incomplete:
        """After an answer that is none of a session's: what the session itself says decides.

        `complete`: it was sent to the end, so that the video may be there.
        """
        try:
            answer = self.ask()
        except SessionGone as gone:
            raise SessionGone(gone.detail, may_be_done=complete) from None
        except PlatformError as error:
            if complete:  # this says nothing of the bytes
                raise Unavailable(error.detail) from None
            raise
        if not isinstance(answer, Incomplete):
            return answer
        if refusal is None or isinstance(refusal, Unavailable | SessionGone):
            raise Unavailable(f"ошибка {response.status} при загрузке", definitely_not_applied=True)
        raise refusal

    def _put(self, data: FileBody | bytes, content_range: str, **kwargs: Any) -> Response:
        headers = {**self._headers, "Content-Range": content_range, "Content-Type": self._context.clip.content_type}
        return self._http.request("PUT", self._url, data=data, headers=headers, **kwargs)

    def _read(self, response: Response) -> Video | Incomplete | None:
        """None where it is no answer of a session. Raises SessionGone."""
        if response.status == 308:
            match = _STORED.fullmatch(response.headers.get("Range", "").replace("bytes 0-", "bytes=0-"))
            stored = int(match[1]) + 1 if match else 0
            return Incomplete(stored) if stored < self._context.clip.size else None
        if response.status in _SESSION_GONE:
            raise SessionGone(f"ошибка {response.status}")
        payload = response.json()
        made = 200 <= response.status < 300 and isinstance(payload, dict) and isinstance(payload.get("id"), str)
        return payload if made and payload["id"] else None


def _skip(file: BinaryIO, count: int, on_block: Callable[[int], None]) -> None:
    """Reads past what the session has: the clip's checksum is that of the whole file."""
    left = count
    while left:
        on_block(count - left)
        left -= len(file.read(min(left, _BLOCK)))
