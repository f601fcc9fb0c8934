"""How files are made of clips, each in a worker of its own kind: encoding takes minutes, copying seconds."""

from functools import partial

import structlog

from app import queue
from app.db import reading, transaction
from app.jobs.turns import take_turns, wake
from app.services import rendition_worker


def make(_rendition_id: int) -> None:
    """As `probe`: any wake-up serves any rendition."""
    take_turns(make_next, "app.jobs.renditions.make", rendition_worker.due)


def copy(_rendition_id: int) -> None:
    """Those without encoding alone: they wait for no encoding."""
    take_turns(partial(make_next, lossless_only=True), "app.jobs.renditions.copy", rendition_worker.due_copies)


def make_next(*, lossless_only: bool = False) -> bool:
    """False where none may be made now."""
    with reading():
        turn = rendition_worker.next_turn(lossless_only=lossless_only)
    if turn is None:
        return False
    with transaction():
        one = rendition_worker.claim(turn.id)
        clip = one and rendition_worker.clip_of(one)
    if one is not None:
        with structlog.contextvars.bound_contextvars(rendition=one.id, clip=one.clip_id):
            made = rendition_worker.make(one, clip, transaction()(partial(rendition_worker.note, one)))
            with transaction():
                rendition_worker.settle(one, made)
    return True


def wake_renditions() -> None:
    """One wake-up at a time, since any serves any."""
    for job, due in (("make", rendition_worker.due), ("copy", rendition_worker.due_copies)):
        if not queue.is_waiting(f"app.jobs.renditions.{job}"):
            wake(f"app.jobs.renditions.{job}", partial(due, limit=1))
