"""That a clip waits for «Выпустить», told in its user's chat: a consumer of the events, a row for each run and chat."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from flask import current_app
from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from app import clock, queue
from app.db import after_commit, db
from app.models import Event, RuleRun, RunState, TelegramChat, TelegramMessage, User
from app.models.claim import claim
from app.models.event import consume
from app.models.types import is_due
from app.platforms.errors import PlatformError, RateLimited
from app.platforms.telegram.bot_chat import Blocked, Button, shortened
from app.problems import NotFound
from app.services import rule_runs, telegram_chats
from app.services.telegram_chats import REJECT, RELEASE
from app.texts import moments

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=1)
MAX_TRIES = 8
_PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600))
_LONGEST_PAUSE = max(*_PAUSES, LEASE)
_MAX_DUE = 100
_MOST_TEXT = 3000

_OUTCOMES = {
    RunState.REJECTED: "Не выйдет: так решили вы.",
    RunState.SKIPPED: "Клип уже опубликован на этих аккаунтах.",
}


def read_events() -> None:
    if telegram_chats.bot_name():
        consume("telegram_buttons", _add, from_end=True)


def _add(events: Sequence[Event]) -> None:
    held = [one for one in events if one.kind == "clip.held" and one.data.get("reason") == "needs_approval"]
    if not held:
        return
    of_users = TelegramChat.user_id.in_({one.user_id for one in held}), TelegramChat.blocked_at.is_(None)
    chats = dict(db.session.execute(select(TelegramChat.user_id, TelegramChat.id).where(*of_users)).all())
    runs = {one.data["run"]: chats[one.user_id] for one in held if one.user_id in chats}
    there = db.session.scalars(select(RuleRun.id).where(RuleRun.id.in_(runs)))
    rows = [{"run_id": one, "telegram_chat_id": runs[one], "wake_at": clock.now()} for one in there]
    if not rows:
        return
    dialect = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    add = dialect.insert(TelegramMessage.__table__).on_conflict_do_nothing().returning(TelegramMessage.id)
    if ids := db.session.connection().execute(add, rows).scalars().all():
        after_commit(partial(queue.enqueue, "app.jobs.send_to_chat", *ids))


def due() -> list[int]:
    if not telegram_chats.bot_name():
        return []
    ids = select(TelegramMessage.id).where(_is_due()).order_by(TelegramMessage.wake_at).limit(_MAX_DUE)
    return list(db.session.scalars(ids))


def _is_due():
    return is_due(TelegramMessage.wake_at, clock.now(), _LONGEST_PAUSE)


@dataclass(frozen=True)
class Claimed:
    row: TelegramMessage
    chat_id: int
    text: str
    buttons: Sequence[Button]


def claim_due(row_id: int) -> Claimed | None:
    """None where it is not due, or is decided already: then it is never sent."""
    row = claim(TelegramMessage, row_id, _is_due(), lease=LEASE, tries=TelegramMessage.tries + 1)
    if row is None:
        return None
    chat = db.session.get(TelegramChat, row.telegram_chat_id)
    user = chat and db.session.get(User, chat.user_id)
    try:
        run = rule_runs.get(user, row.run_id) if user else None
    except NotFound:
        run = None
    if run is None or run.state != RunState.HELD or chat.blocked_at:
        _settle(row, wake_at=None)
        return None
    words = (("Выпустить", RELEASE), ("Не выпускать", REJECT))
    buttons = [Button(word, telegram_chats.button_data(chat, run.id, verb)) for word, verb in words]
    return Claimed(row, chat.chat_id, text_of(user, run), buttons)


def send(claimed: Claimed) -> int | PlatformError:
    """The message's id, or why it was not sent."""
    try:
        return telegram_chats.bot().send(claimed.chat_id, claimed.text, claimed.buttons)
    except PlatformError as error:
        return error


def settle(claimed: Claimed, sent: int | PlatformError) -> None:
    now, row = clock.now(), claimed.row
    if isinstance(sent, int):
        _settle(row, wake_at=None, sent_at=now, message_id=sent)
    elif isinstance(sent, Blocked):
        _settle(row, wake_at=None)
        block(claimed.chat_id)
    elif row.tries >= MAX_TRIES:
        log.warning("a message was not sent", message=row.id, error=str(sent))
        _settle(row, wake_at=None)
    else:
        pause = now + _PAUSES[min(row.tries, len(_PAUSES)) - 1]
        _settle(row, wake_at=max(pause, sent.until) if isinstance(sent, RateLimited) else pause)


def _settle(row: TelegramMessage, *, wake_at: datetime | None, **values: object) -> None:
    mine = TelegramMessage.id == row.id, TelegramMessage.tries == row.tries
    changed = update(TelegramMessage).where(*mine).values(wake_at=wake_at, **values)
    db.session.execute(changed.execution_options(synchronize_session=False))


def block(chat_id: int) -> None:
    """Its person has stopped the bot: the page says so."""
    chat = update(TelegramChat).where(TelegramChat.chat_id == chat_id, TelegramChat.blocked_at.is_(None))
    db.session.execute(chat.values(blocked_at=clock.now()).execution_options(synchronize_session=False))


# Texts


def text_of(user: User, run: RuleRun) -> str:
    """What waits, where to and when, as the rule is now."""
    plan = rule_runs.plans_of(user, [run]).get(run.id)
    lines = [_head(run), "Ждёт вашего слова."]
    if plan is not None and plan.fitting:
        labels = ", ".join(draft.destination.label for draft in plan.drafts if not draft.problems)
        lines += [f"Куда: {labels}", f"Когда: {_moment(plan.time.due_at, user)}"]
    elif plan is not None:
        lines += ["Пока выпускать некуда.", *(obstacle.text for obstacle in plan.obstacles)]
    return f"{shortened(chr(10).join(lines), _MOST_TEXT)}\n\n{approvals_url()}"


def settled_text(user: User, run: RuleRun) -> str:
    """What stands in the chat instead of the buttons."""
    return shortened(f"{_head(run)}\n{outcome(user, run)}", _MOST_TEXT)


def outcome(user: User, run: RuleRun) -> str:
    """Of a run that is decided, wherever it was."""
    if run.state in (RunState.RELEASED, RunState.PUBLISHED):
        later = run.due_at is not None and run.due_at > clock.now()
        said = f"Выпущен: выйдет {moments.dated(run.due_at, user.timezone)}." if later else "Выпущен."
        left = [obstacle.text for obstacle in rule_runs.obstacles_of(run)]
        return " ".join([said, *(["Вышел не всюду."] if left else []), *left])
    return _OUTCOMES.get(run.state, "Ещё ждёт решения.")


def _head(run: RuleRun) -> str:
    return f"«{run.clip_title}»\nПравило «{run.rule_name}»"


def _moment(due_at: datetime | None, user: User) -> str:
    return moments.dated(due_at, user.timezone) if due_at else "сразу"


def approvals_url() -> str:
    return f"{current_app.config['PUBLIC_URL']}/settings/rules/approvals"
