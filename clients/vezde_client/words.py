"""Russian words for what the API says in codes."""

from collections.abc import Mapping
from typing import Any

from vezde_client.when import local

STATUSES = {
    "scheduled": "Запланировано",
    "publishing": "Публикуется",
    "awaiting_user": "Ждёт вас",
    "unconfirmed": "Проверьте",
    "published": "Опубликовано",
    "failed": "Ошибка",
    "cancelled": "Отменено",
    "processing": "Проверяется",
    "ready": "Готов",
    "active": "Подключён",
    "reconnect": "Подключите заново",
    "choosing": "Выберите аккаунт",
}


def status(code: str) -> str:
    return STATUSES.get(code, code)


def publication(one: Mapping[str, Any], zone: str) -> list[str]:
    """A row of a table."""
    due = one.get("published_at") or one.get("due_at")
    more = one.get("url") or (one.get("detail") or "")
    where = f"{one['platform']}: {one['account']}"
    return [str(one["id"]), status(one["status"]), local(due, zone), where, one["title"], more]


def clip(one: Mapping[str, Any], zone: str) -> list[str]:
    return [str(one["id"]), status(one["status"]), local(one["created_at"], zone), one["title"]]


def moment_of(asked: Mapping[str, Any], zone: str) -> str:
    """Of `when` as it was asked for."""
    match asked["kind"]:
        case "at":
            return local(asked["at"], zone)
        case "after":
            return f"через {asked['minutes']} мин"
        case "slot":
            return f"в ближайший слот набора {asked['set_id']}"
    return "сейчас"
