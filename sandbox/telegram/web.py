"""t.me: a post's page with a player, a channel's page, the widget that shows a post's views, a bot's deep
link, and a person's chat with a bot, which in Telegram only the app shows.
"""

from collections.abc import Callable

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.wrappers import Response

from sandbox.state import Token, Video
from sandbox.telegram.chats import Chat, Chats
from sandbox.telegram.dialogs import PERSON, Dialogs

POSTS_IN_CHANNEL = 20
"""Posts on a channel's page."""


class Web:
    def __init__(self, chats: Chats, dialogs: Dialogs, find_bot: Callable[[str], Token | None]) -> None:
        self._chats = chats
        self._dialogs = dialogs
        self._find_bot = find_bot

    def add_routes(self, blueprint: Blueprint) -> None:
        for path, view in {
            "<name>": self._channel,
            "<name>/<int:message_id>": self._message,
            "c/<int:number>": self._private_channel,
            "c/<int:number>/<int:message_id>": self._private_message,
        }.items():
            blueprint.add_url_rule(f"/telegram-web/{path}", view_func=view)
        blueprint.add_url_rule("/telegram-web/<name>", view_func=self._make_administrator, methods=["POST"])
        blueprint.add_url_rule("/telegram-web/<name>/chat", view_func=self._act_in_chat, methods=["POST"])

    def _channel(self, name: str) -> str:
        if "startchannel" in request.args:
            return self._show_bot(name)
        if (bot := self._find_bot(name)) is not None:
            return self._show_chat(bot)
        return self._show_channel(self._chats.find_by_username(name))

    def _show_bot(self, name: str) -> str:
        """In Telegram an app opens here: it asks for the channel, and for the rights that the link names."""
        bot = self._find_bot(name)
        if bot is None:
            abort(404)
        return render_template("telegram/bot.html", bot=bot, channels=self._chats.channels())

    def _make_administrator(self, name: str) -> str:
        bot, chat = self._find_bot(name), self._chats.find(request.form.get("chat", ""))
        if bot is None or chat is None:
            abort(404)
        posts = "post_messages" in request.args.get("admin", "").split()  # its pluses are spaces
        chat.rights[bot.account] = {"status": "administrator", "can_post_messages": posts}
        self._chats.save(chat)
        return self._show_bot(name)

    def _show_chat(self, bot: Token) -> str:
        with self._dialogs.lock:
            return render_template(
                "telegram/chat.html",
                bot=bot,
                dialog=self._dialogs.find(bot, PERSON),
                messages=self._dialogs.messages(bot, PERSON),
                query=self._dialogs.last_query(bot),
                start=request.args.get("start"),
            )

    def _act_in_chat(self, name: str) -> Response:
        """`text`; `message` and `data` of a button; or `block`: 1 or 0."""
        bot = self._find_bot(name)
        if bot is None:
            abort(404)
        with self._dialogs.lock:
            if "block" in request.form:
                self._dialogs.block(bot, request.form["block"] == "1")
            elif "data" in request.form:
                message = self._dialogs.message(bot, PERSON, request.form.get("message", 0, int))
                if message is None:
                    abort(404)
                self._dialogs.press(bot, message, request.form["data"])
            elif text := request.form.get("text", "").strip():
                self._dialogs.write(bot, text)
        return redirect(f"/telegram-web/{bot.facts['username']}", 303)

    def _private_channel(self, number: int) -> str:
        return self._show_channel(self._chats.find_private(number))

    def _message(self, name: str, message_id: int) -> str:
        chat = self._chats.find_by_username(name)
        video = self._chats.post(chat, str(message_id)) if chat else None
        if "embed" not in request.args:
            return _show_message(video)
        # t.me returns 200 for an unknown post: the widget shows the error.
        return render_template("telegram/embed.html", chat=chat, name=name, video=video, rounded=rounded)

    def _private_message(self, number: int, message_id: int) -> str:
        """Only in the sandbox: t.me shows it to members only, without a widget."""
        chat = self._chats.find_private(number)
        if chat is None or "embed" in request.args:
            abort(404)
        return _show_message(self._chats.post(chat, str(message_id)))

    def _show_channel(self, chat: Chat | None) -> str:
        if chat is None:
            abort(404)
        newest = self._chats.posts(chat)[-POSTS_IN_CHANNEL:][::-1]
        return render_template("telegram/channel.html", chat=chat, posts=newest)


def _show_message(video: Video | None) -> str:
    if video is None:
        abort(404)
    return render_template("watch.html", video=video)


def rounded(count: int) -> str:
    """Returns a count in t.me's format: 999, 1.2K, 3M."""
    for size, letter in ((1_000_000, "M"), (1_000, "K")):
        if count >= size:
            return f"{count // (size // 10) / 10:.1f}".removesuffix(".0") + letter
    return str(count)
