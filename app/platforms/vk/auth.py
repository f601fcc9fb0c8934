"""Access to VK accounts: consent by VK ID (https://id.vk.com/about/business/go/docs/ru/vkid), or a token of one's
own.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from app import clock
from app.config import Setting, web_address
from app.platforms.base import Account, Adapter, FormField, Token
from app.platforms.errors import Reconnect, Refused, TokenExpired, Unavailable
from app.platforms.http.client import Http
from app.platforms.oauth import OAuth, payload_of, refreshed
from app.platforms.vk import communities
from app.platforms.vk.api import PAUSE, RouteUnknown, VkApi

SCOPES = ("video", "wall")
RIGHTS = {"video": "видео", "wall": "стена"}
LIFETIME = 3600  # seconds of an access token, where the response names none

_OWN_TOKEN = re.compile(r"vk1\.a\.[A-Za-z0-9_.-]{5,500}")


class VkAccess(Adapter):
    settings = (
        Setting("VK_ID_URL", "https://id.vk.ru", "VK ID: вход и согласие", web_address, demo="{sandbox}/vk-id"),
        Setting("VK_API_URL", "https://api.vk.com", "API VK", web_address, demo="{sandbox}/vk-api"),
        Setting("VK_CLIENT_ID", "", "Номер приложения VK ID; без него остаётся «Токен VK»", demo="51234567"),
    )
    form = (
        FormField(
            "token",
            "Токен VK",
            "Свой токен с правами video, wall и, для сообществ, groups. Он начинается с vk1.a.",
            secret=True,
            placeholder="vk1.a.…",
        ),
        FormField(
            communities.FIELD,
            "Адрес сообщества",
            "https://vk.com/имя, @имя или club123. Без него выберете дальше: свою страницу и сообщества.",
            placeholder="https://vk.com/…",
            required=False,
        ),
    )
    has_more_accounts = True
    more_label = "Добавить сообщества"
    address_field = FormField(
        communities.FIELD,
        "Адрес сообщества",
        "Если его нет в списке: https://vk.com/имя, @имя или club123.",
        placeholder="https://vk.com/…",
        required=False,
    )
    reasons = {
        **communities.REASONS,
        "vk_token_form": ("Это не похоже на токен VK", "Скопируйте его целиком: он начинается с vk1.a."),
        "vk_token": ("VK не принял токен", "Проверьте, что он скопирован целиком и не отозван."),
        "vk_scopes": (
            "VK не дал нужных прав: {missing}",
            "Подключите ещё раз и разрешите доступ к видео и стене. Если VK их не предлагает, вставьте «Токен VK».",
        ),
        "vk_community_key": (
            "Это ключ сообщества, а не ваш токен: с ним VK не даёт загружать видео",
            "Вставьте свой токен с правами video, wall и groups, а сообщество выберите или укажите его адрес.",
        ),
        "vk_groups_right": (
            "VK не показал сообщества: у токена нет права groups",
            "Сообщество можно подключить по его адресу.",
        ),
        "vk_groups": (
            "VK отказался показать сообщества",
            "Сообщество можно подключить по его адресу. Или возьмите другой токен.",
        ),
        "vk_state": ("Ответ VK не от этого запроса", "Начните подключение заново."),
    }

    def __init__(self, config: Mapping[str, Any], http: Http) -> None:
        super().__init__(config, http)
        self._api = VkApi(config["VK_API_URL"], http)

    @classmethod
    def oauth(cls, config: Mapping[str, Any]) -> OAuth | None:
        if not config["VK_CLIENT_ID"]:
            return None
        return OAuth(
            authorize_url=f"{config['VK_ID_URL']}/authorize",
            token_url=f"{config['VK_ID_URL']}/oauth2/auth",
            client_id=config["VK_CLIENT_ID"],
            scope=" ".join(SCOPES),
            client_auth="none",
        )

    @classmethod
    def consent_asks(cls, config: Mapping[str, Any]) -> str:
        return (
            "VK спросит доступ к видео, чтобы загрузить клип, и к стене, чтобы выложить запись. Сообщений, друзей и "
            "пароля мы не видим. Сообщества добавите после."
        )

    def callback(self, arguments: Mapping[str, str]) -> Mapping[str, str]:
        try:
            payload = json.loads(arguments.get("payload", ""))
        except ValueError:
            return arguments
        if not isinstance(payload, dict):
            return arguments
        # JSON can name halves of characters, which no address can.
        return {name: str(value).encode(errors="ignore").decode() for name, value in payload.items()}

    def token_params(self, arguments: Mapping[str, str]) -> Mapping[str, str]:
        return {"device_id": arguments.get("device_id", ""), "state": arguments.get("state", "")}

    def accept(self, response: Mapping[str, Any], arguments: Mapping[str, str]) -> tuple[list[Account], Token]:
        if response.get("state") not in (None, arguments.get("state")):
            raise Refused("vk_state")
        granted = str(response.get("scope", "")).replace(",", " ").split()
        missing = [scope for scope in SCOPES if scope not in granted]
        if missing:
            raise Refused("vk_scopes", missing=", ".join(RIGHTS[scope] for scope in missing))
        token = Token.of(response, LIFETIME, device_id=arguments.get("device_id", ""))
        user = self._id("user_info", token.access).get("user") or {}
        name = f"{user.get('first_name', '')} {user.get('last_name', '')}".strip() or "VK"
        return [_page(user.get("user_id") or response["user_id"], name, user.get("avatar") or None)], token

    def connect(self, fields: Mapping[str, str]) -> tuple[list[Account], Token]:
        """An own token, and the page of its user; the community instead, where its address is given."""
        token = fields["token"].strip()
        if not _OWN_TOKEN.fullmatch(token):
            raise Refused("vk_token_form", field="token")
        user = self._user(token)
        if address := fields.get(communities.FIELD, "").strip():
            return [communities.find(self._api, token, address)], Token(access=token)
        page = _page(user["id"], f"{user['first_name']} {user['last_name']}", user.get("photo_100"))
        return [page], Token(access=token)

    def _user(self, token: str) -> Mapping[str, Any]:
        """The token's. A community's key has none, and VK takes no video by it (error 27)."""
        users, detail = [], ""
        try:
            users = self._api.method("users.get", token, fields="photo_100")
        except (Reconnect, TokenExpired) as error:
            detail = error.detail
        except Refused as error:
            if error.reason != "refused":
                raise
            detail = error.detail
        if users:
            return users[0]
        raise Refused("vk_community_key" if communities.is_key(self._api, token) else "vk_token", detail, field="token")

    def accounts(self, token: Token) -> tuple[list[Account], str | None]:
        """The communities that the token's user may post to."""
        try:
            groups = self._api.items("groups.get", token.access, filter="editor", extended=1, fields="photo_100")
        except (RouteUnknown, Refused) as refused:
            if refused.reason == "vk_user_wanted":
                raise
            return [], "vk_groups_right" if refused.reason == "vk_rights" else "vk_groups"
        return [communities.account_of(group) for group in groups], None

    def find_account(self, token: Token, address: str) -> Account:
        return communities.find(self._api, token.access, address)

    def refresh(self, token: Token) -> Token:
        """The refresh token rotates: the response's pair is the only one that is good afterwards."""
        if not token.refresh:
            raise Reconnect
        device_id = token.extra.get("device_id", "")
        response = self.http.request(
            "POST",
            f"{self.config['VK_ID_URL']}/oauth2/auth",
            data={
                "grant_type": "refresh_token",
                "refresh_token": token.refresh,
                "client_id": self.config["VK_CLIENT_ID"],
                "device_id": device_id,
                "state": f"refresh-{clock.now().timestamp():.0f}",
            },
        )
        return Token.of(refreshed(response, "VK ID", PAUSE), LIFETIME, device_id=device_id)

    def revoke(self, token: Token) -> None:
        if token.refresh:  # VK ID's; an own token is its owner's business
            self._id("logout", token.access)

    def _id(self, path: str, token: str) -> Mapping[str, Any]:
        response = self.http.request(
            "POST",
            f"{self.config['VK_ID_URL']}/oauth2/{path}",
            params={"client_id": self.config["VK_CLIENT_ID"]},
            data={"access_token": token},
        )
        payload = payload_of(response, "VK ID", PAUSE)
        if "error" in payload:
            raise Unavailable("VK ID не ответил")
        return payload


def _page(user_id: int | str, name: str, avatar_url: str | None) -> Account:
    owner = {"owner_id": int(user_id)}
    url = f"https://vk.com/id{user_id}"
    return Account(id=str(user_id), name=name, url=url, avatar_url=avatar_url, facts=owner, is_own=True)
