"""Telegram, by the Bot API: https://core.telegram.org/bots/api

`sendVideo` is one call, and what it sent cannot be found afterwards: it is the commit, begun just before the block that
completes the request.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from app.config import Setting, number, optional_web_address, web_address
from app.platforms.base import (
    Account,
    Adapter,
    ClipFile,
    Counting,
    FormField,
    GuideStep,
    Limits,
    PublishContext,
    Receipt,
    Stats,
    Token,
)
from app.platforms.errors import AccountMoved, Reconnect, Refused, Unavailable
from app.platforms.http.body import Multipart
from app.platforms.http.client import Window
from app.platforms.http.response import Response
from app.platforms.http.timeouts import LONG_RESPONSE_SECONDS
from app.platforms.options import Checkbox
from app.platforms.telegram import bot_api, widget

# https://core.telegram.org/bots/api#sendvideo
CAPTION_CHARACTERS = 1024
# https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
PER_CHAT = (1, 1.0)
PER_BOT = (30, 1.0)
# Pages of t.me for the whole installation; undocumented, this is what keeps out of trouble.
PER_SITE = (5, 1.0)

# https://core.telegram.org/api/links#channel-links: what a bot asks for where it is added as an administrator
BOT_RIGHTS = "post_messages+edit_messages"
# https://core.telegram.org/bots/api#sendvideo
_OPTION_FIELDS = {"silent": "disable_notification", "protected": "protect_content"}
_TOKEN = re.compile(r"\d{1,20}:[A-Za-z0-9_-]{10,100}")
_BOT_NAME = re.compile(r"[A-Za-z0-9_]{5,32}")
_CHANNEL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{3,31}")
_CHANNEL_ID = re.compile(r"-100\d{5,13}")


class CoverRefused(Refused):
    """Nothing was sent, maybe because of the cover."""


def _bot_name(text: str) -> str:
    name = text.strip().removeprefix("@")
    if name and not _BOT_NAME.fullmatch(name):
        raise ValueError("нужно имя бота: латинские буквы, цифры и _, например vezde_bot")
    return name


def _bot_token(text: str) -> str:
    if text.strip() and not _TOKEN.fullmatch(text.strip()):
        raise ValueError("нужен токен бота из сообщения @BotFather: цифры, двоеточие, буквы")
    return text.strip()


class Telegram(Adapter):
    key = "telegram"
    name = "Telegram"
    other_names = ("телеграм", "телеграмм", "тг", "tg")
    options = (
        Checkbox(name="silent", label="Без звука", bulk_default=True, remembered=True),
        Checkbox(name="protected", label="Запретить пересылку и сохранение", remembered=True),
    )
    settings = (
        Setting(
            "TELEGRAM_API_URL",
            "https://api.telegram.org",
            "Bot API: облачный или свой сервер",
            web_address,
            demo="{sandbox}/telegram",
        ),
        Setting(
            "TELEGRAM_WEB_URL",
            "https://t.me",
            "Где открываются ссылки на каналы",
            web_address,
            demo="{sandbox}/telegram-web",
        ),
        Setting(
            "TELEGRAM_MAX_MB",
            "50",
            "Наибольший файл, МБ: 50 в облаке, 2000 у своего Bot API",
            number(1, 2000),
            demo="2000",
        ),
        Setting("TELEGRAM_PROXY_URL", "", "Прокси для Telegram, если прямой путь закрыт", optional_web_address),
        Setting(
            "NOTIFY_BOT_NAME",
            "",
            "Имя бота, кнопкой которого решают о клипах; пусто — без него",
            _bot_name,
            demo="vezde_notify_bot",
        ),
        Setting("NOTIFY_BOT_TOKEN", "", "Его токен; только у работников (worker)", _bot_token, secret=True),
        Setting("NOTIFY_BOT_TOKEN_FILE", "", "Или файл с ним: его читают только работники"),
    )
    form = (
        FormField(
            "bot_token",
            "Токен бота",
            "Из сообщения @BotFather, целиком: цифры, двоеточие, буквы.",
            secret=True,
            placeholder="110201543:AAHdqTcvCH1vGWJxfSe1…",
        ),
        FormField(
            "channel",
            "Канал",
            "Имя или ссылка: @kanal, https://t.me/kanal. У закрытого канала — номер вида -100…",
            placeholder="@kanal",
        ),
    )
    reasons = {
        "telegram_token_form": (
            "Это не похоже на токен бота",
            "Скопируйте его из сообщения @BotFather целиком: цифры, двоеточие, буквы.",
        ),
        "telegram_token": (
            "Telegram не принял токен бота",
            "Проверьте, что он скопирован целиком и не отозван: @BotFather, команда /token.",
        ),
        "telegram_channel_form": (
            "Не понять, какой это канал",
            "Введите @имя, ссылку https://t.me/имя или номер вида -1001234567890.",
        ),
        "telegram_channel": (
            "Telegram не нашёл такой канал",
            "Проверьте имя. Если канал закрытый, сначала добавьте в него бота и введите номер вида -100….",
        ),
        "telegram_not_channel": ("Это не канал", "Введите имя канала, а не человека, бота или группы."),
        "telegram_rights": (
            "Бот не может публиковать в этом канале",
            "Добавьте бота {bot} администратором канала с правом публикации.",
        ),
        "telegram_chat_gone": (
            "Telegram не находит канал",
            "Проверьте, что канал не удалён и бот в нём остался, и подключите его заново.",
        ),
        "telegram_caption": (
            "Текст длиннее, чем принимает Telegram",
            f"Сократите его до {CAPTION_CHARACTERS} знаков и повторите.",
        ),
        "telegram_cover": ("Telegram не принял обложку", "Пост опубликован без неё. Для следующего выберите другую."),
    }

    steps = {"send": "отправка в канал", "without_cover": "ещё раз, без обложки"}

    @classmethod
    def guide(cls, config: Mapping[str, Any], known: Mapping[str, Any]) -> Sequence[GuideStep]:
        web, bot = config["TELEGRAM_WEB_URL"], str(known.get("bot", "")).removeprefix("@")
        admin = GuideStep(
            "Откройте канал в Telegram → «Администраторы» → «Добавить администратора», найдите бота и разрешите ему "
            "публиковать сообщения."
        )
        if _BOT_NAME.fullmatch(bot):
            link = f"{web}/{bot}?startchannel&admin={BOT_RIGHTS}"
            admin = GuideStep("Сделайте бота администратором канала с правом публикации.", (f"Добавить @{bot}", link))
        return (
            GuideStep(
                "Напишите @BotFather команду /newbot и придумайте боту имя. Есть бот — команду /token.",
                ("Открыть @BotFather", "https://t.me/BotFather"),
            ),
            GuideStep("Скопируйте токен из его ответа."),
            admin,
            GuideStep("Вставьте токен и имя канала сюда."),
        )

    @classmethod
    def limits(cls, config: Mapping[str, Any]) -> Limits:
        return Limits(
            max_bytes=config["TELEGRAM_MAX_MB"] * 1_000_000,
            max_text=CAPTION_CHARACTERS,
            playable_containers=frozenset({"mp4"}),
            streams=True,
            silent_audio=True,  # without it: an animation (GIF)
        )

    # Connecting

    def connect(self, fields: Mapping[str, str]) -> tuple[list[Account], Token]:
        """The channel and the bot's token, once it is known that the bot may post there."""
        token, chat = fields["bot_token"].strip(), _chat_id(fields["channel"])
        if not _TOKEN.fullmatch(token):
            raise Refused("telegram_token_form", field="bot_token")
        bot = self._ask("getMe", token)
        name = f"@{bot['username']}"
        try:
            channel = self._ask("getChat", token, chat_id=chat)
        except Refused as refusal:
            raise Refused("telegram_channel", refusal.detail, bot=name, field="channel") from None
        if channel.get("type") != "channel":
            raise Refused("telegram_not_channel", bot=name, field="channel")
        self._require_right_to_post(token, channel["id"], bot)
        account = Account(
            id=str(channel["id"]),
            name=channel.get("title") or channel.get("username") or str(channel["id"]),
            url=self._chat_url(channel["id"], channel.get("username")),
            facts={"chat_id": channel["id"], "username": channel.get("username"), "bot": name},
        )
        return [account], Token(access=token)

    def _require_right_to_post(self, token: str, chat_id: int, bot: Mapping[str, Any]) -> None:
        """getChat works for any public channel; only the bot's own membership shows whether it may post."""
        refusal = Refused("telegram_rights", bot=f"@{bot['username']}", field="channel")
        try:
            member = self._ask("getChatMember", token, chat_id=chat_id, user_id=bot["id"])
        except Refused:
            raise refusal from None
        may_post = member.get("status") == "creator" or (
            member.get("status") == "administrator" and member.get("can_post_messages") is True
        )
        if not may_post:
            raise refusal

    # Publishing

    def publish(self, context: PublishContext) -> Receipt:
        if context.answer("without_cover") is None:
            try:
                return context.commit("send", self._send_video, context, _pictures(context.clip), last=True)
            except CoverRefused:
                context.step("without_cover", lambda: True)
        return context.commit("send", self._send_video, context, {}, last=True)

    def _send_video(
        self, context: PublishContext, pictures: Mapping[str, bytes], *, begin_commit: Callable[..., None]
    ) -> Receipt:
        chat_id = context.account.facts["chat_id"]
        self.http.pace(
            Window(f"telegram:bot:{context.token.access}", *PER_BOT), Window(f"telegram:chat:{chat_id}", *PER_CHAT)
        )
        clip = context.clip
        fields = {
            "chat_id": str(chat_id),
            "caption": self.text(context.title, context.description),
            "supports_streaming": "true",
            "width": str(clip.width),
            "height": str(clip.height),
            "duration": str(round(clip.duration)),
        }
        fields |= {field: "true" for name, field in _OPTION_FIELDS.items() if context.options[name]}
        hooks = {"on_block": context.progress, "before_last": lambda: begin_commit(LONG_RESPONSE_SECONDS)}
        with clip.open() as file:
            name = f"clip{clip.extension}"
            body = Multipart(fields, "video", name, clip.content_type, file, clip.size, pictures=pictures, **hooks)
            request = {"data": body, "headers": body.headers, "response_seconds": LONG_RESPONSE_SECONDS}
            response = self._call("sendVideo", context.token.access, **request)
        try:
            message = bot_api.result(response, context.account.facts.get("bot", ""))
        except Refused as refusal:
            if pictures and response.status != 413 and refusal.reason in ("refused", "too_large"):
                raise CoverRefused(refusal.reason, refusal.detail) from None
            raise
        message_id = message.get("message_id") if isinstance(message, dict) else None
        if not isinstance(message_id, int):
            raise Unavailable("в ответе Telegram нет номера сообщения")
        username = (message.get("chat") or {}).get("username")
        url = f"{self._chat_url(chat_id, username)}/{message_id}"
        remark = None if pictures or context.answer("without_cover") is None else "telegram_cover"
        return Receipt(id=str(message_id), url=url, remark=remark)

    # Counting

    @classmethod
    def counting(cls, config: Mapping[str, Any]) -> Counting:
        return Counting(
            never={"shares": "Telegram не показывает, сколько раз пост переслали."},
            unknown="Telegram не показал это число: просмотры и реакции видны только у открытых каналов.",
            note="Telegram округляет большие числа.",
        )

    def stats(self, token: Token, account: Account, ids: Sequence[str]) -> Mapping[str, Stats]:
        """From the widget that t.me has for every post of a public channel; a private one has none.

        A name may have passed to another channel: only the one that the channel's id has now is read.
        """
        username = self._username(token, account)
        if not username:
            return {message_id: Stats() for message_id in ids}
        found: dict[str, Stats] = {}
        for message_id in ids:
            self.http.pace(Window("telegram:web", *PER_SITE))
            response = self.http.request(
                "GET",
                f"{self.config['TELEGRAM_WEB_URL']}/{username}/{message_id}",
                params={"embed": "1"},
                max_bytes=widget.MAX_BYTES,
                proxy=self.config["TELEGRAM_PROXY_URL"],
            )
            response.raise_if_limited(bot_api.PAUSE)
            if response.status != 200:
                raise Unavailable(f"ошибка {response.status} от t.me")
            counts = widget.read(response.body.decode("utf-8", "replace"), f"{username}/{message_id}")
            if counts is not None:
                found[message_id] = counts
        return found

    def _username(self, token: Token, account: Account) -> str | None:
        """The channel's present name, None for a private one. Raises AccountMoved where it has changed, or the id."""
        chat_id, known = account.facts["chat_id"], account.facts.get("username")
        if not known:
            return None
        self.http.pace(Window(f"telegram:bot:{token.access}", *PER_BOT))
        chat = bot_api.result(self._call("getChat", token.access, data={"chat_id": chat_id}))
        if not isinstance(chat, dict) or chat.get("id") != chat_id:
            raise Unavailable("в ответе Telegram нет этого канала")
        username = chat.get("username")
        url = self._chat_url(chat_id, username)
        if account.url != url or (username and username != known):
            raise AccountMoved({"username": username or known}, url)
        return username

    # The wire

    def _call(self, method: str, token: str, **kwargs: Any) -> Response:
        url = f"{self.config['TELEGRAM_API_URL']}/bot{token}/{method}"
        return self.http.request("POST", url, proxy=self.config["TELEGRAM_PROXY_URL"], **kwargs)

    def _ask(self, method: str, token: str, **params: Any) -> Mapping[str, Any]:
        response = self._call(method, token, data=params)
        try:
            return bot_api.result(response)
        except Reconnect as error:
            raise Refused("telegram_token", error.detail, field="bot_token") from None

    def _chat_url(self, chat_id: int, username: str | None) -> str:
        place = username or f"c/{str(chat_id).removeprefix('-100')}"
        return f"{self.config['TELEGRAM_WEB_URL']}/{place}"


def _pictures(clip: ClipFile) -> dict[str, bytes]:
    """They have to come before the video."""
    return {name: jpeg for name, jpeg in (("thumbnail", clip.thumbnail()), ("cover", clip.poster())) if jpeg}


def _chat_id(text: str) -> str:
    """The Bot API's `chat_id` for what users type: @name, name, a link or a number."""
    text = text.strip()
    if "/" in text:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        text = parts.path.strip("/").removeprefix("s/").split("/")[0]
    if _CHANNEL_ID.fullmatch(text):
        return text
    name = text.removeprefix("@")
    if not _CHANNEL_NAME.fullmatch(name):
        raise Refused("telegram_channel_form", field="channel")
    return f"@{name}"
