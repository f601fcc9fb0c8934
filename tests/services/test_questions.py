"""What is asked of a platform while a user has a page open: from the click to the answer, and what may go wrong."""

import multiprocessing
import os
from datetime import timedelta

import pytest

from app import clock, jobs, queue, vault
from app.db import commit, db
from app.models import ConnectionStatus, PlatformConnection, Question, QuestionState
from app.platform_access import questions as access
from app.platform_access import tokens
from app.platforms.base import Account
from app.problems import NotFound, Problem
from app.queue import table
from app.services import connections, further_accounts, keys, questions
from app.vault import Vault
from tests.connecting import connect
from tests.edges import committed
from tests.publishing.conftest import at_work, too_late_to_undo, wait_until
from tests.questions import VK_TOKEN, ask_platforms, connect_vk, wait_for_failure

GROUPS = "groups.get"
SECRET = "a-secret-that-was-typed"


@pytest.fixture
def owner(user, sandbox):
    return user()


@pytest.fixture
def waiting(owner) -> PlatformConnection:
    """A connection whose accounts are being asked for."""
    return connect(owner, "vk", {"token": VK_TOKEN})


@pytest.fixture
def echo():
    """A kind of question whose answer is what its payload has."""
    access.KINDS["echo"] = lambda _question, payload: {"length": len(payload["token"])}
    yield "echo"
    del access.KINDS["echo"]


def stored() -> Question:
    db.session.rollback()
    return db.session.query(Question).filter(Question.kind != "connect").one()


def test_the_answer_has_the_accounts_to_choose_from(owner, waiting):
    assert (stored().state, stored().connection_id) == (QuestionState.WAITING, waiting.id)
    ask_platforms()
    assert (stored().state, stored().wake_at) == (QuestionState.ANSWERED, None)
    assert [choice["id"][0] for choice in waiting.choices] == ["1", "-"]
    assert waiting.status == ConnectionStatus.CHOOSING
    assert VK_TOKEN not in str(stored().answer)


def test_a_single_account_is_chosen(owner, sandbox):
    sandbox.control("rights", platform="vk", account="1", community=101, role="member")
    for _ in range(2):  # the second connection takes the place of the first
        connection = connect_vk(owner)
        assert (connection.status, connection.account_id) == (ConnectionStatus.ACTIVE, "1")
        assert connection.reason is None
        assert db.session.query(PlatformConnection).count() == 1
    assert tokens.open_token(connection).access == VK_TOKEN


def test_a_worker_that_is_killed_is_followed_by_another(app, owner, waiting, sandbox):
    sandbox.trouble({"match": GROUPS, "do": "hang:60"})
    question_id = stored().id

    def work() -> None:
        db.engine.dispose(close=False)
        jobs.ask_platform(question_id)
        os._exit(0)

    db.session.remove()
    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    while worker.is_alive() and not sandbox.control("trouble")["rules"][0]["seen"]:
        worker.join(0.05)
    worker.kill()
    worker.join()
    sandbox.trouble()
    ask_platforms()
    assert (stored().state, stored().tries) == (QuestionState.WAITING, 1), "its lease has not expired"
    wait_until(stored().wake_at)
    ask_platforms()
    assert (stored().state, stored().tries) == (QuestionState.ANSWERED, 2)


def test_workers_that_end_in_every_try(waiting):
    question_id = stored().id
    while stored().wake_at:
        wait_until(stored().wake_at)
        at_work(lambda: committed(questions.claim_question(question_id)))
        assert stored().tries < 10
    assert (stored().state, stored().reason) == (QuestionState.FAILED, "internal")


def test_a_platform_that_comes_back_is_asked_again(waiting, sandbox):
    sandbox.trouble({"match": GROUPS, "do": "status:502", "nth": 1})
    ask_platforms()
    assert stored().state == QuestionState.WAITING
    assert clock.now() < stored().wake_at <= clock.now() + timedelta(seconds=1)
    wait_until(stored().wake_at)
    ask_platforms()
    assert stored().state == QuestionState.ANSWERED


def test_a_platform_that_stays_away(waiting, sandbox):
    sandbox.trouble({"match": GROUPS, "do": "status:502"})
    wait_for_failure()
    assert (stored().state, stored().reason) == (QuestionState.FAILED, "unavailable")
    assert timedelta(seconds=25) < clock.now() - stored().created_at < timedelta(seconds=40)
    assert 3 <= stored().tries <= 6


@pytest.mark.parametrize(
    ("do", "reason"), [("error:14", "vk_user_wanted"), ("error:5", "reconnect"), ("error:9", "rate_limited")]
)
def test_what_another_try_would_not_mend_fails_at_once(waiting, sandbox, do, reason):
    sandbox.trouble({"match": GROUPS, "do": do})
    ask_platforms()
    assert (stored().state, stored().reason, stored().tries) == (QuestionState.FAILED, reason, 1)
    assert waiting.status == ConnectionStatus.CHOOSING


def test_an_answer_of_an_unexpected_shape(app, owner, echo):
    committed(access.ask(owner.id, echo, payload={}))
    ask_platforms()
    assert (stored().state, stored().reason) == (QuestionState.FAILED, "unexpected_answer")


def test_a_question_about_a_connection_is_asked_once(owner, waiting):
    for _ in range(3):
        committed(further_accounts.ask_for_list(owner, waiting.id))
    assert stored().state == QuestionState.WAITING


def test_a_user_has_few_open_questions(owner, user, echo):
    for _ in range(access.MAX_WAITING_PER_USER):
        committed(access.ask(owner.id, echo, payload={"token": "x"}))
    with pytest.raises(Problem, match="too_many_questions"):
        access.ask(owner.id, echo, payload={"token": "x"})
    access.ask(user().id, echo, payload={"token": "x"})
    ask_platforms()
    access.ask(owner.id, echo, payload={"token": "x"})


def test_another_users_question_is_not_found(owner, waiting, user):
    assert further_accounts.window(owner, waiting.id).waits == "list"
    with pytest.raises(NotFound):
        further_accounts.window(user(), waiting.id)


def test_disconnected_before_the_answer(owner, waiting):
    question_id = stored().id
    question = at_work(lambda: committed(questions.claim_question(question_id)))
    outcome = at_work(questions.put, question)
    committed(connections.disconnect(owner, waiting.id))
    too_late_to_undo()
    at_work(lambda: committed(questions.settle(question, outcome)))
    assert db.session.query(Question).filter_by(kind="accounts").count() == 0
    assert db.session.query(PlatformConnection).count() == 0


def test_chosen_before_the_answer(owner, waiting):
    committed(connections.choose(owner, waiting.id, "1"))
    ask_platforms()
    assert (waiting.status, waiting.account_id, waiting.choices) == (ConnectionStatus.ACTIVE, "1", None)


def test_a_wake_up_that_is_lost_in_redis(waiting):
    assert queue.queue(table.QUESTIONS).count == 2, "one to connect, one for the accounts"
    queue.queue(table.QUESTIONS).empty()
    at_work(jobs.wake_questions)
    assert queue.queue(table.QUESTIONS).count == 1


def test_nothing_is_queued_for_a_question_that_is_not_stored(owner, echo):
    access.ask(owner.id, echo, payload={"token": "x"})
    db.session.rollback()
    commit()
    assert queue.queue(table.QUESTIONS).count == 0


def test_the_payload_is_sealed_for_its_row_and_rotated(app, owner, echo, keys, capfd, redis_url):
    committed(access.ask(owner.id, echo, payload={"token": SECRET}))
    other = committed(access.ask(owner.id, echo, payload={"token": "x"}))
    first = db.session.get(Question, other.id - 1)
    with pytest.raises(vault.CannotOpen):
        app.extensions["vault"].open(first.sealed_payload, other.sealed_for)
    assert SECRET.encode() not in first.sealed_payload

    new_public, new_private = vault.generate()
    app.extensions["vault"] = Vault(new_public, f"{new_private},{keys[1]}")
    at_work(_rotate)
    assert {vault.sealed_with(row.sealed_payload) for row in db.session.query(Question)} == {vault.key_id(new_public)}
    dumped = [queue.queue(table.QUESTIONS).connection.dump(key) for key in _redis_keys()]
    ask_platforms()
    assert [row.answer for row in db.session.query(Question).order_by(Question.id)] == [
        {"length": len(SECRET)},
        {"length": 1},
    ]
    assert dumped and not [value for value in dumped if SECRET.encode() in value]
    assert SECRET not in "".join(capfd.readouterr())


def _rotate() -> None:
    for _batch in keys.rotate():
        commit()


def _redis_keys() -> list[bytes]:
    return queue.queue(table.QUESTIONS).connection.keys("*")


def test_a_payload_that_cannot_be_opened(app, owner, echo):
    question = committed(access.ask(owner.id, echo, payload={"token": SECRET}))
    question.sealed_payload = question.sealed_payload[:-1] + b"x"
    commit()
    ask_platforms()
    assert (stored().state, stored().reason) == (QuestionState.FAILED, "internal")


def test_old_questions_are_swept(owner, echo):
    committed(access.ask(owner.id, echo, payload={"token": "x"}))
    committed(questions.sweep())
    assert stored()
    wait_until(stored().expires_at)
    committed(questions.sweep())
    assert db.session.query(Question).count() == 0


def test_ids_that_do_not_fit_are_left_out(waiting):
    question = stored()
    odd = [{"id": account_id, "name": "Ж"} for account_id in ("", "9" * 65, "-7")]
    answer = {"accounts": odd, "limitation": None}
    committed(questions.settle(question, {"state": QuestionState.ANSWERED, "answer": answer}))
    assert [choice["id"] for choice in waiting.choices] == ["1", "-7"]
    assert Account(**waiting.choices[1]).name == "Ж"
