"""Access to a creator, by TikTok's OAuth: https://developers.tiktok.com/doc/oauth-user-access-token-management"""

from collections.abc import Mapping
from typing import Any

from app.config import Setting, web_address
from app.platforms.base import Account, Adapter, Token
from app.platforms.errors import PlatformError, Reconnect, Refused, Unavailable
from app.platforms.http.client import Http
from app.platforms.http.response import Response
from app.platforms.oauth import OAuth, payload_of, refreshed
from app.platforms.tiktok.api import PAUSE, USER, TikTokApi

DIRECT, INBOX = "direct", "inbox"
RIGHTS = {
    "user.info.basic": "видеть имя и портрет",
    "video.publish": "публиковать клипы",
    "video.upload": "присылать клипы во «Входящие»",
    "video.list": "видеть ваши клипы",
}
SCOPES = {
    DIRECT: ("user.info.basic", "video.publish", "video.list"),
    INBOX: ("user.info.basic", "video.upload", "video.list"),
}
# Without which nothing can be published.
NEEDED = {DIRECT: ("user.info.basic", "video.publish"), INBOX: ("user.info.basic", "video.upload")}
LIFETIME = 86_400  # seconds of an access token, where the response names none
# A token that is good no longer needs no revocation.
_GONE = {"invalid_grant", "invalid_token", "access_token_invalid"}


def _way(text: str) -> str:
    if text.strip() not in (DIRECT, INBOX):
        raise ValueError(f"нужно {DIRECT} или {INBOX}")
    return text.strip()


def _scopes(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _page_address(text: str) -> str:
    """To the letter: TikTok's own ends with a slash."""
    web_address(text)
    return text.strip()


def scopes(config: Mapping[str, Any]) -> tuple[str, ...]:
    return config["TIKTOK_SCOPES"] or SCOPES[config["TIKTOK_MODE"]]


class TikTokAccess(Adapter):
    settings = (
        Setting(
            "TIKTOK_AUTH_URL",
            "https://www.tiktok.com/v2/auth/authorize/",
            "TikTok: страница согласия",
            _page_address,
            demo="{sandbox}/tiktok-auth/v2/auth/authorize/",
        ),
        Setting("TIKTOK_API_URL", "https://open.tiktokapis.com", "API TikTok", web_address, demo="{sandbox}/tiktok"),
        Setting(
            "TIKTOK_WEB_URL",
            "https://www.tiktok.com",
            "Где открываются профили и клипы",
            web_address,
            demo="{sandbox}/tiktok-web",
        ),
        Setting("TIKTOK_CLIENT_KEY", "", "Ключ приложения TikTok; без него TikTok не подключить", demo="vezde-demo"),
        Setting("TIKTOK_CLIENT_SECRET", "", "Секрет приложения TikTok", secret=True, demo="vezde-demo-secret"),
        Setting(
            "TIKTOK_MODE",
            DIRECT,
            "direct — публикует сам; inbox — присылает клип во «Входящие», пока TikTok не проверил приложение",
            _way,
        ),
        Setting(
            "TIKTOK_SCOPES",
            "",
            "Права через запятую; пусто — user.info.basic,video.publish,video.list, а с inbox — video.upload вместо "
            "video.publish",
            _scopes,
        ),
    )
    reasons = {
        "tiktok_scopes": (
            "TikTok не дал нужных прав: {missing}",
            "Подключите ещё раз и оставьте все переключатели: без этих прав клип не опубликовать.",
        ),
    }

    def __init__(self, config: Mapping[str, Any], http: Http) -> None:
        super().__init__(config, http)
        self._api = TikTokApi(config["TIKTOK_API_URL"], http)

    @classmethod
    def oauth(cls, config: Mapping[str, Any]) -> OAuth | None:
        if cls.unready(config):
            return None
        return OAuth(
            authorize_url=config["TIKTOK_AUTH_URL"],
            token_url=f"{config['TIKTOK_API_URL']}/v2/oauth/token/",
            client_id=config["TIKTOK_CLIENT_KEY"],
            client_id_name="client_key",
            client_secret=config["TIKTOK_CLIENT_SECRET"],
            scope=",".join(scopes(config)),
        )

    @classmethod
    def unready(cls, config: Mapping[str, Any]) -> str:
        if not config["TIKTOK_CLIENT_KEY"] or not config["TIKTOK_CLIENT_SECRET"]:
            return "TikTok здесь ещё не настроен: нужно приложение TikTok. Скажите об этом администратору сервиса."
        if missing := [one for one in NEEDED[config["TIKTOK_MODE"]] if one not in scopes(config)]:
            return (
                f"TikTok здесь настроен не до конца: в TIKTOK_SCOPES нет {', '.join(missing)}. Скажите об этом "
                "администратору сервиса."
            )
        return ""

    @classmethod
    def consent_asks(cls, config: Mapping[str, Any]) -> str:
        asked = scopes(config)
        how = "публиковать клипы" if "video.publish" in asked else "присылать клипы во «Входящие» вашего приложения"
        seen = " и право видеть, что вышло, чтобы показать просмотры" if "video.list" in asked else ""
        return (
            f"TikTok спросит доступ к имени и портрету, право {how}{seen}. Оставьте все переключатели. Сообщений и "
            "пароля мы не видим."
        )

    def accept(self, response: Mapping[str, Any], arguments: Mapping[str, str]) -> tuple[list[Account], Token]:
        asked = scopes(self.config)
        granted = asked if response.get("scope") is None else _scopes(str(response["scope"]))
        if missing := [RIGHTS.get(scope, scope) for scope in asked if scope not in granted]:
            raise Refused("tiktok_scopes", missing=", ".join(missing))
        token = Token.of(response, LIFETIME)
        user = self._api.call(USER, token, params={"fields": "open_id,avatar_url,display_name"}).get("user")
        if not isinstance(user, dict) or not isinstance(user.get("open_id"), str) or not user["open_id"]:
            raise Unavailable("в ответе TikTok нет пользователя")
        username = self._username(token)
        account = Account(
            id=user["open_id"],
            name=str(user.get("display_name") or username or "TikTok"),
            url=self.profile(username) if username else None,
            avatar_url=user.get("avatar_url") or None,
        )
        return [account], token

    def _username(self, token: Token) -> str:
        """Only the creator's own information has it. No account stays unconnected for the link to its profile."""
        if self.config["TIKTOK_MODE"] != DIRECT:
            return ""
        try:
            return str(self._api.creator(token).get("creator_username") or "")
        except PlatformError:
            return ""

    def profile(self, username: str) -> str:
        return f"{self.config['TIKTOK_WEB_URL']}/@{username}"

    def refresh(self, token: Token) -> Token:
        """The refresh token may be a new one."""
        if not token.refresh:
            raise Reconnect
        answer = refreshed(
            self._oauth("token", grant_type="refresh_token", refresh_token=token.refresh), "TikTok", PAUSE
        )
        return Token.of({**answer, "refresh_token": answer.get("refresh_token") or token.refresh}, LIFETIME)

    def revoke(self, token: Token) -> None:
        """The answer to it is empty."""
        response = self._oauth("revoke", token=token.access)
        if 200 <= response.status < 300 and not response.body.strip():
            return
        payload = payload_of(response, "TikTok", PAUSE)
        if payload.get("error") not in (None, "", "ok", *_GONE):
            raise Unavailable(str(payload["error"]))

    def _oauth(self, path: str, **form: str) -> Response:
        client = {"client_key": self.config["TIKTOK_CLIENT_KEY"], "client_secret": self.config["TIKTOK_CLIENT_SECRET"]}
        return self.http.request("POST", f"{self.config['TIKTOK_API_URL']}/v2/oauth/{path}/", data={**client, **form})
