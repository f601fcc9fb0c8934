"""A request is one unit of work: committed once when its view returns, or not at all."""

import pytest
from flask import Response, stream_with_context
from flask_login import current_user

from app.db import after_commit, db, end_reading
from app.models import AuditEvent, User
from app.problems import Problem
from app.services import audit_log
from app.serving.refusals import Busy
from app.storage import StorageUnavailable
from app.web import access, responses

HTMX = {"HX-Request": "true"}


@pytest.fixture
def anna(user):
    return user(email="anna@example.org")


@pytest.fixture
def request_to(app, anna, sign_in):
    """Puts a view in the place of «Тарифы» (GET) or of the button there (POST) and sends a request to it."""

    def send(view, method: str = "POST", **more) -> Response:
        app.view_functions["plans.choose" if method == "POST" else "plans.page"] = view
        path = "/plans/pro" if method == "POST" else "/plans"
        return sign_in(anna).open(path, method=method, **more)

    return send


def rename(**_arguments) -> None:
    current_user.name = "Аня"
    db.session.flush()


def name() -> str:
    db.session.rollback()
    return db.session.scalar(db.select(User.name))


def test_a_change_is_committed_when_the_view_returns(request_to):
    def view(key):
        rename()
        return "ok"

    assert request_to(view).status_code == 200
    assert name() == "Аня"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Problem("wrong_credentials"), 422),
        (Busy("too_many_sign_ins", 503), 503),
        (StorageUnavailable("gone"), 503),
        (RuntimeError("broken"), 500),
    ],
)
def test_nothing_is_committed_after_an_error(request_to, error, status):
    done = []

    def view(key):
        rename()
        after_commit(lambda: done.append(1))
        raise error

    assert request_to(view, headers=HTMX).status_code == status
    assert (name(), done) == ("Тест", [])


@pytest.mark.parametrize("show", [lambda problem: responses.refused(problem.text, 422, "/"), None])
def test_nothing_is_committed_where_a_view_shows_the_problem_itself(app, request_to, show):
    from app.web.settings import ChangePassword

    def view(key):
        form = ChangePassword(meta={"csrf": False})
        with responses.blame(form):
            try:
                rename()
                raise Problem("wrong_credentials", "new")
            except Problem as problem:
                if show:
                    return show(problem)
                raise
        return form.new.errors[0], 422

    assert request_to(view, headers=HTMX).status_code == 422
    assert name() == "Тест"


def test_an_error_of_the_commit_is_an_error_of_the_request(request_to):
    def view(key):
        db.session.add(AuditEvent(user_id=987654321, kind="signed_in", detail=""))
        return "ok"

    def deferred(key):
        """A constraint that is checked at the commit alone."""
        db.session.execute(db.text("PRAGMA defer_foreign_keys=ON"))
        db.session.add(AuditEvent(user_id=987654321, kind="signed_in", detail=""))
        db.session.flush()
        return "ok"

    for broken in (view, deferred):
        response = request_to(broken)
        assert response.status_code == 500
        assert "Что-то сломалось у нас" in response.text
    assert db.session.query(AuditEvent).filter_by(kind="signed_in").count() == 0


def test_what_was_deleted_meanwhile_is_not_found_at_the_commit(app, anna, request_to):
    def view(key):
        event = db.session.query(AuditEvent).filter_by(kind="signed_up").one()
        db.session.execute(db.delete(AuditEvent).execution_options(synchronize_session=False))
        event.detail = "changed"
        return "ok"

    assert request_to(view).status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("writes", [False, True])
def test_reading_commits_nothing_unless_it_is_marked(request_to, method, writes):
    def view():
        rename()
        return "ok"

    assert request_to(access.writes(view) if writes else view, method).status_code == 200
    assert name() == ("Аня" if writes else "Тест")


def test_a_response_is_streamed_after_the_commit(request_to):
    seen = []

    def view(key):
        audit_log.record(current_user.id, "data_downloaded")
        after_commit(lambda: seen.append("committed"))

        def pieces():
            seen.append("streamed")
            yield str(db.session.query(AuditEvent).filter_by(kind="data_downloaded").count())
            end_reading()

        return Response(stream_with_context(pieces()))

    assert request_to(view).text == "1"
    assert seen == ["committed", "streamed"]


def test_a_savepoint_that_is_rolled_back_leaves_what_follows_the_commit(request_to):
    done = []

    def view(key):
        after_commit(lambda: done.append("outer"))
        with pytest.raises(ValueError), db.session.begin_nested():
            raise ValueError
        rename()
        return "ok"

    assert request_to(view).status_code == 200
    assert (name(), done) == ("Аня", ["outer"])


def test_a_wrong_password_is_kept_in_the_audit_log_though_the_form_is_shown_again(app, anna):
    browser = app.test_client()
    token = browser.get("/sign-in").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": token, "email": "anna@example.org", "password": "wrong-wrong"}
    assert browser.post("/sign-in", data=form).status_code == 422
    assert audit_log.latest(anna)[0].kind == "sign_in_failed"
