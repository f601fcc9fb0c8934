"""Access to groups, by OK's OAuth: https://apiok.ru/en/ext/oauth/server

With LONG_ACCESS_TOKEN a token lives for 30 days, counted anew from each call: an idle one has to be kept alive.
https://apiok.ru/en/ext/oauth/permissions
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from app import clock
from app.config import Setting, web_address
from app.platforms.base import Account, Adapter, Token
from app.platforms.errors import Reconnect, Refused, TokenExpired
from app.platforms.http.client import Http
from app.platforms.oauth import OAuth, payload_of, refreshed
from app.platforms.ok.api import PAUSE, OkApi, error_in, list_in

# Each of them is needed: the first for any call, the second for publishing at a set time.
SCOPES = ("VALUABLE_ACCESS", "LONG_ACCESS_TOKEN", "GROUP_CONTENT", "VIDEO_CONTENT")
# A token that lives for so long is a long one: calls prolong it.
LASTING = timedelta(days=2)
# https://apiok.ru/dev/methods/rest/group/group.getUserGroupsByIds
MAY_POST = {"ADMIN", "MODERATOR", "SUPER_MODERATOR", "EDITOR"}
GROUPS_PER_PAGE = 100
GROUP_PAGES = 30


class OkAccess(Adapter):
    settings = (
        Setting("OK_AUTH_URL", "https://connect.ok.ru", "OK: страница согласия", web_address, demo="{sandbox}/ok-auth"),
        Setting("OK_API_URL", "https://api.ok.ru", "API OK", web_address, demo="{sandbox}/ok-api"),
        Setting(
            "OK_WEB_URL",
            "https://ok.ru",
            "Где открываются ссылки на темы, видео и группы OK",
            web_address,
            demo="{sandbox}/ok-web",
        ),
        Setting("OK_CLIENT_ID", "", "Номер приложения OK; без него OK не подключить", demo="512000000001"),
        Setting("OK_PUBLIC_KEY", "", "Публичный ключ приложения OK", demo="CVEZDEDEMOBABABA"),
        Setting("OK_CLIENT_SECRET", "", "Секретный ключ приложения OK", secret=True, demo="vezde-demo-secret"),
    )
    keep_alive_every = timedelta(days=1)
    has_more_accounts = True
    reasons = {
        "ok_not_lasting": (
            "OK дал доступ ненадолго: публиковать по расписанию с ним нельзя",
            "Подключите ещё раз и согласитесь со всем. Не помогло — скажите администратору сервиса.",
        ),
        "ok_no_groups": (
            "В OK нет групп, где вы можете публиковать",
            "Создайте группу или станьте её редактором и подключите ещё раз: на личную страницу OK сайтам не даёт.",
        ),
    }

    def __init__(self, config: Mapping[str, Any], http: Http) -> None:
        super().__init__(config, http)
        self._api = OkApi(config, http)

    @classmethod
    def oauth(cls, config: Mapping[str, Any]) -> OAuth | None:
        if cls.unready(config):
            return None
        return OAuth(
            authorize_url=f"{config['OK_AUTH_URL']}/oauth/authorize",
            token_url=f"{config['OK_API_URL']}/oauth/token.do",
            client_id=config["OK_CLIENT_ID"],
            client_secret=config["OK_CLIENT_SECRET"],
            scope=";".join(SCOPES),
        )

    @classmethod
    def unready(cls, config: Mapping[str, Any]) -> str:
        if all(config[name] for name in ("OK_CLIENT_ID", "OK_PUBLIC_KEY", "OK_CLIENT_SECRET")):
            return ""
        return "OK здесь ещё не настроен: нужны номер и ключи приложения. Скажите об этом администратору сервиса."

    @classmethod
    def consent_asks(cls, config: Mapping[str, Any]) -> str:
        return (
            "Одноклассники спросят доступ к группам и видео, чтобы загрузить клип и выложить тему в группе, и доступ "
            "надолго, чтобы публиковать по расписанию. Группу вы выберете потом. Сообщений и пароля мы не видим."
        )

    def accept(self, response: Mapping[str, Any], arguments: Mapping[str, str]) -> tuple[list[Account], Token]:
        """The groups to which the user may post."""
        token = _token(response)
        if token.expires_at and not token.refresh:
            raise Refused("ok_not_lasting")
        groups, _ = self.accounts(token)
        if not groups:
            raise Refused("ok_no_groups")
        return groups, token

    def accounts(self, token: Token) -> tuple[list[Account], str | None]:
        groups = (group for page in self._pages_of_groups(token) for group in self._described(page, token))
        return list({group.id: group for group in groups}.values()), None

    def _pages_of_groups(self, token: Token) -> Iterator[Sequence[Mapping[str, Any]]]:
        """A page without groups is the last."""
        known: set[str] = set()
        further: dict[str, str] = {}
        for _ in range(GROUP_PAGES):
            payload = self._api.call("group.getUserGroupsV2", token.access, count=str(GROUPS_PER_PAGE), **further)
            page = list_in(payload, "groups")
            anchor = payload.get("anchor") if isinstance(payload, dict) else None
            if page:
                yield page
            if not page or not isinstance(anchor, str) or not anchor or anchor in known:
                return
            known.add(anchor)
            further = {"anchor": anchor}

    def _described(self, memberships: Sequence[Mapping[str, Any]], token: Token) -> Iterator[Account]:
        ids = [str(one["groupId"]) for one in memberships if one.get("groupId") and _may_post(one)]
        if not ids:
            return
        asked = {"uids": ",".join(ids), "fields": "uid,name,pic_avatar"}
        infos = self._api.items("group.getInfo", "groups", token.access, **asked)
        known = {str(info.get("uid")): info for info in infos}
        for number in ids:
            info = known.get(number) or {}
            yield Account(
                id=number,
                name=info.get("name") or f"Группа {number}",
                url=f"{self.config['OK_WEB_URL']}/group/{number}",
                avatar_url=info.get("pic_avatar") or info.get("picAvatar"),  # whichever way it was asked for
            )

    def refresh(self, token: Token) -> Token:
        """The response may lack a new refresh token: then the old one stays good."""
        if not token.refresh:
            raise Reconnect
        response = self.http.request(
            "POST",
            f"{self.config['OK_API_URL']}/oauth/token.do",
            data={
                "grant_type": "refresh_token",
                "refresh_token": token.refresh,
                "client_id": self.config["OK_CLIENT_ID"],
                "client_secret": self.config["OK_CLIENT_SECRET"],
            },
        )
        error = error_in(payload_of(response, "OK", PAUSE), response)
        if isinstance(error, TokenExpired) or (isinstance(error, Refused) and error.reason == "refused"):
            raise Reconnect(error.detail)
        if error:
            raise error
        answer = refreshed(response, "OK", PAUSE)
        return _token({**answer, "refresh_token": answer.get("refresh_token") or token.refresh})

    def keep_alive(self, token: Token) -> None:
        self._api.call("users.getCurrentUser", token.access)


def _token(response: Mapping[str, Any]) -> Token:
    """A long one has no end of its own: calls put it off."""
    token = Token.of(response)
    lasting = token.expires_at and token.expires_at > clock.now() + LASTING
    return replace(token, expires_at=None) if lasting else token


def _may_post(membership: Mapping[str, Any]) -> bool:
    """A moderator has a role too: an analyst may only look."""
    status, role = membership.get("status"), membership.get("role")
    return status == "ADMIN" or (role or status) in MAY_POST
