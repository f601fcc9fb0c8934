"""Questions to platforms: what workers do with them, and connecting VK by an own token with their help."""

from flask import current_app

from app import jobs
from app.db import commit, db
from app.models import PlatformConnection, Question, User
from app.services import connections, questions
from tests.connecting import connect
from tests.publishing.conftest import wait_until

VK_TOKEN = "vk1.a.vezde-demo"


def ask_platforms() -> None:
    """What workers do with the questions that are due, in a session of their own."""
    commit()
    with current_app.app_context():
        for question_id in questions.due():
            jobs.ask_platform(question_id)
    db.session.expire_all()


def connect_vk(user: User, token: str = VK_TOKEN) -> PlatformConnection:
    """Connected by an own token, its accounts known: an account is still to be chosen, unless there is only one."""
    connection = connect(user, "vk", {"token": token})
    ask_platforms()
    return connection


def connect_vk_page(user: User) -> PlatformConnection:
    """Connected to the user's own page."""
    connection = connections.choose(user, connect_vk(user).id, "1")
    commit()
    return connection


def wait_for_failure() -> None:
    """Lets workers ask until no question waits: the platform gives no answer."""
    for _ in range(20):
        db.session.rollback()
        wake_at = db.session.scalar(db.select(Question.wake_at).where(Question.wake_at.is_not(None)))
        if wake_at is None:
            return
        wait_until(wake_at)
        ask_platforms()
    raise AssertionError("a question still waits")
