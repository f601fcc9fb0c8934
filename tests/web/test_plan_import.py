"""«Импорт таблицей»: from the file to the plan, in both ways that a form is sent."""

import io
import re

import pytest

from app import clock
from app.db import commit, db
from app.models import PlanImport, Publication, Status
from app.services import account_sets, tables
from tests import asking
from tests.services.test_plan_import import HEAD, Plan, in_days
from tests.web.test_clips import HTMX

BOTH = pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])


@pytest.fixture
def plan(owner) -> Plan:
    return Plan(owner)


def file(content: str | bytes, name: str = "план.csv", **more) -> dict:
    content = content.encode() if isinstance(content, str) else content
    return {"file": (io.BytesIO(content), name), **more}


def send(web, *lines: str, head: str = HEAD, headers=None, **more):
    """To the page that shows it."""
    return web.post("/bulk/import", data=file("\n".join([head, *lines]), **more), headers=headers or {})


def newest() -> int:
    db.session.rollback()
    return db.session.scalar(db.select(db.func.max(PlanImport.id)))


def made() -> list[Publication]:
    db.session.rollback()
    return list(db.session.scalars(db.select(Publication).order_by(Publication.id)))


def button(page: str) -> str:
    return " ".join(re.search(r'name="do" value="publish"[^>]*>([^<]*)<', page)[1].split())


@BOTH
def test_from_the_file_to_the_plan(web, plan: Plan, headers):
    answer = send(
        web,
        f"закат.mp4;Вечер <b>;;{plan.at(1)};все",
        f"волга.mp4;;;{plan.at(-1)};все",
        f"нет.mp4;;;{plan.at(2)};Гараж",
        headers=headers,
    )
    address = f"/bulk/import/{newest()}"
    if headers:
        assert answer.headers["HX-Push-Url"] == address
        assert "<html" not in answer.text
        page = answer.text
    else:
        assert (answer.status_code, answer.location) == (303, address)
        page = web.get(address).text
    assert "3\u00a0строки · UTF-8 ·" in page
    assert button(page) == "Запланировать 1 из 3"
    assert "Вечер &lt;b&gt;" in page
    bad = page.partition("Что исправить")[2].partition("Будет запланировано")[0]
    assert re.findall(r"Строка (\d+)", bad) == ["3", "4"]
    assert "Это время уже прошло" in bad
    assert "Клипа «нет.mp4» нет." in bad and "Ни аккаунта, ни набора «Гараж» нет." in bad
    assert made() == []

    answer = web.post(address, data={"do": "publish"}, headers=headers)
    assert answer.status_code == 200
    assert "публикаций: 2." in answer.text
    assert [(one.title, one.status) for one in made()] == [("Вечер <b>", Status.SCHEDULED)] * 2
    again = web.post(address, data={"do": "publish"}, headers=headers)
    assert again.status_code == 422
    assert "Планировать нечего" in again.text
    assert "Уже в плане: <b>1</b>" in again.text
    assert len(made()) == 2
    shown = web.get(re.search(r'href="(/bulk/made\?publications=[^"]+)"', answer.text)[1]).text
    assert "Вечер" in shown


@BOTH
def test_columns_are_mended_on_the_page(web, plan: Plan, headers):
    send(web, f"закат.mp4;{plan.at()};все;x", head="Клип;Дата;Площадка;Файл")
    address = f"/bulk/import/{newest()}"
    page = web.get(address).text
    assert "По два столбца на одно и то же: «Файл»" in page
    assert re.search(r'<details[^>]*id="import-columns" open', page)
    assert 'value="publish"' not in page
    assert web.post(address, data={"do": "publish"}, headers=headers).status_code == 422
    page = web.post(address, data={"column-3": "", "column-0": "bad"}, headers=headers).text
    assert button(page) == "Запланировать 1 из 1"
    assert re.search(r'name="column-0">.*?<option value="file" selected', page, re.S)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "В таблице нет ни одной строки"),
        (b"PK\x03\x04" + b"\0" * 99, "Это книга Excel"),
        (b"\xff\xd8\xff" + bytes(range(256)) * 4, "Это не таблица CSV"),
        (HEAD.encode() + b"\nx" * 5000, "больше 2000 строк"),
        (b"x;" * (5 << 20), "Таблица больше 2 МБ"),
        (b"x" * (33 << 20), "Таблица больше 2 МБ"),
    ],
    ids=["empty", "workbook", "picture", "5000 lines", "10 MB", "33 MB"],
)
def test_what_is_no_table_is_told(web, content, said):
    for headers in ({}, HTMX):
        answer = web.post("/bulk/import", data=file(content), headers=headers)
        assert answer.status_code == 422
        assert said in answer.text
    assert newest() is None


@BOTH
def test_no_file(web, headers):
    for data in ({}, file(b"", "")):
        answer = web.post("/bulk/import", data=data, headers=headers)
        assert answer.status_code == 422
        assert "Выберите файл таблицы" in answer.text


def test_a_table_of_another_encoding(web, plan: Plan):
    content = f"{HEAD}\r\nзакат.mp4;Ёжик;;{plan.at()};кухня\r\n".encode("windows-1251")
    page = web.post("/bulk/import", data=file(content), headers=HTMX).text
    assert "Windows-1251" in page
    assert "Ёжик" in page


def test_what_was_refused_to_save(web, plan: Plan):
    send(web, f"закат.mp4;=1+1;;{plan.at()};Гараж", f"волга.mp4;;;{plan.at()};все")
    answer = web.get(f"/bulk/import/{newest()}/errors.csv")
    assert answer.headers["Content-Disposition"] == "attachment; filename=vezde-errors.csv"
    assert answer.content_type == "text/csv; charset=utf-8"
    [head, row] = answer.data.decode("utf-8-sig").splitlines()
    assert head == f"Ошибка;{HEAD}"
    assert row.startswith("Ни аккаунта, ни набора «Гараж» нет.")
    assert ";'=1+1;" in row


def test_the_template_and_the_plan_to_save(web, plan: Plan):
    answer = web.get("/bulk/import/template.csv")
    assert answer.data.startswith("\ufeffФайл;Название;Текст;Когда;Куда;Telegram: Без звука;".encode())
    send(web, f"закат.mp4;;;{plan.at()};все")
    web.post(f"/bulk/import/{newest()}", data={"do": "publish"})
    answer = web.get("/plan/export.csv")
    assert answer.headers["Content-Disposition"] == "attachment; filename=vezde-plan.csv"
    table = tables.read(answer.data, lambda name: name == "Файл")
    assert [line.cells for line in table.lines] == [
        ["закат.mp4", "Закат", "", plan.at(), "Telegram — Кухня; Telegram — Студия", "да", "нет"]
    ]
    assert '/plan/export.csv"' in web.get("/publications").text
    assert '/bulk/import"' in web.get("/").text


def test_clips_that_are_on_their_way_are_waited_for(web, plan: Plan):
    send(web, f"новый.mp4;;;{plan.at()};все", expected=["новый.mp4"])
    address = f"/bulk/import/{newest()}"
    page = web.get(address).text
    assert "Клип ещё загружается" in page
    assert 'hx-trigger="every 5s"' in page
    plan.clip("новый.mp4", "Новый")
    page = web.get(address, headers=HTMX).text
    assert button(page) == "Запланировать 1 из 1"
    assert "every 5s" not in page


def test_once_more_where_it_stands_already(web, plan: Plan):
    db.session.add(asking.publication(plan.clips[0], plan.kitchen))
    commit()
    send(web, f"закат.mp4;;;{plan.at()};Кухня")
    address = f"/bulk/import/{newest()}"
    page = web.get(address).text
    assert "Уберите строку или измените то, что уже стоит." in page
    page = web.post(address, data={"again": "1"}, headers=HTMX).text
    assert button(page) == "Запланировать 1 из 1"
    assert re.search(r'name="again" value="1" checked', page)


def test_many_lines_are_shown_in_part(web, plan: Plan):
    account_sets.save(plan.owner, "Оба", [plan.kitchen.id, plan.studio.id])
    clips = [plan.clip(f"{number}.mp4", f"Клип {number}") for number in range(120)]
    at = plan.at()
    page = send(web, *(f"{one.file_name};;;{at};Оба" for one in clips), *["нет;;;;"] * 130, headers=HTMX).text
    assert page.count('class="import-row bad"') == 100
    assert "И ещё 30: все они в файле" in page and "И ещё 20." in page
    assert button(page) == "Запланировать 120 из 250"


def test_a_table_of_another_user_or_of_yesterday_is_not_there(web, plan: Plan, user, sign_in):
    send(web, f"закат.mp4;;;{plan.at()};все")
    address = f"/bulk/import/{newest()}"
    other = sign_in(user())
    for found in (other, web):
        assert [found.get(path).status_code for path in (address, f"{address}/errors.csv")] == (
            [404, 404] if found is other else [200, 200]
        )
    assert other.post(address, data={"do": "publish"}).status_code == 404
    assert "план.csv" not in other.get("/bulk/import").text
    assert "план.csv" in web.get("/bulk/import").text
    clock.correct(in_days(2))
    assert web.get(address).status_code == 404
