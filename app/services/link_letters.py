"""Letters with a link, to be sent by workers: see `services/recovery.py` for what becomes of their rows."""

from datetime import timedelta

from app import clock, queue
from app.db import after_commit, db
from app.models import Recovery

# How long a mail server that is away is tried again.
TRIED_FOR = timedelta(hours=1)


def queue_letter(user_id: int | None, *, is_confirmation: bool = False) -> None:
    letter = Recovery(user_id=user_id, is_confirmation=is_confirmation, expires_at=clock.now() + TRIED_FOR)
    db.session.add(letter)
    db.session.flush()
    letter_id = letter.id
    after_commit(lambda: queue.enqueue("app.jobs.mail_recovery", letter_id))  # faster than the tick
