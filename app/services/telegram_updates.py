"""What people write to the bot and press: read by one worker at a time, each update handled once.

How far the updates are read is written in the transaction that does what an update asks for. What is said about it
comes after: a worker that ends in between leaves the buttons, and who presses again is told what has been decided.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import exists, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app import clock
from app.db import db
from app.models import RunState, TelegramChat, TelegramCode, TelegramPoll, User
from app.models.claim import claim
from app.models.types import is_due
from app.platforms.errors import PlatformError, RateLimited, Reconnect
from app.platforms.telegram.bot_chat import POLL_SECONDS, BotChat, Conflict, Update
from app.problems import NotFound, Problem
from app.services import rule_runs, telegram_chats, telegram_messages
from app.services.telegram_chats import RELEASE

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=2.5 * POLL_SECONDS)
# After these a problem is told by the doctor no more, if it has not come again.
PROBLEM_SHOWN = timedelta(minutes=10)
_PAUSES = {"conflict": timedelta(minutes=1), "token": timedelta(minutes=5), "away": timedelta(seconds=15)}
_LONGEST_PAUSE = max(*_PAUSES.values(), timedelta(hours=1))
# Telegram keeps updates for a day; after a week without any it begins with another id, which may be a lower one.
_IDS_KEPT = timedelta(days=6)

_HELLO = "Этот бот спрашивает, выпускать ли клип. Чтобы связать его с «Везде», откройте ссылку отсюда:\n{url}"
_WRONG_CODE = "Ссылка устарела или уже использована. Возьмите новую:\n{url}"
_TAKEN = "Этот чат связан с другим аккаунтом «Везде». Чтобы отвязать его, отправьте /stop, потом возьмите новую ссылку."
_LINKED = "Готово: сюда будут приходить клипы аккаунта {email}, которым нужно ваше «Выпустить». Отвязать — /stop."
_STOPPED = "Чат отвязан: больше ничего не пришлём."
_NO_CHAT = "Этот чат не связан с «Везде»."
_NOT_OURS = "Эта кнопка больше не действует."
_HINT = "Здесь решают только кнопками под клипом. Отвязать чат — /stop. Всё, что ждёт решения:\n{url}"


@dataclass(frozen=True)
class Reply:
    """`answer`: to a press; `text`: another message, or instead of the one that was pressed (`edits`)."""

    update: Update
    answer: str = ""
    text: str = ""
    edits: bool = False


# The lease


def is_wanted(now: datetime) -> bool:
    """Whether somebody could write: nobody has linked a chat, or is about to, in most installations."""
    opened = select(TelegramCode.user_id).where(TelegramCode.expires_at > now)
    return bool(db.session.scalar(select(or_(exists(select(TelegramChat.id)), exists(opened)))))


def due() -> list[int]:
    """A number where a worker should read now."""
    now = clock.now()
    if not telegram_chats.bot_name() or not is_wanted(now):
        return []
    busy = select(TelegramPoll.id).where(~is_due(TelegramPoll.wake_at, now, _LONGEST_PAUSE))
    return [] if db.session.scalar(busy.limit(1)) else [0]


def claim_poll(bot_id: int) -> TelegramPoll | None:
    """None where another worker reads, or a pause is not over."""
    dialect = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    new = {"id": bot_id, "next_update_id": 0, "wake_at": clock.now(), "tries": 0}
    db.session.execute(dialect.insert(TelegramPoll.__table__).values(new).on_conflict_do_nothing())
    now = clock.now()
    is_free = is_due(TelegramPoll.wake_at, now, _LONGEST_PAUSE)
    return claim(TelegramPoll, bot_id, is_free, lease=LEASE, tries=TelegramPoll.tries + 1)


def _write(poll: TelegramPoll, **values: object) -> bool:
    """False where the lease was over and another worker has it."""
    mine = TelegramPoll.id == poll.id, TelegramPoll.tries == poll.tries
    changed = update(TelegramPoll).where(*mine).values(**values)
    return db.session.execute(changed.execution_options(synchronize_session=False)).rowcount == 1


def renew(poll: TelegramPoll) -> bool:
    return _write(poll, wake_at=clock.now() + LEASE, problem=None)


def release(poll: TelegramPoll, error: PlatformError | None = None) -> None:
    """The next worker may go on: at once, or after a pause where Telegram would not let this one read."""
    now = clock.now()
    if error is None:
        _write(poll, wake_at=now)
        return
    problem = "conflict" if isinstance(error, Conflict) else "token" if isinstance(error, Reconnect) else "away"
    log.warning("the bot's updates cannot be read", problem=problem, error=str(error))
    wake_at = max(now + _PAUSES[problem], error.until if isinstance(error, RateLimited) else now)
    _write(poll, wake_at=wake_at, problem=problem, problem_at=now)


def problem() -> str | None:
    """What keeps the bot from reading: `conflict`, `token`, `away`."""
    recent = TelegramPoll.problem.is_not(None), TelegramPoll.problem_at > clock.now() - PROBLEM_SHOWN
    return db.session.scalar(select(TelegramPoll.problem).where(*recent).order_by(TelegramPoll.problem_at.desc()))


def offset(poll: TelegramPoll) -> int:
    is_recent = poll.updated_at is not None and poll.updated_at > clock.now() - _IDS_KEPT
    return poll.next_update_id if is_recent else 0


# One update


def handle(poll: TelegramPoll, one: Update) -> Reply | None:
    """Does what it asks for, and moves on. None where the lease was over: whoever has it does all of it."""
    now = clock.now()
    moved = {"next_update_id": one.id + 1, "updated_at": now}
    if not _write(poll, wake_at=now + LEASE, problem=None, **moved):
        return None
    poll.next_update_id, poll.updated_at = one.id + 1, now
    if one.press is not None:
        return _pressed(one)
    return _written(one) if one.text is not None else Reply(one)


def _written(one: Update) -> Reply:
    chat = _chat(one)
    if chat is not None:
        chat.blocked_at = None
    command, _, code = one.text.strip().partition(" ")
    url = telegram_messages.approvals_url()
    if command == "/stop":
        if chat is not None:
            telegram_chats.unlink(db.session.get(User, chat.user_id))
        return Reply(one, text=_STOPPED if chat else _NO_CHAT)
    if command == "/start" and code:
        linked = telegram_chats.link(code.strip(), one.chat_id, one.name)
        if linked.is_taken:
            return Reply(one, text=_TAKEN)
        if linked.user is None:
            return Reply(one, text=_WRONG_CODE.format(url=url))
        return Reply(one, text=_LINKED.format(email=linked.user.email))
    return Reply(one, text=(_HINT if chat else _HELLO).format(url=url))


def _chat(one: Update) -> TelegramChat | None:
    return db.session.scalar(select(TelegramChat).where(TelegramChat.chat_id == one.chat_id))


def _pressed(one: Update) -> Reply:
    chat = _chat(one)
    meant = telegram_chats.read_button(chat, one.press) if chat else None
    if meant is None:
        log.warning("a button that is not ours", refusal="button")
        return Reply(one, _NOT_OURS)
    verb, run_id = meant
    user = db.session.get(User, chat.user_id)
    try:
        with db.session.begin_nested():
            (rule_runs.release if verb == RELEASE else rule_runs.reject)(user, run_id)
        said = ""
    except NotFound:
        return Reply(one, "Этого клипа больше нет.", text="Этого клипа или правила больше нет.", edits=True)
    except Problem as refusal:
        said = "Об этом клипе уже решили. "
        if refusal.code != "run_settled":
            return Reply(one, refusal.text)
    run = rule_runs.get(user, run_id)
    if run.state == RunState.HELD:
        return Reply(one, telegram_messages.outcome(user, run))
    answer = said + telegram_messages.outcome(user, run)
    return Reply(one, answer, text=telegram_messages.settled_text(user, run), edits=True)


def say(bot: BotChat, reply: Reply) -> None:
    """Each by itself: a press that is too old to be answered still changes its message."""
    one = reply.update
    calls: list[Callable[[], object]] = []
    if reply.answer:
        calls.append(lambda: bot.answer(one.press_id, reply.answer))
    if reply.text and reply.edits:
        calls.append(lambda: bot.edit(one.chat_id, one.message_id, reply.text))
    elif reply.text:
        calls.append(lambda: bot.send(one.chat_id, reply.text))
    for call in calls:
        try:
            call()
        except PlatformError as error:
            log.info("the bot could not answer", error=str(error))
