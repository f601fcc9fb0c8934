"""Pictures of clips: a user may wait for one in front of a page."""

import structlog

from app.db import reading, transaction
from app.jobs.turns import take_turns, wake
from app.services import picture_worker

_JOB = "app.jobs.pictures.make"


def make(_picture_id: int) -> None:
    """As `probe`: any wake-up serves any picture."""
    take_turns(make_next, _JOB, picture_worker.due)


def make_next() -> bool:
    """False where none may be made now."""
    with reading():
        turn = picture_worker.next_turn()
    if turn is None:
        return False
    with transaction():
        one = picture_worker.claim(turn.id)
        clip_key = one and picture_worker.clip_file(one)
    if clip_key:
        with structlog.contextvars.bound_contextvars(picture=one.id, clip=one.clip_id):
            made = picture_worker.make(one, clip_key)
            with transaction():
                picture_worker.settle(one, made)
    return True


def wake_pictures() -> None:
    wake(_JOB, picture_worker.due)
