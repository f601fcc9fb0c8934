"""Дзен. There is no public API for publishing a video, so there are two ways; pages show which one is on.

Assisted (default): at its time the user gets the file, the text and a link to Дзен Студия, and pastes the result's
link. Partner API (DZEN_API_URL set): an ASSUMED contract, never tried against the real one. Everything that is assumed
is in this file, below «Partner API».

Consent is Yandex OAuth: https://yandex.ru/dev/id/doc/ru/
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.config import Setting, optional_web_address, web_address
from app.media import containers
from app.platforms.base import (
    COUNTS,
    Account,
    Adapter,
    Counting,
    Limits,
    NotPublished,
    PublishContext,
    Receipt,
    Stats,
    Token,
    Unknown,
)
from app.platforms.errors import Reconnect, Refused, Rejected, Stale, TokenExpired, Unavailable, UploadRefused
from app.platforms.http.body import FileBody
from app.platforms.http.client import Window
from app.platforms.http.response import Response
from app.platforms.oauth import OAuth, payload_of, refreshed

STUDIO = "https://dzen.ru/profile/editor"
PUBLISHING_SCOPES = ("zen:write", "zen:read")
MP4 = containers.CONTAINERS["mp4"]  # assumed, as the contract is: its upload names one type
PER_TOKEN = (5, 1.0)
_PROCESSING_SECONDS = 3600
_PAUSE = 30
# Statuses of an expired upload address. It is called without the token: 401 and 403 mean nothing for the account.
_ADDRESS_GONE = (401, 403, 404, 410)

Draft = Mapping[str, str]  # what `_create` returns


class Dzen(Adapter):
    key = "dzen"
    name = "Дзен"
    other_names = ("яндекс дзен", "zen")
    settings = (
        Setting(
            "YANDEX_OAUTH_URL", "https://oauth.yandex.ru", "Яндекс OAuth", web_address, demo="{sandbox}/yandex-oauth"
        ),
        Setting(
            "YANDEX_LOGIN_URL",
            "https://login.yandex.ru",
            "Яндекс ID: имя и портрет",
            web_address,
            demo="{sandbox}/yandex-login",
        ),
        Setting(
            "YANDEX_AVATARS_URL",
            "https://avatars.yandex.net",
            "Яндекс: портреты",
            web_address,
            demo="{sandbox}/yandex-avatars",
        ),
        Setting("YANDEX_CLIENT_ID", "", "Номер приложения Яндекс OAuth", demo="vezde-demo"),
        Setting("YANDEX_CLIENT_SECRET", "", "Секрет приложения Яндекс OAuth", secret=True, demo="vezde-demo-secret"),
        Setting(
            "DZEN_API_URL",
            "",
            "Партнёрский API Дзена (предполагаемый); пусто — публикация с вашей помощью",
            optional_web_address,
            demo="{sandbox}/dzen",
        ),
        Setting(
            "DZEN_SCOPES",
            "login:info login:avatar",
            "Права; с партнёрским API ещё zen:write zen:read",
            demo="login:info login:avatar zen:write zen:read",
        ),
    )
    reasons = {
        "dzen_scopes": ("Дзен не дал права на публикацию", "Подключите ещё раз и разрешите публикацию."),
        "dzen_rejected": ("Дзен отклонил клип", "Исправьте клип и повторите."),
        "dzen_upload": ("Адрес, который Дзен дал для загрузки, не действует", "Повторите позже."),
        "dzen_gone": ("Черновика на Дзене больше нет", "Повторите, чтобы загрузить клип снова."),
        "dzen_forbidden": ("Дзен не разрешает публиковать", "Проверьте права канала и подключите его заново."),
    }

    steps = {
        "create": "создание черновика",
        "upload": "загрузка видео",
        "publish": "публикация",
        "processed": "обработка видео",
    }

    @classmethod
    def oauth(cls, config: Mapping[str, Any]) -> OAuth | None:
        if not config["YANDEX_CLIENT_ID"]:
            return None
        return OAuth(
            authorize_url=f"{config['YANDEX_OAUTH_URL']}/authorize",
            token_url=f"{config['YANDEX_OAUTH_URL']}/token",
            client_id=config["YANDEX_CLIENT_ID"],
            client_secret=config["YANDEX_CLIENT_SECRET"],
            scope=config["DZEN_SCOPES"],
        )

    @classmethod
    def consent_asks(cls, config: Mapping[str, Any]) -> str:
        more = ", и право публиковать в Дзене" if config["DZEN_API_URL"] else ""
        return (
            f"Яндекс спросит доступ к имени и портрету, чтобы показать, какой канал подключён{more}. Почты и пароля мы "
            "не видим."
        )

    @classmethod
    def mode(cls, config: Mapping[str, Any]) -> str:
        if config["DZEN_API_URL"]:
            return "Публикуется само."
        return (
            "С вашей помощью: Дзен не даёт сайтам публиковать за вас. В назначенное время мы подготовим файл, текст и "
            "ссылку."
        )

    @classmethod
    def limits(cls, config: Mapping[str, Any]) -> Limits:
        return Limits(
            min_seconds=5,  # this and the next by one public client
            max_seconds=120,
            max_title=200,
            containers=frozenset({MP4.key}) if config["DZEN_API_URL"] else None,
        )

    # Connecting

    def accept(self, response: Mapping[str, Any], arguments: Mapping[str, str]) -> tuple[list[Account], Token]:
        # Yandex names the scopes only where they differ from what was asked.
        granted = self.config["DZEN_SCOPES"] if response.get("scope") is None else response["scope"]
        missing = [scope for scope in PUBLISHING_SCOPES if scope not in granted.split()]
        if missing and self.config["DZEN_API_URL"]:
            raise Refused("dzen_scopes")
        token = Token.of(response)
        url, headers = f"{self.config['YANDEX_LOGIN_URL']}/info", {"Authorization": f"OAuth {token.access}"}
        info = self.http.request("GET", url, params={"format": "json"}, headers=headers).json()
        if not isinstance(info, dict) or "id" not in info:
            raise Unavailable("Яндекс ID не ответил")
        avatar = info.get("default_avatar_id")
        account = Account(
            id=str(info["id"]),
            name=info.get("display_name") or info.get("login") or "Дзен",
            avatar_url=f"{self.config['YANDEX_AVATARS_URL']}/get-yapic/{avatar}/islands-200" if avatar else None,
        )
        return [account], token

    def refresh(self, token: Token) -> Token:
        if not token.refresh:
            raise Reconnect
        response = self._post("token", grant_type="refresh_token", refresh_token=token.refresh)
        return Token.of(refreshed(response, "Яндекс OAuth", _PAUSE))

    def revoke(self, token: Token) -> None:
        response = payload_of(self._post("revoke_token", access_token=token.access), "Яндекс OAuth", _PAUSE)
        if response.get("error") not in (None, "invalid_grant", "unsupported_token_type"):
            raise Unavailable(str(response["error"]))

    def _post(self, path: str, **form: str) -> Response:
        client = {"client_id": self.config["YANDEX_CLIENT_ID"], "client_secret": self.config["YANDEX_CLIENT_SECRET"]}
        return self.http.request("POST", f"{self.config['YANDEX_OAUTH_URL']}/{path}", data={**form, **client})

    # Publishing

    def publish(self, context: PublishContext) -> Receipt:
        if not self.config["DZEN_API_URL"]:
            return context.ask_user(self.text(context.title, context.description), STUDIO, "Открыть Дзен Студию")
        draft = context.step("create", self._create, context)
        context.step("upload", self._upload, context, draft)
        receipt = context.commit("publish", self._publish, context, draft, find=self._find)
        context.wait("processed", self._processed, context, draft, every=5, until=_PROCESSING_SECONDS)
        return receipt

    # Partner API (assumed)

    def _create(self, context: PublishContext) -> dict[str, str]:
        texts = {"title": context.title, "description": context.description}
        made = self._call("POST", "/publisher/videos/drafts", context.token, json={**texts, "type": "short"})
        if not (made.get("id") and made.get("upload_url")):
            raise Unavailable("в ответе Дзена нет черновика")
        return {"id": str(made["id"]), "upload_url": made["upload_url"]}

    def _upload(self, context: PublishContext, draft: Draft) -> None:
        with context.clip.open() as file:
            response = self.http.request(
                "PUT",
                draft["upload_url"],
                data=FileBody(file, context.clip.size, on_block=context.progress),
                headers={"Content-Type": MP4.content_type},
                response_seconds=60,
            )
        if response.status in _ADDRESS_GONE:
            raise UploadRefused("dzen_upload", f"ошибка {response.status}")
        if not 200 <= response.status < 300:
            raise _error(response)
        if response.body.lstrip().startswith(b"<"):
            raise Unavailable("страница вместо ответа на загрузку")

    def _publish(self, context: PublishContext, draft: Draft, *, begin_commit: Callable[[], None]) -> Receipt:
        begin_commit()
        path = f"/publisher/videos/{draft['id']}/publish"
        done = self._call("POST", path, context.token, none_for=409, stale_for=(404, 410))
        if done is not None:
            return _receipt(draft, done)
        found = self._find(context, draft)  # published already, or not ready for it
        if isinstance(found, NotPublished):
            raise Unavailable("Дзен не публикует черновик: 409", definitely_not_applied=True)
        if isinstance(found, Unknown):
            raise Unavailable("Дзен отвечает 409 и не говорит, опубликован ли клип")
        return found

    def _find(self, context: PublishContext, draft: Draft) -> Receipt | NotPublished | Unknown:
        """Whether the draft was handed over; `_processed` waits for the rest."""
        video = self._call("GET", f"/publisher/videos/{draft['id']}", context.token)
        if video.get("status") in ("processing", "published", "rejected"):
            return _receipt(draft, video)
        return NotPublished() if video.get("status") == "draft" else Unknown()

    def _processed(self, context: PublishContext, draft: Draft) -> bool | None:
        video = self._call("GET", f"/publisher/videos/{draft['id']}", context.token)
        if video.get("status") == "rejected":
            raise Rejected("dzen_rejected", str(video.get("reason") or ""))
        return True if video.get("status") == "published" else None

    @classmethod
    def counting(cls, config: Mapping[str, Any]) -> Counting:
        if config["DZEN_API_URL"]:
            return Counting(never={}, unknown="Дзен не показал это число.")
        return Counting(never=dict.fromkeys(COUNTS, "Дзен не сообщает чисел сайтам: они видны только в Дзен Студии."))

    def stats(self, token: Token, account: Account, ids: Sequence[str]) -> Mapping[str, Stats]:
        found: dict[str, Stats] = {}
        for video_id in ids:
            video = self._call("GET", f"/publisher/videos/{video_id}", token, none_for=404)
            if video is not None:
                counts = video.get("statistics") or {}
                found[video_id] = Stats.of(**{count: counts.get(count) for count in COUNTS})
        return found

    def _call(
        self, method: str, path: str, token: Token, *, none_for: int = 0, stale_for: Sequence[int] = (), **kwargs: Any
    ) -> Mapping[str, Any] | None:
        self.http.pace(Window(f"dzen:token:{token.access}", *PER_TOKEN))
        response = self.http.request(
            method, f"{self.config['DZEN_API_URL']}{path}", headers={"Authorization": f"OAuth {token.access}"}, **kwargs
        )
        payload = response.json()
        if response.status == none_for:
            return None
        if response.status in stale_for and isinstance(payload, dict):  # a gateway's page is not Дзен's
            raise Stale("dzen_gone", f"ошибка {response.status}")
        if not 200 <= response.status < 300 or not isinstance(payload, dict):
            raise _error(response)
        return payload


def _receipt(draft: Draft, video: Mapping[str, Any]) -> Receipt:
    return Receipt.linked(draft["id"], video.get("url"), f"https://dzen.ru/shorts/{draft['id']}")


def _error(response: Response) -> Exception:
    """Only `{error: {code, message}}` is Дзен's own; a gateway's page means nothing for the token or the video."""
    status, payload = response.status, response.json()
    error = payload.get("error") if isinstance(payload, dict) else None
    own = isinstance(error, dict)
    detail = str(error.get("message") or error.get("code") or "") if own else ""
    response.raise_if_limited(_PAUSE, detail, definitely_not_applied=own and status == 429)
    if status == 413:
        return Refused("too_large", detail)
    if not own or status >= 500:
        return Unavailable(f"ошибка {status}: {detail}".removesuffix(": "))
    if status == 401:
        return TokenExpired(detail)
    if status == 403:
        return Refused("dzen_forbidden", detail)
    return Refused("refused", detail)
