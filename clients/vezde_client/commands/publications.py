"""Publications: their state, and what can still be done with them."""

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from vezde_client import publishing, words
from vezde_client.commands.parser import Commands, add_wait, add_when, command, number
from vezde_client.commands.session import Session, deadline
from vezde_client.errors import ClientError, Exit, WrongUsage, exit_of
from vezde_client.output import table

_GOING_ON = ("publishing", "scheduled", "awaiting_user", "unconfirmed")


def add(commands: Commands) -> None:
    parser = command(commands, "status", status, "что с публикациями; без номеров — со всеми незаконченными")
    _add_ids(parser, "*")
    add_wait(parser, "дождаться, пока названные закончатся")
    parser = command(commands, "move", move, "перенести запланированные")
    _add_ids(parser)
    add_when(parser, with_now=True)
    _add_ids(command(commands, "cancel", cancel, "отменить публикации"))
    _add_ids(command(commands, "retry", retry, "повторить неудавшиеся"))
    parser = command(commands, "confirm", confirm, "сказать, есть ли клип на площадке (для «Проверьте» и «Ждёт вас»)")
    _add_ids(parser, None)
    answer = parser.add_mutually_exclusive_group()
    answer.add_argument("--url", metavar="ССЫЛКА", help="ссылка на опубликованный клип")
    answer.add_argument("--missing", action="store_true", help="клипа там нет: отправить ещё раз")


def _add_ids(parser: Any, count: str | None = "+") -> None:
    parser.add_argument("ids", metavar="НОМЕР", nargs=count, type=number)


def status(session: Session, asked: Namespace) -> int:
    if not asked.ids:
        if asked.wait:
            raise WrongUsage("--wait: назовите номера публикаций.")
        found = [one for state in _GOING_ON for one in session.api.pages("/publications", status=state)]
        _show(session, found, "Незаконченных публикаций нет.")
        return Exit.OK
    if not asked.wait:
        found = [session.api.get(f"/publications/{one}") for one in asked.ids]
        _show(session, found)
        return Exit.OK

    def tell(publication: dict[str, Any]) -> None:
        session.output.notice(f"{publication['id']}: {words.status(publication['status'])}")

    found = publishing.wait_until_published(session.api, asked.ids, deadline(asked), tell)
    _show(session, found)
    failed = publishing.failures(found)
    return exit_of(failed, len(found) - len(failed))


def move(session: Session, asked: Namespace) -> int:
    if asked.now:
        return _each(session, asked.ids, lambda one: session.api.post(f"/publications/{one}/publish-now"))
    when = session.when(asked)
    return _each(session, asked.ids, lambda one: session.api.post(f"/publications/{one}/move", {"when": when}))


def cancel(session: Session, asked: Namespace) -> int:
    return _each(session, asked.ids, lambda one: session.api.post(f"/publications/{one}/cancel"))


def retry(session: Session, asked: Namespace) -> int:
    return _each(session, asked.ids, lambda one: session.api.post(f"/publications/{one}/retry"))


def confirm(session: Session, asked: Namespace) -> int:
    if asked.missing:
        return _each(session, [asked.ids], lambda one: session.api.post(f"/publications/{one}/resend"))
    body = {"url": asked.url} if asked.url else {}
    return _each(session, [asked.ids], lambda one: session.api.post(f"/publications/{one}/confirm", body))


def _each(session: Session, ids: list[int], act: Callable[[int], dict[str, Any]]) -> int:
    """Does the same with each, whatever becomes of the others."""
    done: list[dict[str, Any]] = []
    errors: list[ClientError] = []
    for one in dict.fromkeys(ids):
        try:
            done.append(act(one))
        except ClientError as error:
            if len(ids) == 1:
                raise
            errors.append(error)
            session.output.error(f"{one}: {error.message}")
    _show(session, done)
    return exit_of(errors, len(done))


def _show(session: Session, found: list[dict[str, Any]], nothing: str = "") -> None:
    rows = [words.publication(one, session.zone) for one in found]
    session.output.show({"items": found}, table(rows) or [nothing])
