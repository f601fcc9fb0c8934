"""How clips arrive by themselves: from addresses, and from the inbox."""

from functools import partial

import structlog

from app.db import reading, transaction
from app.jobs.turns import take_turns
from app.models import InboxState
from app.services import import_outcomes, import_worker, inbox, inbox_worker
from app.storage import StorageUnavailable
from app.storage.inbox import Inbox
from app.storage.inbox import inbox as current_inbox

log = structlog.get_logger(__name__)


def import_clip(_import_id: int) -> None:
    """As `probe`: any wake-up serves any import."""
    take_turns(import_next, "app.jobs.arrivals.import_clip", import_worker.due)


def import_next() -> bool:
    """False where no import may begin now."""
    with reading():
        turn = import_worker.next_turn()
    if turn is None:
        return False
    with transaction():
        one = import_worker.claim_turn(*turn)
    if one is not None:
        with structlog.contextvars.bound_contextvars(clip_import=one.id):
            note, admit = (transaction()(partial(step, one)) for step in (import_worker.note, import_worker.admit))
            outcome = import_worker.receive(one, note, admit)
            with transaction():
                import_outcomes.settle(one, outcome)
    return True


def read_inbox(_number: int) -> None:
    """Looks at what lies in the inbox, and takes what is whole."""
    source = current_inbox()
    if source is None:
        return
    try:
        found = inbox.listing(source.entries())
    except (StorageUnavailable, OSError) as error:
        log.warning("the inbox is away", error=str(error))
        return
    with transaction():
        due = inbox.note(found)
    for row_id in due:
        with structlog.contextvars.bound_contextvars(inbox_file=row_id):
            take_from_inbox(row_id, found, source)


def take_from_inbox(row_id: int, found: inbox.Listing, source: Inbox) -> None:
    with transaction():
        row = inbox.claim(row_id)
        user = row and inbox.owner(row)
    if row is None or user is None:
        return
    away = row.state == InboxState.TAKEN
    if not away:
        outcome = inbox_worker.take(row, user, found, source, transaction()(partial(inbox_worker.announce, row)))
        with transaction():
            away = inbox_worker.settle(row, outcome)
    if away:
        is_away = inbox_worker.put_away(row, found, source)
        if is_away is not None:
            with transaction():
                inbox.end(row, is_away=is_away)
