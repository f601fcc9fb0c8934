"""The probe of one clip, as a worker's job does it."""

from flask import current_app

from app.db import db, transaction
from app.services import clip_probes


def probe(clip_id: int) -> None:
    """In a session of its own; the test's transaction ends first."""
    db.session.commit()
    with current_app.app_context():
        with transaction():
            clip = clip_probes.claim(clip_id)
        if clip is not None:
            found = clip_probes.inspect(clip)
            with transaction():
                clip_probes.settle(clip, found)
