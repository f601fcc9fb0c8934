"""The tools, as functions. Each call has a connection of its own: tools run in threads."""

from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from vezde_client import destinations, publishing
from vezde_client import journal as journals
from vezde_client.api import Api
from vezde_client.errors import WrongUsage
from vezde_client.local_file import LocalFile
from vezde_client.mcp import plans
from vezde_client.mcp.plans import Plans, Wish
from vezde_client.watching import SUFFIXES

Result = dict[str, Any]

ClipId = Annotated[int, Field(description="Номер клипа", ge=1)]
PublicationId = Annotated[int, Field(description="Номер публикации", ge=1)]
Count = Annotated[int, Field(description="Сколько, новые первыми", ge=1, le=200)]
To = Annotated[
    list[str | int],
    Field(description="Площадки (vk, telegram, …) или номера аккаунтов; площадка — если аккаунт на ней один"),
]
SetName = Annotated[str, Field(description="Вместо to: имя или номер набора аккаунтов")]
At = Annotated[str, Field(description="Время «2026-12-01 10:00» в поясе пользователя или RFC 3339 со смещением")]
InMinutes = Annotated[int | None, Field(description="Через сколько минут", ge=0)]
SlotOf = Annotated[str, Field(description="В ближайший свободный слот этого набора: имя или номер")]
Title = Annotated[str | None, Field(description="Название; без него — название клипа")]
Description = Annotated[str | None, Field(description="Описание; без него — описание клипа")]
Options = Annotated[
    Mapping[str, Mapping[str, str | bool]] | None,
    Field(description='Настройки площадок: {"youtube": {"privacy": "public"}}; какие есть — в list_connections'),
]
Again = Annotated[bool, Field(description="Опубликовать ещё раз там, где клип уже опубликован")]


class ReadTools:
    def __init__(self, connect: Callable[[], Api]) -> None:
        self._connect = connect

    def list_connections(self) -> Result:
        api = self._connect()
        return {"connections": destinations.connections(api), "sets": list(api.pages("/sets")), "user": api.me}

    def list_clips(
        self,
        status: Literal["", "processing", "ready", "failed"] = "",
        query: Annotated[str, Field(description="Слова из названия")] = "",
        limit: Count = 20,
    ) -> Result:
        filters = {"status": status, "query": query}
        return {"clips": self._first("/clips", filters, limit)}

    def list_publications(
        self,
        status: Annotated[str, Field(description="scheduled, publishing, published, failed, cancelled, …")] = "",
        clip_id: ClipId | None = None,
        limit: Count = 20,
    ) -> Result:
        filters = {"status": status, "clip_id": clip_id}
        return {"publications": self._first("/publications", filters, limit)}

    def _first(self, path: str, filters: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
        given = {name: value for name, value in filters.items() if value not in ("", None)}
        return list(islice(self._connect().pages(path, **given, limit=min(limit, 100)), limit))

    def publication_status(self, publication_id: PublicationId) -> Result:
        return self._connect().get(f"/publications/{publication_id}")

    def statistics(
        self,
        publication_id: PublicationId | None = None,
        since: Annotated[str, Field(description="Первый день, 2026-11-01")] = "",
        until: Annotated[str, Field(description="Последний день")] = "",
    ) -> Result:
        if publication_id is not None:
            return self._connect().get(f"/publications/{publication_id}/statistics")
        given = {"from": since, "to": until}
        return self._connect().get("/statistics", **{name: value for name, value in given.items() if value})

    def plan(
        self,
        clip_id: ClipId,
        to: To = [],  # noqa: B006 - never changed; its value stands in the tool's schema
        set: SetName = "",
        at: At = "",
        in_minutes: InMinutes = None,
        slot_of: SlotOf = "",
        title: Title = None,
        text: Description = None,
        options: Options = None,
        again: Again = False,
    ) -> Result:
        wish = Wish(clip_id, to, set, at, in_minutes, slot_of, title, text, options, again)
        api = self._connect()
        return plans.describe(api, wish, *plans.order_of(api, wish))


class WriteTools:
    """Only with permission. `folder`: the only place from which files are taken."""

    def __init__(self, connect: Callable[[], Api], kept: Plans, folder: Path | None) -> None:
        self._connect, self._plans = connect, kept
        self._folder = folder.resolve() if folder else None

    def upload_clip(
        self,
        path: Annotated[str, Field(description="Путь к видеофайлу в разрешённой папке")],
        title: Title = None,
        text: Description = None,
    ) -> Result:
        file = LocalFile(self._allowed(path))
        api = self._connect()
        with journals.opened(api.url, api.me["id"], file.fingerprint) as journal:
            clip_id = publishing.upload(api, file, journal, lambda done, total: None)
            texts = {name: value for name, value in (("title", title), ("text", text)) if value is not None}
            if texts:
                api.send("PATCH", f"/clips/{clip_id}", json=texts)
            clip = api.get(f"/clips/{clip_id}")
            journal.finish()
        return clip

    def _allowed(self, path: str) -> Path:
        if self._folder is None:
            raise WrongUsage("Загружать файлы не разрешено: сервер запущен без --folder.")
        try:
            found = (self._folder / path).resolve()  # links are followed first
        except (OSError, ValueError, RuntimeError):  # a zero byte, a circle of links
            found = None
        if found is None or not found.is_relative_to(self._folder) or found.suffix.lower() not in SUFFIXES:
            raise WrongUsage(f"Можно загружать только видеофайлы из папки {self._folder}.")
        return found

    def publish(
        self,
        clip_id: ClipId,
        to: To = [],  # noqa: B006 - as above
        set: SetName = "",
        at: At = "",
        in_minutes: InMinutes = None,
        slot_of: SlotOf = "",
        title: Title = None,
        text: Description = None,
        options: Options = None,
        again: Again = False,
    ) -> Result:
        wish = Wish(clip_id, to, set, at, in_minutes, slot_of, title, text, options, again)
        api = self._connect()
        order, chosen = plans.order_of(api, wish)
        plan = plans.describe(api, wish, order, chosen)
        return {
            "plan": plan,
            "confirmation": self._plans.keep(order, clip_id),
            "next": "Ничего ещё не опубликовано. Покажите план человеку и после его согласия вызовите publish_confirm.",
        }

    def publish_confirm(
        self, confirmation: Annotated[str, Field(description="confirmation из ответа publish")]
    ) -> Result:
        plan = self._plans.find(confirmation)
        body = plan.order.body(plan.clip_id)
        return {"results": self._connect().post("/publications", body, key=plan.idempotency_key)["items"]}

    def move(
        self,
        publication_id: PublicationId,
        at: At = "",
        in_minutes: InMinutes = None,
        slot_of: SlotOf = "",
        now: Annotated[bool, Field(description="Опубликовать сейчас")] = False,
    ) -> Result:
        api = self._connect()
        if not (now or at or in_minutes is not None or slot_of):
            raise WrongUsage("Назовите новое время: at, in_minutes, slot_of или now.")
        when = plans.when_of(api, at, in_minutes, slot_of)
        return api.post(f"/publications/{publication_id}/move", {"when": when})

    def cancel(self, publication_id: PublicationId) -> Result:
        return self._connect().post(f"/publications/{publication_id}/cancel")
