"""The main job: a file becomes a clip, the clip is published, and its publications end. Each step once.

For the command line, the watched folder and the MCP server.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vezde_client import journal as journals
from vezde_client.api import Api
from vezde_client.errors import ClientError, Refused, TimedOut
from vezde_client.journal import Journal
from vezde_client.local_file import LocalFile
from vezde_client.tus import Progress, Upload

# Nothing more happens by itself: the last two wait for a person.
ENDED = ("published", "failed", "cancelled", "awaiting_user", "unconfirmed")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0

Result = dict[str, Any]  # {"publication": …, "problem": None}, or the other way round


@dataclass(frozen=True)
class Order:
    """Where a clip goes, when, and with which texts. None: the clip's own."""

    connection_ids: Sequence[int]
    when: Mapping[str, Any]
    title: str | None = None
    text: str | None = None
    options: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    again: bool = False

    def body(self, clip_id: int) -> dict[str, Any]:
        return {"clip_id": clip_id, "to": [self._target(one) for one in self.connection_ids], "when": dict(self.when)}

    def _target(self, connection_id: int) -> dict[str, Any]:
        target: dict[str, Any] = {"connection_id": connection_id}
        if self.title is not None:
            target["title"] = self.title
        if self.text is not None:
            target["text"] = self.text
        if options := self.options.get(connection_id):
            target["options"] = dict(options)
        if self.again:
            target["again"] = True
        return target


class Deadline:
    """Until when is waited. None: for ever."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds
        self._pause = _FIRST_PAUSE

    def sleep(self, message: str) -> None:
        """A little longer each time. Raises TimedOut with `message`."""
        pause = self._pause
        if self._end is not None:
            rest = self._end - time.monotonic()
            if rest <= 0:
                raise TimedOut(message)
            pause = min(pause, rest)
        self._pause = min(self._pause * 1.5, _LONGEST_PAUSE)
        time.sleep(pause)


def upload(api: Api, file: LocalFile, journal: Journal, progress: Progress, render: str = "") -> int:
    """The number of the clip that the file is, or becomes now."""
    known = journal.facts.get("clip_id")
    if known is not None:
        try:
            api.get(f"/clips/{known}")
            return known
        except Refused as error:
            if error.status != 404:
                raise
            journal.discard()  # somebody has deleted it meanwhile
    clip_id = Upload(api, file, journal, progress, render).send()
    journal.note(clip_id=clip_id)
    return clip_id


def wait_until_ready(api: Api, clip_id: int, deadline: Deadline) -> dict[str, Any]:
    """The clip. Raises Refused where its file does not fit; TimedOut."""
    while True:
        clip = api.get(f"/clips/{clip_id}")
        if clip["status"] == "ready":
            return clip
        if clip["status"] == "failed":
            raise Refused(clip.get("detail") or "Файл не подошёл.", clip.get("reason"))
        deadline.sleep(f"Клип {clip_id} ещё проверяется: дождаться не удалось.")


def publish(api: Api, order: Order, clip_id: int, journal: Journal) -> list[Result]:
    """A publication or a refusal for each account. Raises Refused where there is no publication at all."""
    body = order.body(clip_id)
    name = f"publish {journals.digest(body)}"
    if journal.is_stale(name) and (made := _made_earlier(api, order, clip_id)):
        return made
    try:
        return api.post("/publications", body, key=journal.key(name))["items"]
    except Refused:
        journal.drop_key(name)
        raise


def _made_earlier(api: Api, order: Order, clip_id: int) -> list[Result]:
    """The answer was lost, and a day ago: what there is of the clip is what was made then."""
    newest: dict[int, Result] = {}
    for one in api.pages("/publications", clip_id=clip_id):
        newest.setdefault(one["connection_id"], {"publication": one, "problem": None})
    return [newest[one] for one in order.connection_ids if one in newest]


def wait_until_published(
    api: Api, publication_ids: Iterable[int], deadline: Deadline, told: Callable[[dict[str, Any]], None]
) -> list[dict[str, Any]]:
    """The publications when all have ended. `told` gets each whenever its status changes. Raises TimedOut."""
    waiting = dict.fromkeys(publication_ids, "")
    ended: dict[int, dict[str, Any]] = {}
    order = list(waiting)
    while waiting:
        for number in list(waiting):
            publication = api.get(f"/publications/{number}")
            if publication["status"] != waiting[number]:
                waiting[number] = publication["status"]
                told(publication)
            if publication["status"] in ENDED:
                ended[number] = publication
                del waiting[number]
        if waiting:
            deadline.sleep(f"Ещё не закончено: {', '.join(map(str, waiting))}. Узнать позже: vezde status")
    return [ended[number] for number in order]


def failures(publications: Iterable[Mapping[str, Any]]) -> list[ClientError]:
    """Of those that have ended, why they are not published."""
    return [
        Refused(f"{one['id']}: {one.get('detail') or one['status']}", one.get("reason") or one["status"])
        for one in publications
        if one["status"] in ENDED and one["status"] != "published"
    ]


def problems(results: Iterable[Result]) -> list[ClientError]:
    return [
        Refused(str(one["problem"].get("detail")), one["problem"].get("code"), one["problem"])
        for one in results
        if one.get("problem")
    ]


def publications(results: Iterable[Result]) -> list[dict[str, Any]]:
    return [one["publication"] for one in results if one.get("publication")]
