"""Error pages: what is wrong, and what to do."""

import secrets

import structlog
from flask import Flask, Response, make_response, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError
from werkzeug.exceptions import HTTPException

from app.db import db
from app.problems import NotFound, Problem
from app.serving.refusals import RETRY_SECONDS, Busy
from app.storage import StorageUnavailable
from app.web import access, responses

log = structlog.get_logger(__name__)

# What is wrong, what to do.
PAGES = {
    403: ("Сюда нельзя", "У вашего аккаунта нет доступа к этой странице."),
    404: ("Такой страницы нет", "Возможно, она удалена или адрес набран с ошибкой."),
    405: ("Так эту страницу не открыть", "Вернитесь и попробуйте ещё раз."),
    413: ("Слишком большой файл", "Сожмите видео или загрузите его со страницы «Клипы»."),
    429: ("Слишком много попыток", "Подождите немного и попробуйте снова."),
}
OTHER = ("Запрос не принят", "Вернитесь, обновите страницу и попробуйте ещё раз.")
STALE = ("Страница устарела", "Вернитесь, обновите её и попробуйте ещё раз: введённое не отправлено.")
NO_STORAGE = ("Хранилище клипов не отвечает", "Мы уже знаем об этом. Попробуйте через минуту.")
NO_QUEUES = ("Очередь задач не отвечает", "Ничего не потеряно. Попробуйте через минуту.")


def register(app: Flask) -> None:
    app.register_error_handler(Busy, busy)
    app.register_error_handler(NotFound, lambda _error: _page(404, *PAGES[404]))
    app.register_error_handler(ObjectDeletedError, deleted_meanwhile)
    app.register_error_handler(StaleDataError, deleted_meanwhile)
    app.register_error_handler(Problem, problem)
    app.register_error_handler(StorageUnavailable, unavailable)
    app.register_error_handler(RedisError, unavailable)
    app.register_error_handler(CSRFError, stale_form)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, unexpected)


def problem(error: Problem) -> Response:
    """A refusal for which the view has no form: shown as a toast."""
    path = access.path_of(request.referrer)
    return responses.refused(error.text, 422, path if access.is_local(path) else "/")


def log_csrf(error: CSRFError) -> None:
    log.warning("a form without its token", refusal="csrf", why=error.description)


def stale_form(error: CSRFError) -> Response:
    """A form of another session. A page with scripts gets itself a new token and keeps what was typed: session.js."""
    log_csrf(error)
    if request.htmx:
        db.session.rollback()
        sign_in = url_for("auth.sign_in", next=access.path_of(request.htmx.current_url))
        return responses.trigger(Response(status=400), "stale-page", session=url_for("auth.session_state"), to=sign_in)
    return _page(400, *STALE)


def deleted_meanwhile(error: SQLAlchemyError) -> Response:
    """Another request (a second tab, a double click) has deleted the row while this one worked on it."""
    log.info("deleted meanwhile", path=request.path, error=type(error).__name__)
    return _page(404, *PAGES[404])


def busy(error: Busy) -> Response:
    response = _page(error.status, "Сейчас не получится", error.text)
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def unavailable(error: StorageUnavailable | RedisError) -> Response:
    storage = isinstance(error, StorageUnavailable)
    log.error("a dependency is unavailable", path=request.path, error=str(error) if storage else type(error).__name__)
    return _page(503, *(NO_STORAGE if storage else NO_QUEUES))


def http_error(error: HTTPException) -> Response:
    if error.response is not None:  # abort(response), or a redirect of the router
        return error.response
    if 300 <= error.code < 400:
        return error.get_response()
    return _page(error.code, *PAGES.get(error.code, OTHER))


def unexpected(error: Exception) -> Response:
    code = secrets.token_hex(4)
    log.error("unexpected error", code=code, method=request.method, path=request.path, exc_info=error)
    advice = f"Попробуйте ещё раз. Если не поможет, напишите нам и назовите код {code}."
    return _page(500, "Что-то сломалось у нас", advice)


def _page(status: int, what: str, advice: str) -> Response:
    db.session.rollback()
    if request.htmx:
        return responses.refused(f"{what}. {advice}", status, "/")
    return make_response(render_template("errors/page.html", what=what, advice=advice), status)
