"""Options that a platform is asked for: the window, a scheduled publication, many at once, rules, tables; by the form
that TikTok's audit wants.
"""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from app import clock, platforms, texts
from app.db import commit, db
from app.models import PlatformConnection, Publication, Question, Rule
from app.platforms.base import Account, Token
from app.platforms.errors import Unavailable
from app.platforms.options import Select
from app.platforms.tiktok import choices
from app.services import connections, plan_export, plan_import
from app.services.publications import Choice, publish
from tests.publishing.conftest import settle
from tests.publishing.toy import Toy
from tests.questions import ask_platforms, wait_for_failure
from tests.web.test_clips import HTMX
from tests.web.test_scheduling import in_hours, typed

INFO = {
    "creator_nickname": "Аня & море",
    "creator_username": "anya",
    "creator_avatar_url": "https://p16.tiktokcdn.com/anya.jpeg",
    "privacy_level_options": ["PUBLIC_TO_EVERYONE", "SELF_ONLY"],
    "comment_disabled": False,
    "duet_disabled": True,
    "stitch_disabled": False,
    "max_video_post_duration_sec": 300,
}
CHOSEN = {"privacy": "PUBLIC_TO_EVERYONE"}


class Asker(Toy):
    options = choices.OPTIONS
    reasons = choices.REASONS
    asks_options = asks_options_each_time = True
    said = choices.account_options(INFO)
    asked = 0

    @classmethod
    def notices(cls, config):
        return choices.NOTICES

    @classmethod
    def check_options(cls, values):
        choices.check(values)

    def ask_options(self, token: Token, account: Account):
        type(self).asked += 1
        if self.said is None:
            raise Unavailable("не отвечает")
        return self.said


@pytest.fixture
def asker(toy, monkeypatch):
    platforms.ADAPTERS["toy"] = Asker
    monkeypatch.setattr(Asker, "said", choices.account_options(INFO))
    monkeypatch.setattr(Asker, "asked", 0)
    for key, words in choices.REASONS.items():
        monkeypatch.setitem(texts.REASONS, key, words)
    return Asker


@pytest.fixture
def owner(user):
    return user()


@pytest.fixture
def clip(owner, ready_clip):
    return ready_clip(owner, title="Закат")


@pytest.fixture
def connection(owner, asker) -> PlatformConnection:
    """Connected, and asked for the first time."""
    made = connections.save(owner, "toy", [Account("1", "Игрушка")], Token("toy-token"))
    ask_platforms()
    return made


@pytest.fixture
def web(sign_in, owner):
    return sign_in(owner)


def made() -> list[Publication]:
    return list(db.session.scalars(db.select(Publication).execution_options(populate_existing=True)))


def poll_of(page: str) -> str:
    return re.search(r'hx-get="(/[^"]*asked-\d+=\d+[^"]*)"', page)[1].replace("&amp;", "&")


def window(web, clip, headers=HTMX) -> str:
    return web.get(f"/clips/{clip.id}/publish", headers=headers).text


def answered(web, clip) -> str:
    """The account's options, once the platform has answered."""
    poll = poll_of(window(web, clip))
    ask_platforms()
    return web.get(poll, headers=HTMX).text


def send(web, clip, connection, action="publish", more=None, headers=HTMX, **answers):
    filled = {f"option-{connection.id}-{name}": answer for name, answer in answers.items()}
    chosen = {"connection": connection.id, "title": "Закат над рекой", "description": "Волга"}
    return web.post(f"/clips/{clip.id}/{action}", data=chosen | filled | (more or {}), headers=headers)


def test_it_is_asked_each_time_the_window_shows_and_the_tab_fills_in(web, clip, connection, asker):
    assert asker.asked == 1, "as soon as it is connected"
    page = window(web, clip)
    assert "Спрашиваем Игрушка" in page and 'name="option-' not in page
    poll = poll_of(page)
    assert web.get(poll, headers=HTMX).status_code == 204
    assert poll_of(window(web, clip)) == poll, "a question that waits is used again"
    ask_platforms()
    tab = web.get(poll, headers=HTMX).text
    assert "Аня &amp; море" in tab and 'src="https://p16.tiktokcdn.com/anya.jpeg"' in tab
    assert asker.asked == 2
    assert poll_of(window(web, clip)) != poll
    ask_platforms()
    assert asker.asked == 3


def test_the_form_is_as_the_audit_wants_it(web, clip, connection):
    tab = answered(web, clip)
    prefix = f"option-{connection.id}-"
    assert re.findall(r'<option value="(\w*)"', tab) == ["", "PUBLIC_TO_EVERYONE", "SELF_ONLY"]
    assert "selected" not in tab and " checked" not in tab
    assert re.search(rf'id="{prefix}duet"[^>]*disabled', tab), "greyed where the creator has it off"
    assert "Дуэты выключены в настройках" in tab
    assert not re.search(rf'id="{prefix}(comment|stitch)"[^>]*disabled', tab)
    assert re.search(rf'role="switch"[^>]*id="{prefix}ad"', tab)
    assert re.search(rf'<fieldset class="option-group" data-shown-when="{prefix}ad" data-shown-value="true">', tab)
    assert re.search(rf'data-rules-out="{prefix}privacy" data-rules-out-value="SELF_ONLY"', tab)
    music, branded = re.findall(r'<p class="help" data-shown-when="[^"]*-branded".*?</p>', tab, re.S)
    assert 'data-shown-value="false" data-shown' in music and "music-usage-confirmation" in music
    assert 'data-shown-value="true">' in branded and "bc-policy" in branded and "music-usage-confirmation" in branded
    assert "несколько минут" in tab and "не длиннее 5:00" in tab


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"privacy": ""}, "Выберите, что указать в настройке «Кто увидит»."),
        ({"privacy": "FOLLOWER_OF_CREATOR"}, "такого варианта нет"),
        (CHOSEN | {"duet": "on"}, "Дуэты выключены"),
        (CHOSEN | {"ad": "on"}, "не сказано, чья она"),
        ({"privacy": "SELF_ONLY", "ad": "on", "branded": "on"}, "Платное партнёрство не бывает только для вас"),
    ],
)
def test_what_the_audit_forbids_is_refused_at_its_field_and_nothing_is_lost(web, clip, connection, answers, says):
    poll = poll_of(window(web, clip))
    ask_platforms()
    question = re.search(r"asked-\d+=(\d+)", poll)[1]
    response = send(web, clip, connection, more={f"asked-{connection.id}": question}, **answers)
    assert response.status_code == 422 and made() == []
    assert says in response.text and 'aria-invalid="true"' in response.text
    assert 'value="Закат над рекой"' in response.text and "Спрашиваем" not in response.text
    if chosen := answers["privacy"] if answers["privacy"] in INFO["privacy_level_options"] else "":
        assert f'<option value="{chosen}" selected>' in response.text
    if "ad" in answers:
        assert re.search(r'data-shown-when="[^"]*-ad" data-shown-value="true" data-shown', response.text)


def test_what_was_chosen_reaches_the_platform(web, clip, connection, toy):
    assert send(web, clip, connection, **CHOSEN, ad="", branded="on", comment=["", "on"]).status_code == 200
    [publication] = made()
    settle(publication.id)
    unticked = dict.fromkeys(("duet", "stitch", "ad", "own_brand", "branded", "synthetic"), False)
    assert toy.options == {**CHOSEN, "comment": True, **unticked}
    assert "Кто увидит: Все; Комментарии: да" in web.get(f"/publications/{publication.id}").text
    assert "selected" not in answered(web, clip), "never remembered"


def test_before_it_has_answered_nothing_is_published(web, owner, clip, asker):
    connection = connections.save(owner, "toy", [Account("1", "Игрушка")], Token("toy-token"))
    commit()
    response = send(web, clip, connection, **CHOSEN)
    assert response.status_code == 422 and made() == []
    assert "Игрушка ещё не сказал, что можно выбрать" in response.text


def test_a_press_before_this_window_has_its_answer_is_refused_in_words(web, clip, connection):
    """Though the platform has answered another window."""
    question = re.search(r'name="asked-\d+" value="(\d+)"', window(web, clip))[1]
    response = send(web, clip, connection, more={f"asked-{connection.id}": question})
    assert response.status_code == 422 and made() == []
    tab = response.text[response.text.index(f'id="asked-{connection.id}"') :]
    assert tab.index("Игрушка ещё не сказал, что можно выбрать") < tab.index("Спрашиваем Игрушка")


@pytest.mark.parametrize("kind", ["window", "scheduled", "rule"])
def test_what_was_chosen_before_is_not_lost_by_a_press_that_is_too_early(
    web, owner, clip, connection, asker, monkeypatch, kind
):
    """Of a platform where everything has a default, so that nothing else refuses it."""
    calm = Select(name="category", label="Рубрика", asked=True, default="1", choices={"1": "Разное"}, remembered=True)
    monkeypatch.setattr(asker, "options", (calm,))
    monkeypatch.setattr(asker, "check_options", classmethod(lambda cls, values: None))
    number = 0
    if kind != "window":
        [publication] = publish(owner, clip.id, [Choice(connection.id, "Закат", "")], in_hours(30))
        number = publication.id
    connection.asked_options = None
    commit()
    rule = {"name": "Ферма", "where": "accounts", "when": "now", "title_template": "{title}", "text_template": "{text}"}
    address, form = {
        "window": (f"/clips/{clip.id}/publish", {"connection": connection.id, "title": "Закат"}),
        "scheduled": (f"/publications/{number}/options", {}),
        "rule": ("/settings/rules/new", rule | {"connection": connection.id}),
    }[kind]
    page = web.get(address, headers=HTMX).text
    asked = dict(re.findall(r'name="(asked-\d+)" value="(\d+)"', page))
    answer = web.post(address, data=form | asked, headers=HTMX)
    assert answer.status_code == 422 and "Игрушка ещё не сказал, что можно выбрать" in answer.text


def test_without_a_script_the_window_is_looked_at_again_with_all_that_is_typed(web, clip, connection):
    page = window(web, clip, {})
    assert re.search(r'<button[^>]*name="look" value="0"\s+formaction="/clips/\d+/publish/options"', page)
    question = re.search(r'name="asked-\d+" value="(\d+)"', page)[1]
    ask_platforms()
    typed = {"look": "0", f"asked-{connection.id}": question, "due": ""}
    response = send(web, clip, connection, "publish/options", typed, {})
    assert 'value="Закат над рекой"' in response.text and "Волга" in response.text
    assert f'name="option-{connection.id}-privacy"' in response.text and made() == []
    assert db.session.query(Question).count() == 2, "it is not asked once more"


def test_a_platform_that_does_not_answer_is_told_and_asked_once_more(web, clip, connection, asker):
    asker.said = None
    poll = poll_of(window(web, clip))
    wait_for_failure()
    tab = web.get(poll, headers=HTMX).text
    assert "Игрушка не сказал, что можно выбрать. Площадка не отвечает" in tab and 'name="option-' not in tab
    assert "Спросить ещё раз" in tab
    asker.said = choices.account_options(INFO)
    question = re.search(r"asked-\d+=(\d+)", poll)[1]
    again = {"look": connection.id, f"asked-{connection.id}": question}
    page = send(web, clip, connection, "publish/options", again).text
    assert "Спрашиваем Игрушка" in page and 'value="Закат над рекой"' in page
    poll = poll_of(page)
    ask_platforms()
    assert 'name="option-' in web.get(poll, headers=HTMX).text


def test_an_answer_that_does_not_come_is_told(web, clip, connection):
    poll = poll_of(window(web, clip))
    clock.correct(clock.now() + timedelta(minutes=1))
    late = web.get(poll, headers=HTMX).text
    assert "Ответа пока нет" in late
    assert web.get(poll_of(late), headers=HTMX).status_code == 204


def test_a_clip_that_is_longer_than_the_account_may_post(web, owner, clip, connection, asker):
    asker.said = replace(asker.said, max_seconds=0.5)
    assert re.search(r"Клип длится [\d:]+, а Игрушка берёт от этого\s+аккаунта не длиннее", answered(web, clip))
    response = send(web, clip, connection, **CHOSEN)
    assert response.status_code == 422 and "Клип длиннее, чем разрешено этому аккаунту (0.5 с)" in response.text
    response = send(web, clip, connection, "schedule", {"due": typed(in_hours(3))}, **CHOSEN)
    assert response.status_code == 422 and made() == []


def test_an_account_that_takes_no_more_posts_now(web, clip, connection, asker):
    asker.said = replace(asker.said, refusal="tiktok_too_many_posts")
    assert "сейчас не принимает от этого аккаунта" in answered(web, clip)
    response = send(web, clip, connection, **CHOSEN)
    assert response.status_code == 422 and "сейчас не принимает" in response.text
    response = send(web, clip, connection, "schedule", {"due": typed(in_hours(30))}, **CHOSEN)
    assert response.status_code == 200 and len(made()) == 1, "by then it may take them"


def test_a_strangers_account_is_not_found(web, user, ready_clip, clip, connection, sign_in):
    poll = poll_of(window(web, clip))
    other = user(email="stranger@example.ru")
    stranger = sign_in(other)
    assert stranger.get(poll, headers=HTMX).status_code == 404
    mine = ready_clip(other, title="Чужой")
    assert stranger.get(poll.replace(f"/clips/{clip.id}/", f"/clips/{mine.id}/"), headers=HTMX).status_code == 404


def test_choices_that_seldom_change_are_shown_at_once(web, clip, connection, asker, monkeypatch):
    monkeypatch.setattr(asker, "asks_options_each_time", False)
    assert "Спрашиваем" not in (page := window(web, clip)) and f'name="option-{connection.id}-privacy"' in page
    assert asker.asked == 1
    clock.correct(clock.now() + timedelta(days=2))
    assert f'name="option-{connection.id}-privacy"' in window(web, clip), "what was said before, meanwhile"
    ask_platforms()
    assert asker.asked == 2


def test_an_installation_without_these_options_asks_nothing(web, clip, connection, asker, monkeypatch):
    monkeypatch.setattr(asker, "offered_options", classmethod(lambda cls, config: ()))
    page = window(web, clip)
    assert "Спрашиваем" not in page and 'name="option-' not in page
    assert send(web, clip, connection).status_code == 200
    assert (made()[0].options, asker.asked) == ({}, 1)


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
def test_a_scheduled_publication_is_asked_for_anew(web, owner, clip, connection, asker, headers):
    [publication] = publish(owner, clip.id, [Choice(connection.id, "Закат", "", options=CHOSEN)], in_hours(5))
    commit()
    number, address = publication.id, f"/publications/{publication.id}/options"
    page = web.get(address, headers=headers).text
    assert "Спрашиваем Игрушка" in page and asker.asked == 1
    poll, question = poll_of(page), re.search(r'name="asked-\d+" value="(\d+)"', page)[1]
    ask_platforms()
    assert '<option value="PUBLIC_TO_EVERYONE" selected>' in web.get(poll, headers=HTMX).text
    asked = {f"asked-{connection.id}": question}
    assert "selected" in web.post(address, data=asked | {"look": "0"}, headers=headers).text
    answers = asked | {f"option-{number}-privacy": "SELF_ONLY", f"option-{number}-ad": "on"}
    refused = web.post(address, data=answers, headers=headers)
    assert refused.status_code == 422 and '<option value="SELF_ONLY" selected>' in refused.text
    web.post(address, data=answers | {f"option-{number}-own_brand": "on"}, headers=headers)
    assert (made()[0].options["privacy"], made()[0].options["own_brand"]) == ("SELF_ONLY", True)


def test_many_are_asked_once_for_all_and_never_without_a_choice(web, owner, clip, connection, asker):
    other = connections.save(owner, "toy", [Account("2", "Вторая")], Token("other-token"))
    ask_platforms()
    sheet = {"clip": clip.id, "connection": [connection.id, other.id], "how": "now"}
    page = web.post("/bulk", data=sheet, headers=HTMX).text
    assert "Спрашиваем Игрушка" in page
    poll = re.search(r'hx-get="(/bulk/options[^"]*)"', page)[1].replace("&amp;", "&")
    asked = dict(re.findall(r'name="(asked-\d+)" value="(\d+)"', page))
    assert len(asked) == 2 and web.get(poll, headers=HTMX).status_code == 204
    asker.said = replace(asker.said, off={})
    ask_platforms()
    assert web.get(poll, headers=HTMX).headers["HX-Trigger"] == "renew"
    page = web.post("/bulk", data=sheet | asked, headers=HTMX).text
    assert "Спрашиваем" not in page and page.count('name="option-toy-privacy"') == 1
    assert page.count("<b>Аня &amp; море</b>") == 2 and "selected" not in page[page.index("option-toy-privacy") :][:400]
    assert web.post("/bulk/publish", data=sheet | asked, headers=HTMX).status_code == 422
    assert made() == []
    web.post("/bulk/publish", data=sheet | asked | {"option-toy-privacy": "SELF_ONLY"}, headers=HTMX)
    assert [one.options["privacy"] for one in made()] == ["SELF_ONLY"] * 2


def test_a_rule_is_not_saved_before_the_privacy_is_chosen_for_each_account(web, connection, asker):
    page = web.get("/settings/rules/new").text
    poll, question = poll_of(page), re.search(r'name="asked-\d+" value="(\d+)"', page)[1]
    assert web.get(poll, headers=HTMX).status_code == 204
    ask_platforms()
    assert "Аня &amp; море" in web.get(poll, headers=HTMX).text
    form = {"name": "Ферма", "where": "accounts", "when": "now", "title_template": "{title}", "text_template": "{text}"}
    form |= {"connection": connection.id, f"asked-{connection.id}": question}
    assert "Аня &amp; море" in web.post("/settings/rules/new", data=form | {"look": "0"}).text
    refused = web.post("/settings/rules/new", data=form)
    assert refused.status_code == 422 and "Выберите, что указать в настройке «Кто увидит»" in refused.text
    assert db.session.query(Rule).count() == 0
    assert (
        web.post("/settings/rules/new", data=form | {f"option-{connection.id}-privacy": "SELF_ONLY"}).status_code == 303
    )
    db.session.rollback()
    assert db.session.query(Rule).one().options[str(connection.id)]["privacy"] == "SELF_ONLY"


def test_a_table_names_the_choices_by_their_words(web, owner, clip, connection, asker):
    due = in_hours(30)
    table = f"Файл;Когда;Куда;Игрушка: Кто увидит\n{clip.title};{typed(due)};Игрушка;Только вы\n"
    one = plan_import.start(owner, "план.csv", table.encode())
    commit()
    [row] = plan_import.check(owner, one).rows
    assert [line.options["privacy"] for line in row.lines] == ["SELF_ONLY"] and row.state == plan_import.State.READY
    one = plan_import.start(owner, "план.csv", table.replace("Только вы", "").encode())
    [row] = plan_import.check(owner, one).rows
    assert [problem.code for problem in row.lines[0].problems] == ["option_not_chosen"]


@pytest.mark.parametrize("asked", ["9" * 30, "-1", "x", "", "0"])
def test_a_question_that_is_none(web, clip, connection, asked):
    for field in (f"asked-{connection.id}", "asked-" + "9" * 30, "asked-x", "asked-²"):
        response = send(web, clip, connection, "publish/options", {field: asked, "look": asked})
        assert response.status_code == 200


def test_the_template_of_a_table_chooses_no_privacy(web, owner, connection):
    head, *lines = plan_export.template(owner)
    column = head.index("Игрушка: Кто увидит")
    assert [line[column] for line in lines] == ["", ""]
