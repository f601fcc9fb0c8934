"""`flask publications`: for operators, when a user reports that a publication hangs."""

from collections.abc import Iterator
from datetime import datetime

import click

from app import clock, platforms, texts
from app.cli.group import Group
from app.db import db
from app.models import Publication, User
from app.problems import NotFound
from app.services import history, publications, retries

group = Group(
    "publications",
    help="Публикации: посмотреть, повторить, отменить.",
    not_found="Нет публикации {publication_id}. Номер — из /ops или из журнала.",
)


@group.command()
@click.argument("publication_id", metavar="ID", type=int)
def show(publication_id: int) -> None:
    """Что с публикацией: состояние, сроки, история. Время — UTC. Токены не показываются."""
    publication = _find(publication_id)
    for name, value in _facts(publication):
        click.echo(f"{name + ':':<22} {value}")
    click.echo("История:")
    for attempt in history.attempts(publication):
        for line in attempt.lines:
            words = texts.event(line.kind, line.name, "UTC", line.step), line.reason, line.detail
            click.echo(f"  {_moment(line.at)}  {' — '.join(filter(None, words))}")


@group.command()
@click.argument("publication_id", metavar="ID", type=int)
def retry(publication_id: int) -> None:
    """Повторить публикацию, которая кончилась ошибкой: как кнопка «Повторить» у пользователя."""
    publication = retries.retry(_user_of(_find(publication_id)), publication_id)
    click.echo(f"{publication.id}: {texts.STATUSES[publication.status]}")


@group.command()
@click.argument("publication_id", metavar="ID", type=int)
def cancel(publication_id: int) -> None:
    """Отменить, пока клип не передан площадке."""
    publications.cancel(_user_of(_find(publication_id)), publication_id)
    click.echo(f"{publication_id}: {texts.STATUSES[_find(publication_id).status]}")


def _find(publication_id: int) -> Publication:
    """A publication of any user."""
    publication = db.session.get(Publication, publication_id, populate_existing=True)
    if publication is None:
        raise NotFound
    return publication


def _user_of(publication: Publication) -> User:
    return db.session.get(User, publication.user_id)


def _facts(publication: Publication) -> Iterator[tuple[str, object]]:
    status = texts.STATUSES[publication.status]
    going_on = texts.progress(publication, clock.now())
    yield "Публикация", publication.id
    yield "Пользователь", _user_of(publication).email
    yield "Клип", f"{publication.title} (номер {publication.clip_id or 'удалён'})"
    yield "Куда", f"{platforms.ADAPTERS[publication.platform].name} — {publication.account_name}"
    yield "Состояние", f"{status}, {going_on}" if going_on else status
    if publication.reason:
        yield "Причина", texts.sentence(publication.reason)
    if publication.detail:
        yield texts.detail_label(publication.detail, publication.reason), publication.detail
    yield "Срок", _moment(publication.due_at)
    yield "Взглянуть снова", _moment(publication.wake_at)
    yield "Аренда до", _moment(publication.lease_until)
    yield "Держит", publication.holder or "—"
    yield "Неудачных попыток", publication.attempt
    yield "Обрывов", publication.crashes
    yield "Взведено", publication.commit_in_doubt or "нет"
    yield "Номер на площадке", publication.external_id or "—"
    yield "Ссылка", publication.url or "—"


def _moment(value: datetime | None) -> str:
    return f"{value:%d.%m.%Y %H:%M:%S}" if value else "—"
