from app import jobs
from app.db import db
from app.models import Notification
from tests.publishing.conftest import at_work


def notifications() -> list[Notification]:
    """All that there are once the events so far have been read, oldest first."""
    at_work(jobs.tick_events)
    return db.session.query(Notification).order_by(Notification.id).populate_existing().all()
