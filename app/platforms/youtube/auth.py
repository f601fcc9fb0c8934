"""Access to a channel, by Google's OAuth: https://developers.google.com/identity/protocols/oauth2/web-server"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from app.config import Setting, number, web_address
from app.platforms.base import Account, Adapter, Token
from app.platforms.errors import Reconnect, Refused, Unavailable
from app.platforms.http.client import Http
from app.platforms.http.response import Response
from app.platforms.oauth import OAuth, payload_of, refreshed
from app.platforms.quota import DailyQuota
from app.platforms.youtube.api import PAUSE, YouTubeApi

SCOPES = {
    "https://www.googleapis.com/auth/youtube.upload": "загружать видео",
    "https://www.googleapis.com/auth/youtube.readonly": "видеть канал",
}
LIFETIME = 3600  # seconds of an access token, where the response names none
# Where the day of a project's quota begins: https://developers.google.com/youtube/v3/getting-started#quota
QUOTA_ZONE = "America/Los_Angeles"


class GoogleAccess(Adapter):
    settings = (
        Setting(
            "GOOGLE_AUTH_URL",
            "https://accounts.google.com/o/oauth2/v2/auth",
            "Google: страница согласия",
            web_address,
            demo="{sandbox}/google/auth",
        ),
        Setting(
            "GOOGLE_TOKEN_URL",
            "https://oauth2.googleapis.com/token",
            "Google: токены; отзыв — рядом, /revoke",
            web_address,
            demo="{sandbox}/google/token",
        ),
        Setting("YOUTUBE_API_URL", "https://www.googleapis.com", "API YouTube", web_address, demo="{sandbox}"),
        Setting(
            "YOUTUBE_WEB_URL",
            "https://www.youtube.com",
            "Где открываются ссылки на видео и каналы",
            web_address,
            demo="{sandbox}/youtube-web",
        ),
        Setting("GOOGLE_CLIENT_ID", "", "Номер приложения Google; без него YouTube не подключить", demo="vezde-demo"),
        Setting("GOOGLE_CLIENT_SECRET", "", "Секрет приложения Google", secret=True, demo="vezde-demo-secret"),
        Setting(
            "YOUTUBE_DAILY_UPLOADS",
            "100",
            "Сколько видео в сутки разрешено проекту Google: у всех пользователей вместе",
            number(1, 1_000_000),
        ),
    )
    reasons = {
        "youtube_scopes": (
            "Google не дал нужных прав: {missing}",
            "Подключите ещё раз и оставьте все галочки: без них видео не загрузить.",
        ),
        "youtube_not_lasting": (
            "Google дал доступ только на час",
            "Подключите ещё раз и согласитесь со всем, что он спросит.",
        ),
        "youtube_no_channel": (
            "У этого аккаунта Google нет канала на YouTube",
            "Создайте канал на youtube.com или выберите другой аккаунт и подключите ещё раз.",
        ),
    }

    def __init__(self, config: Mapping[str, Any], http: Http) -> None:
        super().__init__(config, http)
        self._api = YouTubeApi(config["YOUTUBE_API_URL"], http, self.quota(config))

    @classmethod
    def quota(cls, config: Mapping[str, Any]) -> DailyQuota:
        return DailyQuota(f"youtube:uploads:{config['GOOGLE_CLIENT_ID']}", config["YOUTUBE_DAILY_UPLOADS"], QUOTA_ZONE)

    @classmethod
    def oauth(cls, config: Mapping[str, Any]) -> OAuth | None:
        if not config["GOOGLE_CLIENT_ID"]:
            return None
        return OAuth(
            authorize_url=config["GOOGLE_AUTH_URL"],
            token_url=config["GOOGLE_TOKEN_URL"],
            client_id=config["GOOGLE_CLIENT_ID"],
            client_secret=config["GOOGLE_CLIENT_SECRET"],
            scope=" ".join(SCOPES),
            # Without them a second consent brings no refresh token.
            params={"access_type": "offline", "prompt": "consent"},
        )

    @classmethod
    def unready(cls, config: Mapping[str, Any]) -> str:
        if config["GOOGLE_CLIENT_ID"]:
            return ""
        return "YouTube здесь ещё не настроен: нужен проект Google. Скажите об этом администратору сервиса."

    @classmethod
    def consent_asks(cls, config: Mapping[str, Any]) -> str:
        return (
            "Google спросит право загружать видео на ваш канал и видеть его, чтобы показать просмотры. Оставьте обе "
            "галочки. Почты и пароля мы не видим."
        )

    def accept(self, response: Mapping[str, Any], arguments: Mapping[str, str]) -> tuple[list[Account], Token]:
        """The channels that were chosen at Google's page: mostly one."""
        granted = set(SCOPES) if response.get("scope") is None else set(str(response["scope"]).split())
        if missing := [right for scope, right in SCOPES.items() if scope not in granted]:
            raise Refused("youtube_scopes", missing=", ".join(missing))
        token = Token.of(response, LIFETIME)
        if not token.refresh:
            raise Refused("youtube_not_lasting")
        channels = self._api.list("channels", token, part="snippet,statistics", mine="true")
        if not channels:
            raise Refused("youtube_no_channel")
        return [self._account(channel) for channel in channels], token

    def _account(self, channel: Mapping[str, Any]) -> Account:
        snippet, number = channel.get("snippet") or {}, channel.get("id")
        if not isinstance(number, str) or not number:
            raise Unavailable("в ответе YouTube нет номера канала")
        picture = (snippet.get("thumbnails") or {}).get("default") or {}
        return Account(
            id=number,
            name=snippet.get("title") or "YouTube",
            url=f"{self.config['YOUTUBE_WEB_URL']}/channel/{number}",
            avatar_url=picture.get("url"),
        )

    def refresh(self, token: Token) -> Token:
        """The response has no new refresh token: the old one stays good."""
        if not token.refresh:
            raise Reconnect
        client = {"client_id": self.config["GOOGLE_CLIENT_ID"], "client_secret": self.config["GOOGLE_CLIENT_SECRET"]}
        response = self._post(
            self.config["GOOGLE_TOKEN_URL"], grant_type="refresh_token", refresh_token=token.refresh, **client
        )
        answer = refreshed(response, "Google", PAUSE)
        return Token.of({**answer, "refresh_token": answer.get("refresh_token") or token.refresh}, LIFETIME)

    def revoke(self, token: Token) -> None:
        response = self._post(urljoin(self.config["GOOGLE_TOKEN_URL"], "revoke"), token=token.refresh or token.access)
        payload = payload_of(response, "Google", PAUSE)
        if payload.get("error") not in (None, "invalid_token"):
            raise Unavailable(str(payload["error"]))

    def _post(self, url: str, **form: str) -> Response:
        return self.http.request("POST", url, data=form)
