"""Connecting as it goes: the service asks, a worker asks the platform and makes the connection."""

import json
import re

from flask import current_app
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import jobs
from app.db import commit, db
from app.models import PlatformConnection, Question, QuestionState, User
from app.problems import Problem
from app.services import connecting, consents
from tests.edges import committed
from tests.publishing.conftest import wait_until

BROWSER = "a browser"


def connect(user: User, platform: str, fields: dict[str, str]) -> PlatformConnection:
    """By what is typed into the platform's form. Raises Problem, the platform's refusal too."""
    return connection_of(committed(connecting.connect(user, platform, fields)))


def connect_by_consent(user: User, platform: str, verifier: str, redirect_uri: str, back: dict) -> PlatformConnection:
    """By the callback's arguments `back`. Raises Problem."""
    secret = json.dumps({"code_verifier": verifier, "redirect_uri": redirect_uri})
    committed(consents.begin(user, platform, BROWSER, back["state"], secret))
    consent = committed(consents.take(user, platform, BROWSER, back["state"]))
    return connection_of(committed(connecting.accept(user, platform, consent, back)))


def connection_of(question: Question) -> PlatformConnection:
    """What workers make of a question. Raises Problem where it fails."""
    settled = answer(question.id)
    if settled.state == QuestionState.FAILED:
        raise Problem(settled.reason, **settled.params)
    return db.session.get(PlatformConnection, settled.answer["connection_id"])


def answer(question_id: int) -> Question:
    """Lets workers ask, as often as it takes, in a session of their own."""
    for _ in range(20):
        commit()
        with current_app.app_context():
            jobs.ask_platform(question_id)
        db.session.expire_all()
        question = db.session.get(Question, question_id)
        if question.state != QuestionState.WAITING:
            return question
        wait_until(question.wake_at)
    raise AssertionError("the question still waits")


def settled(web: FlaskClient, response: TestResponse, **more) -> TestResponse:
    """What the window shows once workers have answered the question that `response` waits for; `response` itself where
    nothing was asked. `more`: of the request for it.
    """
    asked = re.search(r"/questions/(\d+)", response.location or response.text)
    if asked is None:
        return response
    answer(int(asked[1]))
    return web.get(f"/settings/integrations/questions/{asked[1]}", **more)
