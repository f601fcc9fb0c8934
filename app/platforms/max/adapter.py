"""MAX, by its Bot API: https://dev.max.ru/docs-api

Three calls: an address with the video's token, the bytes to that address, a message with the token. The message is the
commit: there is no idempotency key, and a token sent twice makes two posts, but the channel can be read for it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.config import Setting, number, web_address
from app.platforms.base import (
    Account,
    Adapter,
    Counting,
    FormField,
    GuideStep,
    Limits,
    NotPublished,
    PublishContext,
    Receipt,
    Stats,
    Token,
    Unknown,
)
from app.platforms.errors import Incident, PlatformError, Reconnect, Refused, Stale, Unavailable, UploadRefused
from app.platforms.http.body import Multipart
from app.platforms.http.client import Http
from app.platforms.http.response import Response
from app.platforms.http.timeouts import LONG_RESPONSE_SECONDS
from app.platforms.max import posts
from app.platforms.max.api import PAUSE, Denied, MaxApi, NotReady
from app.platforms.max.channel import channel_of
from app.platforms.max.reasons import REASONS, TEXT_CHARACTERS

# Of what a header may hold; MAX does not describe its tokens further.
_TOKEN = re.compile(r"[!-~]{8,500}")
# The answer to the bytes is not the Bot API's.
_TAKEN = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*\?>)?\s*<retval>\s*1\s*</retval>\s*")
_WRITING = {"write", "post_edit_delete_message"}
# Large files are processed for minutes. https://dev.max.ru/docs-api/methods/POST/uploads
_POLL_SECONDS, _PROCESSING_SECONDS = 30, 3600

Made = Mapping[str, Any]  # the address of an upload, the video's token, whose it is


class Max(Adapter):
    key = "max"
    name = "MAX"
    other_names = ("макс", "мах")
    authority = "Russian Trusted Root CA"
    settings = (
        Setting("MAX_API_URL", "https://platform-api2.max.ru", "API ботов MAX", web_address, demo="{sandbox}/max"),
        Setting("MAX_MAX_MB", "250", "Наибольший файл для MAX, МБ", number(1, 4000)),
    )
    form = (
        FormField(
            "bot_token",
            "Токен бота",
            "Целиком, без пробелов. Бот бывает только у проверенной организации, ИП или самозанятого.",
            secret=True,
        ),
        FormField(
            "channel",
            "Канал",
            "Имя или ссылка: @kanal, https://max.ru/kanal. У закрытого канала — номер вида -71234567890123.",
            placeholder="@kanal",
        ),
    )
    reasons = REASONS
    steps = {
        "create": "место для видео",
        "upload": "загрузка видео",
        "processing": "обработка видео",
        "send": "пост в канале",
    }

    def __init__(self, config: Mapping[str, Any], http: Http) -> None:
        super().__init__(config, http)
        self._api = MaxApi(config["MAX_API_URL"], http)

    @classmethod
    def guide(cls, config: Mapping[str, Any], known: Mapping[str, Any]) -> Sequence[GuideStep]:
        bot = f"бота {known['bot']}" if known.get("bot") else "бота"
        return (
            GuideStep(
                "Создайте бота в кабинете «MAX для партнёров»: это может проверенная организация, ИП или самозанятый.",
                ("Открыть business.max.ru", "https://business.max.ru/self"),
            ),
            GuideStep("Скопируйте его токен: «Чат-боты» → «⋮» → «Настройки»."),
            GuideStep(f"Откройте канал в MAX → «Администраторы», добавьте {bot} и разрешите ему писать посты."),
            GuideStep("Вставьте токен и имя канала сюда. Номер канала есть в его адресе на web.max.ru."),
        )

    @classmethod
    def limits(cls, config: Mapping[str, Any]) -> Limits:
        return Limits(
            max_bytes=config["MAX_MAX_MB"] * 1_000_000,
            max_text=TEXT_CHARACTERS,
            containers=frozenset({"mp4", "mov", "mkv", "webm"}),
        )

    # Connecting

    def connect(self, fields: Mapping[str, str]) -> tuple[list[Account], Token]:
        """The channel and the bot's token, once it is known that the bot may write there."""
        access, asked = fields["bot_token"].strip(), channel_of(fields["channel"])
        if not _TOKEN.fullmatch(access):
            raise Refused("max_token_form", field="bot_token")
        token = Token(access)
        try:
            me = self._api.ask("GET", "/me", token)
        except (Reconnect, Denied) as error:
            raise Refused("max_token", error.detail, field="bot_token") from None
        bot = f"@{me['username']}" if me.get("username") else str(me.get("name") or me.get("first_name") or "")
        try:
            chat = self._api.ask("GET", f"/chats/{asked}", token)
        except Refused as refusal:
            raise Refused("max_channel", refusal.detail, bot=bot, field="channel") from None
        chat_id, bot_id = chat.get("chat_id"), me.get("user_id")
        if type(chat_id) is not int or type(bot_id) is not int:
            raise Unavailable("в ответе MAX нет номера канала или бота")
        if chat.get("type") != "channel":
            raise Refused("max_not_channel", bot=bot, field="channel")
        if chat.get("status") == "closed":
            raise Refused("max_channel_closed", bot=bot, field="channel")
        if reason := self._obstacle(token, chat_id):
            raise Refused("max_not_member" if reason == "max_left" else reason, bot=bot, field="channel")
        icon = chat.get("icon")
        account = Account(
            id=str(chat_id),
            name=chat.get("title") or asked,
            url=posts.web_link(chat.get("link")),
            avatar_url=posts.web_link(icon.get("url")) if isinstance(icon, dict) else None,
            facts={"chat_id": chat_id, "bot": bot, "bot_id": bot_id},
        )
        return [account], token

    def _obstacle(self, token: Token, chat_id: int) -> str:
        """The reason why the bot cannot write in the channel; empty where it can."""
        try:
            member = self._api.ask("GET", f"/chats/{chat_id}/members/me", token)
        except Denied:
            return "max_left"
        granted = member.get("permissions")  # null for one who is no administrator
        writes = isinstance(granted, list) and not _WRITING.isdisjoint(granted)
        return "" if writes or member.get("is_owner") is True else "max_rights"

    # Publishing

    def publish(self, context: PublishContext) -> Receipt:
        try:
            made = context.step("create", self._create, context)
            context.step("upload", self._upload, context, made)
            return context.commit("send", self._send, context, made, find=self._find, last=True)
        except NotReady:
            # Nothing was published. The worker is given back, and the message is sent again after the pause.
            return context.wait("processing", lambda: None, every=_POLL_SECONDS, until=_PROCESSING_SECONDS)
        except Incident:
            context.drop("create", "upload", "processing")  # the next try begins with a token of its own
            raise
        except Denied as denied:
            raise self._explained(context, denied) from None

    def _create(self, context: PublishContext) -> Made:
        made = self._api.ask("POST", "/uploads", context.token, type="video")
        url, token = made.get("url"), made.get("token")
        if not posts.web_link(url) or not isinstance(token, str) or not token:
            raise Unavailable("в ответе MAX нет адреса для видео")
        return {"url": url, "token": token, "bot": context.account.facts.get("bot_id")}

    def _upload(self, context: PublishContext, made: Made) -> bool:
        """An address takes one file: whatever left it open whether this one came, the next try asks for another."""
        clip = context.clip
        with clip.open() as file:
            name = f"clip{clip.extension}"
            body = Multipart({}, "data", name, clip.content_type, file, clip.size, on_block=context.progress)
            request = {"data": body, "headers": body.headers, "response_seconds": LONG_RESPONSE_SECONDS}
            try:
                response = self.http.request("POST", made["url"], **request)
            except Unavailable as error:
                if error.definitely_not_applied:
                    raise
                raise Stale(error.reason, error.detail) from None
        response.raise_if_limited(PAUSE)
        if response.status == 413:
            raise Refused("too_large", _said(response))
        if response.status >= 500:
            raise Stale("unavailable", _said(response))
        if response.status != 200 or not _is_taken(response):
            raise UploadRefused("max_upload", _said(response))
        return True

    def _send(self, context: PublishContext, made: Made, *, begin_commit: Callable[[], None]) -> Receipt:
        facts = context.account.facts
        if made["bot"] != facts.get("bot_id"):
            raise Stale("max_other_bot")  # a token is its bot's alone
        self._api.pace(context.token, facts["chat_id"])
        text = self.text(context.title, context.description)
        attachments = [{"type": "video", "payload": {"token": made["token"]}}]
        begin_commit()
        sent = self._api.call(
            "POST",
            "/messages",
            context.token,
            params={"chat_id": facts["chat_id"]},
            json={"text": text, "attachments": attachments, "notify": True},
        )
        message = sent.get("message")
        return posts.receipt(context, message if isinstance(message, dict) else {})

    def _find(self, context: PublishContext, made: Made) -> Receipt | NotPublished | Unknown:
        return posts.find(self._api, context, made["token"], self.text(context.title, context.description))

    def _explained(self, context: PublishContext, denied: Denied) -> PlatformError:
        """Which it is of what MAX has one answer for: the bot is gone, or its right is."""
        facts = context.account.facts
        try:
            reason = self._obstacle(context.token, facts["chat_id"])
        except PlatformError:
            reason = ""
        return Refused(reason or denied.reason, denied.detail, bot=str(facts.get("bot") or ""))

    # Counting

    @classmethod
    def counting(cls, config: Mapping[str, Any]) -> Counting:
        return Counting(
            never={
                "likes": "MAX не сообщает программам, сколько у поста реакций.",
                "shares": "MAX не сообщает программам, сколько раз пост переслали.",
            },
            unknown="MAX не показал это число: пост мог быть удалён.",
            per_call=50,  # as many as a call returns where it is not told otherwise
        )

    def stats(self, token: Token, account: Account, ids: Sequence[str]) -> Mapping[str, Stats]:
        found = self._api.messages(token, message_ids=",".join(ids))
        counts = {posts.mid(message): message.get("stat") for message in found}
        return {
            mid: Stats.of(views=stat.get("views") if isinstance(stat, dict) else None)
            for mid, stat in counts.items()
            if mid in ids
        }


def _is_taken(response: Response) -> bool:
    """XML; servers of before answered in JSON, with the token."""
    if _TAKEN.fullmatch(response.body):
        return True
    payload = response.json()
    return isinstance(payload, dict) and (payload.get("retval") == 1 or "token" in payload)


def _said(response: Response) -> str:
    payload = response.json()
    said = payload.get("error_msg") or payload.get("message") if isinstance(payload, dict) else None
    return f"ошибка {response.status}: {said}" if said else f"ошибка {response.status}, не похоже на ответ MAX"
