"""What workers run, by `app.queue.table`. A job takes an id and calls one service; it may come twice."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog

from app import queue
from app.db import reading, transaction
from app.jobs.turns import GO_ON_SECONDS, take_turns, wake
from app.notifications import email
from app.platform_access import revocations, tokens
from app.platforms.errors import PlatformError
from app.problems import NotFound, Problem
from app.process.lifetime import kill_self_at
from app.publishing import dispatch, engine
from app.queue.table import BULK, INBOX, PUBLISH
from app.services import (
    clip_probes,
    erasures,
    import_worker,
    questions,
    recovery,
    retention,
    rule_checks,
    rule_runs,
    telegram_chats,
    telegram_messages,
    telegram_updates,
    undo,
    uploads,
    webhook_deliveries,
)
from app.statistics import collector
from app.storage.inbox import inbox

_NO_ROW = 0


def _logged(row: str, run: Callable[[int], object]) -> Callable[[int], None]:
    """`run`, with the row's id in each line of the log."""

    def job(row_id: int) -> None:
        with structlog.contextvars.bound_contextvars(**{row: row_id}):
            run(row_id)

    return job


_publish = _logged("publication", lambda publication_id: engine.advance(publication_id, kill_self_at))
refresh_token = _logged("connection", tokens.refresh_due)
revoke_token = _logged("revocation", revocations.revoke)
mail_notification = _logged("notification", email.send)
read_stats = _logged("connection", collector.read)


# What a platform is to be asked about again so soon is not left to the tick, if nothing else waits meanwhile.
_SOON_SECONDS = 1.2
_LOOK_SECONDS = 0.1


def publish(publication_id: int) -> None:
    began = time.monotonic()
    _publish(publication_id)
    while time.monotonic() - began < GO_ON_SECONDS:
        if another := queue.next_publication() or _due_soon(publication_id):
            _publish(another)
        else:
            return


def _due_soon(publication_id: int) -> int | None:
    """Waits for the publication if it is due soon, or for another that comes first. None where there is neither."""
    seconds = dispatch.seconds_until_due(publication_id)
    if seconds is None or seconds > _SOON_SECONDS:
        return None
    due = time.monotonic() + seconds
    while (left := due - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK_SECONDS))
        if another := queue.next_publication():
            return another
    return publication_id


def probe(_clip_id: int) -> None:
    """Any wake-up serves any clip: the rows decide which is next."""
    take_turns(probe_next, "app.jobs.probe", clip_probes.due)


def probe_next() -> bool:
    """False where no clip may be probed now."""
    with reading():
        turn = clip_probes.next_turn()
    if turn is None:
        return False
    with transaction():
        clip = clip_probes.claim_turn(*turn)
    if clip is not None:
        found = clip_probes.inspect(clip)
        with transaction():
            clip_probes.settle(clip, found)
    return True


def remove_old(clip_id: int) -> None:
    # Its user has deleted or published it meanwhile.
    with structlog.contextvars.bound_contextvars(clip=clip_id), suppress(NotFound, Problem), transaction():
        retention.remove(clip_id)


def ask_platform(question_id: int) -> None:
    with structlog.contextvars.bound_contextvars(question=question_id):
        with transaction():
            question = questions.claim_question(question_id)
        if question is None:
            return
        values = questions.put(question)
        with transaction():
            questions.settle(question, values)


def apply_rules(check_id: int) -> None:
    with structlog.contextvars.bound_contextvars(check=check_id):
        with transaction():
            check = rule_checks.claim_due(check_id)
        if check is not None:
            with transaction():
                rule_runs.apply(check)


def send_to_chat(message_id: int) -> None:
    with structlog.contextvars.bound_contextvars(message=message_id):
        with transaction():
            claimed = telegram_messages.claim_due(message_id)
        if claimed is not None:
            sent = telegram_messages.send(claimed)
            with transaction():
                telegram_messages.settle(claimed, sent)


_POLL_FOR_SECONDS = 60.0


def poll_bot(_number: int) -> None:
    """Reads what people write to the bot and press, for a while; one worker at a time."""
    until, bot = time.monotonic() + _POLL_FOR_SECONDS, telegram_chats.bot()
    with transaction():
        poll = telegram_updates.claim_poll(bot.bot_id)
    while poll is not None:
        try:
            updates = bot.updates(telegram_updates.offset(poll))
        except PlatformError as error:
            with transaction():
                telegram_updates.release(poll, error)
            return
        for update in updates:
            with transaction():
                reply = telegram_updates.handle(poll, update)
            if reply is None:
                return
            telegram_updates.say(bot, reply)
        is_over = time.monotonic() >= until
        with transaction():
            if is_over:
                telegram_updates.release(poll)
            is_over = is_over or not telegram_updates.renew(poll)
        if is_over:
            return


def mail_recovery(recovery_id: int) -> None:
    with structlog.contextvars.bound_contextvars(recovery=recovery_id):
        with transaction():
            letter = recovery.claim_letter(recovery_id)
        if letter is None:
            return
        mark_sent = transaction()(partial(recovery.mark_sent, letter))
        with suppress(recovery.SentMeanwhile):
            error = recovery.send(letter, mark_sent)
            with transaction():
                recovery.settle(letter, error)


def erase_file(erasure_id: int) -> None:
    with structlog.contextvars.bound_contextvars(erasure=erasure_id):
        with transaction():
            erasure = erasures.claim_due(erasure_id)
        if erasure is not None:
            erasures.carry_out([erasure.key])


# Periodic tasks: only SQL and wake-ups


def release_publications() -> None:
    if waiting := queue.waiting(PUBLISH, BULK):
        dispatch.release_due(queue.enqueue_publications, waiting.count, waiting.ids, waiting.redis_epoch)


def release_stats() -> None:
    collector.release_due(lambda ids: queue.enqueue("app.jobs.read_stats", *ids))


wake_probes = partial(wake, "app.jobs.probe", clip_probes.due)
wake_imports = partial(wake, "app.jobs.arrivals.import_clip", import_worker.due)
wake_notification_mails = partial(wake, "app.jobs.mail_notification", email.due)
wake_recovery_mails = partial(wake, "app.jobs.mail_recovery", recovery.due_mails)
wake_refreshes = partial(wake, "app.jobs.refresh_token", tokens.due_refreshes)
wake_revocations = partial(wake, "app.jobs.revoke_token", revocations.due)
wake_rules = partial(wake, "app.jobs.apply_rules", rule_checks.due)
wake_messages = partial(wake, "app.jobs.send_to_chat", telegram_messages.due)
wake_questions = partial(wake, "app.jobs.ask_platform", questions.due)
wake_removals = partial(wake, "app.jobs.remove_old", retention.due)
wake_erasures = partial(wake, "app.jobs.erase_file", erasures.due)


def wake_webhooks() -> None:
    if queue.is_waiting("app.jobs.deliveries.deliver_webhooks"):
        return
    with reading():
        turn = webhook_deliveries.next_turn()
    if turn is not None:
        queue.enqueue("app.jobs.deliveries.deliver_webhooks", turn.webhook_id)


def wake_inbox() -> None:
    waiting = inbox() and queue.waiting(INBOX)
    if waiting and not waiting.count:
        queue.enqueue("app.jobs.arrivals.read_inbox", _NO_ROW)


def wake_bot() -> None:
    if not queue.is_waiting("app.jobs.poll_bot"):
        wake("app.jobs.poll_bot", telegram_updates.due)


def finish_undos() -> None:
    """Each clip in a transaction of its own: a user may delete many at once. What cannot be finished comes again."""
    with reading():
        ids = undo.due()
    for undo_id in ids:
        with transaction():
            clip_ids = undo.begin_to_finish(undo_id)
        with suppress(Problem):
            for clip_id in clip_ids:
                with transaction():
                    undo.remove_clip(clip_id)
            with transaction():
                undo.end(undo_id)


def sweep_uploads() -> None:
    """Each in a transaction of its own: one may have to move a large file."""
    with transaction():
        expired = uploads.expired()
    for upload_id in expired:
        with transaction():
            uploads.sweep(upload_id)
    with reading():
        uploads.sweep_files()
