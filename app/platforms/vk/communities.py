"""Communities: by their address, and whether a token's user may publish there."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from app.platforms.base import Account
from app.platforms.errors import Reconnect, Refused, TokenExpired, Unavailable
from app.platforms.vk.api import RouteUnknown, VkApi

FIELD = "community"
REASONS = {
    "vk_community_form": (
        "Не понять, какое это сообщество",
        "Скопируйте его адрес целиком: https://vk.com/имя, или введите @имя.",
    ),
    "vk_community_person": (
        "Это страница человека, а не сообщества",
        "Введите адрес сообщества. Вашу страницу адресом подключать не нужно: она есть в списке.",
    ),
    "vk_community": ("VK не нашёл такое сообщество", "Проверьте адрес: откройте его в браузере."),
    "vk_community_blocked": ("Это сообщество удалено или заблокировано", "Введите адрес другого."),
    "vk_community_right": (
        "В сообществе «{name}» вам нельзя публиковать",
        "Попросите его администратора сделать вас редактором и подключите ещё раз.",
    ),
    "vk_community_unsure": (
        "VK не сказал, можно ли вам публиковать в этом сообществе",
        "Если вы там не редактор и не администратор, публикация не выйдет.",
    ),
}

_HOST = re.compile(r"(?:www\.|m\.|new\.)?(?:vk\.com|vk\.ru|vkontakte\.ru)")
_NUMBER = re.compile(r"(?:club|public|event)(\d{1,18})|-?(\d{1,18})")
# Of links to something that belongs to a community: wall-1_2, clips-1.
_OWNED = re.compile(r"[a-z]+-(\d{1,18})(?:_\d{1,18})?")
_PERSON = re.compile(r"(?:wall|clips?|videos?|photo|album)\d{1,18}(?:_\d{1,18})?|id\d{1,18}")
_NAME = re.compile(r"[A-Za-z0-9_.]{2,64}")
# Sections whose second part is the owner: https://vk.com/clips/name
_SECTIONS = ("clips", "video", "wall", "videos")
# https://dev.vk.com/ru/reference/objects/group: from an editor on
_EDITOR = 2
_FIELDS = "photo_100,can_post,can_upload_video"


def account_of(group: Mapping[str, Any], limitation: str | None = None) -> Account:
    return Account(
        id=f"-{group['id']}",
        name=group.get("name") or f"Сообщество {group['id']}",
        url=f"https://vk.com/{group.get('screen_name') or 'club' + str(group['id'])}",
        avatar_url=group.get("photo_100"),
        facts={"owner_id": -group["id"], "group_id": group["id"]},
        limitation=limitation,
    )


def find(api: VkApi, token: str, address: str) -> Account:
    """The community at an address. Raises Refused at the form's field where it may not be published to."""
    try:
        groups = _groups(api.method("groups.getById", token, group_ids=parse(address), fields=_FIELDS))
    except RouteUnknown as error:
        raise Refused("vk_community", error.detail, field=FIELD) from None
    except Refused as error:
        if error.reason != "refused":
            raise
        raise Refused("vk_community", error.detail, field=FIELD) from None
    if not groups:
        raise Refused("vk_community", field=FIELD)
    [group, *_] = groups
    if group.get("deactivated"):
        raise Refused("vk_community_blocked", field=FIELD)
    may_publish = _may_publish(group)
    if may_publish is False:
        raise Refused("vk_community_right", name=str(group.get("name", "")), field=FIELD)
    return account_of(group, None if may_publish else "vk_community_unsure")


def is_key(api: VkApi, token: str) -> bool:
    """Whether a token is a community's own: without an id, VK names the community that it belongs to."""
    try:
        return bool(_groups(api.method("groups.getById", token)))
    except (RouteUnknown, Refused, Reconnect, TokenExpired):
        return False


def parse(address: str) -> str:
    """The id or the short name for `group_ids`, of what users type or copy. Raises Refused."""
    text = address.strip()
    if "/" in text:
        text = _of_link(text)
    text = text.removeprefix("@")
    if number := _NUMBER.fullmatch(text.lower()) or _OWNED.fullmatch(text.lower()):
        return next(group for group in number.groups() if group)
    if _PERSON.fullmatch(text.lower()):
        raise Refused("vk_community_person", field=FIELD)
    if not _NAME.fullmatch(text):
        raise Refused("vk_community_form", field=FIELD)
    return text


def _of_link(text: str) -> str:
    try:
        link = urlsplit(text if "://" in text else f"https://{text}")
        host = link.hostname or ""
    except ValueError:
        raise Refused("vk_community_form", field=FIELD) from None
    if not _HOST.fullmatch(host):
        raise Refused("vk_community_form", field=FIELD)
    [first, *rest] = link.path.strip("/").split("/")
    return rest[0] if rest and first in _SECTIONS else first


def _groups(response: Any) -> list[Mapping[str, Any]]:
    """Since version 5.194 in an object, before that a list."""
    groups = response.get("groups") if isinstance(response, dict) else response
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise Unavailable("в ответе VK нет сообществ")
    return groups


def _may_publish(group: Mapping[str, Any]) -> bool | None:
    """None where VK does not tell. The level is shown only to tokens with the right `groups`."""
    if "admin_level" in group:
        return group["admin_level"] >= _EDITOR
    if group.get("is_admin") == 0:
        return False
    can = [group.get(field) for field in ("can_post", "can_upload_video")]
    return False if 0 in can else True if can == [1, 1] else None
