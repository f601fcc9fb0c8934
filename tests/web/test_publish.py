"""The publish window: shared and own texts, what it remembers, sets of accounts, how platforms confirm."""

import re

import pytest

from app import clock
from app.db import db
from app.models import AccountSet, PlatformConnection, Publication, Stage, Status
from app.services import account_sets, connections, undo
from tests.web.test_clips import HTMX, publish

pytestmark = pytest.mark.usefixtures("sandbox")
BOTH = pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])


@pytest.fixture
def owner(user):
    return user(plan="business")


@pytest.fixture
def web(sign_in, owner):
    return sign_in(owner)


@pytest.fixture
def clip(owner, ready_clip):
    return ready_clip(owner, title="Закат")


@pytest.fixture
def channels(owner, telegram) -> tuple[PlatformConnection, PlatformConnection]:
    return telegram(owner), telegram(owner, chat_id=-1001000000009)


def made() -> dict[int, Publication]:
    rows = db.session.scalars(db.select(Publication).execution_options(populate_existing=True))
    return {row.connection_id: row for row in rows}


def window(web, clip, **more) -> str:
    return web.get(f"/clips/{clip.id}/publish", headers=HTMX, **more).text


def ticked(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'name="connection" id="connection-(\d+)"[^>]* checked', page)]


def panel(page: str, connection) -> str:
    return page.partition(f'id="panel-{connection.id}"')[2].partition('class="publish-panel"')[0]


# Texts


@BOTH
def test_an_own_text_or_the_shared_one(web, clip, channels, headers):
    one, other = channels
    data = {
        "connection": [one.id, other.id],
        "title": "Общее",
        "description": "Всем",
        f"title-{one.id}": "",
        f"description-{one.id}": "Своё",
        f"title-{other.id}": "",
        f"description-{other.id}": "",
    }
    assert web.post(f"/clips/{clip.id}/publish", data=data, headers=headers).status_code in (200, 303)
    rows = made()
    assert (rows[one.id].title, rows[one.id].description) == ("Общее", "Своё")
    assert (rows[other.id].title, rows[other.id].description) == ("Общее", "Всем")


def test_an_own_text_can_be_empty(web, clip, channels):
    one, other = channels
    empty = {f"{name}-{channel.id}": "" for name in ("title", "description") for channel in channels}
    data = {"connection": [one.id, other.id], "title": "Общее", "description": "Всем", f"own-{one.id}": "1"} | empty
    web.post(f"/clips/{clip.id}/publish", data=data, headers=HTMX)
    rows = made()
    assert (rows[one.id].title, rows[one.id].description) == ("", "")
    assert (rows[other.id].title, rows[other.id].description) == ("Общее", "Всем")


def test_a_refusal_keeps_all_that_was_typed_and_ticked(web, clip, channels):
    one, other = channels
    data = {
        "connection": [one.id],
        "title": "Общее <1>",
        "description": "Всем",
        f"description-{one.id}": "x" * 1025,
        f"title-{one.id}": "",
        f"own-{other.id}": "1",
        f"title-{other.id}": "",
        f"description-{other.id}": "Не отмечен",
        "tab": "shared",
        "set-name": "Мой",
    }
    answer = web.post(f"/clips/{clip.id}/publish", data=data, headers=HTMX)
    assert answer.status_code == 422
    assert ticked(answer.text) == [one.id]
    assert 'name="title" value="Общее &lt;1&gt;"' in answer.text
    assert "x" * 1025 in panel(answer.text, one)
    assert "Текст занимает 1036 знаков" in panel(answer.text, one)
    assert "data-open" in panel(answer.text, one).partition(">")[0]
    assert "Не отмечен" in panel(answer.text, other)
    assert re.search(rf'name="own-{other.id}" value="1" checked', answer.text)
    assert re.search(rf'id="tab-{one.id}"[^>]* class="wrong"', answer.text)


def test_the_open_tab_stays(web, clip, channels):
    one, _ = channels
    data = {"connection": one.id, "title": "Общее", "tab": str(one.id), "due": "2020-01-01T10:00"}
    answer = web.post(f"/clips/{clip.id}/schedule", data=data, headers=HTMX)
    assert answer.status_code == 422
    assert "data-open" in panel(answer.text, one).partition(">")[0]
    assert 'name="when" value="later" checked' in answer.text
    for nonsense in ("999", "", "<b>"):
        answer = web.post(f"/clips/{clip.id}/schedule", data=data | {"tab": nonsense}, headers=HTMX)
        assert 'name="tab" value="shared"' in answer.text


# What is remembered


def test_the_last_choice_is_remembered_and_a_new_account_is_on(web, owner, clip, ready_clip, channels, telegram):
    one, other = channels
    assert ticked(window(web, clip)) == [one.id, other.id]
    data = {"connection": other.id, "offered": [one.id, other.id], "title": "Закат"}
    assert web.post(f"/clips/{clip.id}/publish", data=data, headers=HTMX).status_code == 200
    later = ready_clip(owner, title="Рассвет")
    fresh = telegram(owner, chat_id=-1001000000010)
    assert ticked(window(web, later)) == [other.id, fresh.id]
    data = {"connection": [one.id, other.id], "offered": [one.id, other.id, 2**70], "title": "Рассвет"}
    assert web.post(f"/clips/{later.id}/publish", data=data, headers=HTMX).status_code == 200
    assert ticked(window(web, ready_clip(owner, title="Полдень"))) == [one.id, other.id, fresh.id]


def test_a_refused_choice_is_not_remembered(web, clip, channels):
    one, other = channels
    data = {"offered": [one.id, other.id], "title": "Закат"}
    assert web.post(f"/clips/{clip.id}/publish", data=data, headers=HTMX).status_code == 422
    assert ticked(window(web, clip)) == [one.id, other.id]


# Sets


@BOTH
def test_a_set_is_saved_chosen_and_deleted(web, owner, clip, channels, headers):
    one, other = channels
    typed = {"title": "Набранное", f"description-{one.id}": "Своё", f"title-{one.id}": ""}
    path = f"/clips/{clip.id}/sets"
    answer = web.post(
        path, data=typed | {"connection": other.id, "set-name": " Работа ", "save-set": "1"}, headers=headers
    )
    assert answer.status_code == 200
    assert ticked(answer.text) == [other.id]
    assert 'value="Набранное"' in answer.text and "Своё" in panel(answer.text, one)
    [saved] = account_sets.all_of(owner)
    assert (saved.name, saved.connection_ids) == ("Работа", [other.id])

    answer = web.post(path, data=typed | {"connection": one.id, "set": saved.id}, headers=headers)
    assert ticked(answer.text) == [other.id]
    assert 'value="Набранное"' in answer.text

    answer = web.post(path, data=typed | {"connection": one.id, "delete-set": saved.id}, headers=headers)
    assert ticked(answer.text) == [one.id]
    assert ">Работа<" not in answer.text
    assert account_sets.all_of(owner) == []


def test_the_same_name_replaces_the_set(web, owner, clip, channels):
    one, other = channels
    for ids in ([one.id], [one.id, other.id]):
        data = {"connection": ids, "set-name": "Все", "save-set": "1"}
        assert web.post(f"/clips/{clip.id}/sets", data=data, headers=HTMX).status_code == 200
    assert [one.connection_ids for one in account_sets.all_of(owner)] == [[one.id, other.id]]


@pytest.mark.parametrize(
    ("name", "chooses", "said"),
    [
        ("  ", True, "Назовите набор."),
        ("Я" * 41, True, "Название набора длиннее 40 знаков"),
        ("Пусто", False, "Отметьте хотя бы один аккаунт"),
    ],
)
def test_a_set_that_cannot_be_saved(web, owner, clip, channels, name, chooses, said):
    data = {"connection": channels[0].id if chooses else "", "set-name": name, "save-set": "1", "title": "Набранное"}
    answer = web.post(f"/clips/{clip.id}/sets", data=data, headers=HTMX)
    assert answer.status_code == 422
    assert said in answer.text.partition('id="set-name-notes"')[2].partition("</p>")[0]
    assert 'id="set-new" open' in answer.text
    assert 'value="Набранное"' in answer.text
    assert account_sets.all_of(owner) == []


def test_there_are_at_most_so_many_sets(web, owner, clip, channels):
    for number in range(account_sets.MAX_SETS):
        account_sets.save(owner, f"Набор {number}", [channels[0].id])
    db.session.commit()
    data = {"connection": channels[0].id, "set-name": "Ещё один", "save-set": "1"}
    assert "Больше 20 наборов не бывает" in web.post(f"/clips/{clip.id}/sets", data=data, headers=HTMX).text
    replaced = data | {"set-name": "Набор 3"}
    assert web.post(f"/clips/{clip.id}/sets", data=replaced, headers=HTMX).status_code == 200


def test_another_users_set_and_accounts_are_not_there(web, owner, clip, channels, user, telegram):
    boris = user(email="boris@example.org", plan="business")
    foreign = telegram(boris, chat_id=-1001000000011)
    theirs = account_sets.save(boris, "Чужой", [foreign.id])
    db.session.commit()
    path = f"/clips/{clip.id}/sets"
    for what in ("set", "delete-set"):
        for number in (theirs.id, 2**70, "x"):
            assert web.post(path, data={what: number}, headers=HTMX).status_code == 404
    assert "Чужой" not in window(web, clip)
    data = {"connection": [foreign.id, 2**70], "offered": foreign.id, "set-name": "Мой", "save-set": "1"}
    assert web.post(path, data=data, headers=HTMX).status_code == 422
    assert db.session.scalar(db.select(db.func.count(AccountSet.id))) == 1


def test_an_account_that_is_disconnected_leaves_its_sets(web, owner, clip, channels):
    one, other = channels
    account_sets.save(owner, "Оба", [one.id, other.id])
    db.session.commit()
    connections.disconnect(owner, one.id)
    undo.remove_connection(one.id)  # it can be taken back no more
    db.session.commit()
    db.session.expire_all()
    assert [row.connection_ids for row in account_sets.all_of(owner)] == [[other.id]]


# After the press


def test_each_row_shows_what_its_platform_says(web, clip, channels):
    one, other = channels
    publish(clip, one, status=Status.PUBLISHED, url="https://t.me/x/1", published_at=clock.now())
    publish(clip, other, status=Status.PUBLISHING, stage=Stage.UPLOADING, sent=42, total=100)
    path = f"/clips/{clip.id}/publish/progress?account={one.id}&account={other.id}"
    page = web.get(path, headers=HTMX).text
    assert "Опубликовано: 1 из 2" in page
    assert '<a class="status" href="https://t.me/x/1"' in page
    assert "загрузка 42" in page
    assert "data-going" in page, "it asks again"
    made()[other.id].status = Status.FAILED
    made()[other.id].reason = "telegram_rights"
    db.session.commit()
    page = web.get(path, headers=HTMX).text
    assert "Бот не может публиковать в этом канале" in page
    assert "data-going" not in page
    assert "Опубликовано: 0 из 0" in web.get(path.partition("?")[0] + "?account=999", headers=HTMX).text


def test_a_second_press_shows_how_far_it_is(web, clip, channels):
    data = {"connection": channels[0].id, "title": "Закат"}
    for _ in range(2):
        answer = web.post(f"/clips/{clip.id}/publish", data=data, headers=HTMX)
        assert answer.status_code == 200
        assert "Опубликовано: 0 из 1" in answer.text
    assert len(made()) == 1


def test_without_a_script_everything_is_listed(web, clip, channels):
    page = web.get(f"/clips/{clip.id}/publish").text
    for name in ("title", "description", *(f"title-{one.id}" for one in channels), "due"):
        assert re.search(rf'<label for="{name}">', page), name
    assert page.index("data-guard disabled") < page.index('type="submit"', page.index('id="publish"') + 200)


def test_mentions_are_warned_of_where_they_notify(web, owner, vk, clip, channels):
    """VK's only; it is no refusal."""
    page = vk(owner)
    clip.description = "Снимал @ivan.petrov. Почта a@b.ru, 2*2=4, [club1|Команда], ещё раз @ivan.petrov"
    db.session.commit()
    shown = re.findall(r'data-marks="(\w+)"[^>]*?( hidden)?>.*?<b>(.*?)</b>', panel(window(web, clip), page), re.DOTALL)
    assert shown == [("title", " hidden", ""), ("description", "", "@ivan.petrov, [club1|Команда]")]
    assert "data-marks" not in panel(window(web, clip), channels[0])
    texts = {"title": "*id1 (Вера)", "description": "[vezde|Везде]"}
    assert web.post(f"/clips/{clip.id}/publish", data={"connection": page.id, **texts}, headers=HTMX).status_code == 200
    assert page.id in made()
