from app.db import db
from app.models import Notification
from app.notifications import create
from tests.publishing.conftest import at_work


def notifications() -> list[Notification]:
    """All that there are once the events so far have been read, oldest first."""
    at_work(create.read_events)
    return db.session.query(Notification).order_by(Notification.id).populate_existing().all()
