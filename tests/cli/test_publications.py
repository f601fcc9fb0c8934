"""Operators' commands for a publication."""

import pytest

from app.db import commit, db
from app.models import Publication, Status
from app.publishing import state_machine
from app.services import publications
from app.services.publications import Choice


@pytest.fixture
def run(command):
    return lambda *arguments: command("publications", *arguments)


@pytest.fixture
def publication(user, ready_clip, telegram) -> Publication:
    owner = user(email="anna@example.org")
    clip, connection = ready_clip(owner), telegram(owner)
    [one] = publications.publish(owner, clip.id, [Choice(connection.id, clip.title, "")])
    commit()
    return one


def fail(publication: Publication) -> None:
    state_machine.move(publication.id, Status.FAILED, reason="refused", detail="Bad Request: chat is gone")
    db.session.commit()


def test_show(run, publication):
    fail(publication)
    output = run("show", publication.id).output
    for part in (
        "anna@example.org",
        "Закат над Волгой",
        "Telegram — Везде: демо",
        "Ошибка",
        "Площадка отказала",
        "Bad Request: chat is gone",
        "Создана",
        "Не опубликована",
    ):
        assert part in output, part
    assert "AAdemo" not in output


def test_retry(run, publication):
    fail(publication)
    assert run("retry", publication.id).output == f"{publication.id}: Публикация...\n"
    db.session.refresh(publication)
    assert publication.status == Status.PUBLISHING


def test_cancel(run, publication):
    assert run("cancel", publication.id).output == f"{publication.id}: Отменено\n"
    db.session.refresh(publication)
    assert publication.status == Status.CANCELLED


def test_what_cannot_be_is_a_sentence_and_an_exit_code(run, publication):
    for arguments, output in {
        ("show", 12345): "Нет публикации 12345",
        ("retry", 12345): "Нет публикации 12345",
        ("retry", publication.id): "уже изменилась",
    }.items():
        result = run(*arguments)
        assert (result.exit_code, output in result.output) == (1, True)
    publication.commit_in_doubt = "send"
    db.session.commit()
    result = run("cancel", publication.id)
    assert result.exit_code == 1
    assert "Уже нельзя отменить" in result.output
