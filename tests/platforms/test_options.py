"""Publication options: a toy platform declares some; the dialog, the services and the adapter handle the same ones."""

import json
import re

import pytest

from app import platforms
from app.db import db, transaction
from app.models import PlatformConnection, Publication, Status
from app.platforms import options
from app.platforms.base import Account, Token
from app.platforms.options import AccountOptions, Checkbox, Select, Text
from app.problems import Problem
from app.publishing import lease
from app.services import connections, data_export, publication_options, publications, retries
from app.services.publications import Choice
from tests.publishing.conftest import at_work, row, settle, wait_until
from tests.publishing.toy import Toy, ToyServer
from tests.web.test_clips import HTMX
from tests.web.test_scheduling import in_hours, typed

AUDIENCE = Select(
    name="audience",
    label="Кому показывать",
    help="Площадка спрашивает это о каждом клипе.",
    choices={"all": "Всем", "adults": "Только взрослым"},
    required=True,
)
COMMENTS = Checkbox(name="comments", label="Разрешить комментарии", default=True, remembered=True)
PLACE = Text(name="place", label="Место съёмки", max_length=20)
PLAYLIST = Select(name="playlist", label="Плейлист", asked=True)


class Chooser(Toy):
    options = (AUDIENCE, COMMENTS, PLACE)

    def ask_options(self, token: Token, account: Account) -> AccountOptions:
        return AccountOptions(choices={"playlist": {"7": f"Лето, {account.name}"}})


@pytest.fixture
def chooser(toy) -> ToyServer:
    platforms.ADAPTERS["toy"] = Chooser
    return toy


@pytest.fixture
def owner(user):
    return user()


@pytest.fixture
def clip(owner, ready_clip):
    return ready_clip(owner, title="Закат")


@pytest.fixture
def connection(owner, chooser) -> PlatformConnection:
    made = connections.save(owner, "toy", [Account("1", "Игрушка")], Token("toy-token"))
    db.session.commit()
    return made


@pytest.fixture
def web(sign_in, owner):
    return sign_in(owner)


def made() -> list[Publication]:
    return list(db.session.scalars(db.select(Publication).execution_options(populate_existing=True)))


def publish(owner, clip, connection, due_at=None, **answers) -> Publication:
    [publication] = publications.publish(owner, clip.id, [Choice(connection.id, "Закат", "", options=answers)], due_at)
    db.session.commit()
    return publication


def send(web, clip, connection, action: str = "publish", more: dict | None = None, **answers: str | list[str]):
    filled = {f"option-{connection.id}-{name}": answer for name, answer in answers.items()}
    chosen = {"connection": connection.id, f"title-{connection.id}": "Закат над рекой"}
    return web.post(f"/clips/{clip.id}/{action}", data=chosen | filled | (more or {}), headers=HTMX)


def test_the_dialog_shows_them_as_declared(web, clip, connection):
    page = web.get(f"/clips/{clip.id}/publish", headers=HTMX).text
    for option in Chooser.options:
        assert re.search(rf'<label[^>]* for="option-{connection.id}-{option.name}"', page), option.name
        assert option.label in page
    assert AUDIENCE.help in page
    assert re.findall(r'<option value="(\w*)">', page) == ["", "all", "adults"]
    assert re.search(rf'type="checkbox" name="option-{connection.id}-comments" id="[^"]*" checked', page)
    assert re.search(rf'maxlength="20" name="option-{connection.id}-place"', page)


def test_the_answers_of_the_dialog_reach_publish(web, clip, connection, chooser):
    response = send(web, clip, connection, audience="adults", comments=[""], place="  Волга,\n Плёс ")
    assert response.status_code == 200
    [publication] = made()
    assert settle(publication.id).status == Status.PUBLISHED
    assert chooser.options == {"audience": "adults", "comments": False, "place": "Волга, Плёс"}
    page = web.get(f"/publications/{publication.id}").text
    shown = "Кому показывать: Только взрослым; Разрешить комментарии: нет; Место съёмки: Волга, Плёс"
    assert f"<dt>Настройки</dt><dd>{shown}</dd>" in page


def test_a_ticked_checkbox_follows_its_hidden_field(web, clip, connection):
    send(web, clip, connection, audience="all", comments=["", "on"])
    assert [one.options for one in made()] == [{"audience": "all", "comments": True, "place": ""}]


@pytest.mark.parametrize("action", ["publish", "schedule"])
def test_a_wrong_answer_is_refused_at_its_field_and_nothing_is_lost(web, clip, connection, action):
    filled = {"audience": "", "comments": "", "place": "Плёс"}
    due = {"due": typed(in_hours(24))} if action == "schedule" else {}
    response = send(web, clip, connection, action, due, **filled)
    assert response.status_code == 422
    assert made() == []
    notes = re.search(rf'id="option-{connection.id}-audience-notes">(.*?)</div>', response.text, re.S)[1]
    assert "Выберите, что указать в настройке «Кому показывать»." in notes
    assert 'value="Плёс"' in response.text and 'value="Закат над рекой"' in response.text
    assert re.search(rf'type="checkbox"[^>]* id="option-{connection.id}-comments">', response.text), "not ticked"
    assert send(web, clip, connection, action, due, **filled | {"audience": "all"}).status_code == 200
    assert [one.options for one in made()] == [{"audience": "all", "comments": False, "place": "Плёс"}]


def test_the_window_begins_with_what_was_chosen_last_where_that_may_be_remembered(web, owner, clip, connection):
    settle(publish(owner, clip, connection, audience="adults", comments=False, place="Плёс").id)
    page = web.get(f"/clips/{clip.id}/publish", headers=HTMX).text
    assert re.search(rf'type="checkbox" name="option-{connection.id}-comments" id="[^"]*">', page), "not ticked"
    assert "selected" not in page[page.index(f'id="option-{connection.id}-audience"') :].partition("</select>")[0]
    assert 'value="Плёс"' not in page


def test_what_can_no_longer_be_chosen_is_not_remembered(owner, clip, connection):
    publication = publish(owner, clip, connection, audience="all")
    publication.options = {"comments": "maybe"}
    db.session.commit()
    assert publication_options.remembered(owner, [connection]) == {connection.id: {}}


BOTH = pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])


def edit(web, publication_id: int, headers: dict, **answers):
    filled = {f"option-{publication_id}-{name}": answer for name, answer in answers.items()}
    return web.post(f"/publications/{publication_id}/options", data=filled, headers=headers)


@BOTH
def test_they_are_changed_while_the_publication_is_scheduled(web, owner, clip, connection, chooser, headers):
    due = in_hours(2)
    number = publish(owner, clip, connection, due, audience="all").id
    page = web.get(f"/publications/{number}").text
    assert f"/publications/{number}/options" in page
    form = web.get(f"/publications/{number}/options", headers=headers).text
    assert f'<option value="all" selected>{AUDIENCE.choices["all"]}</option>' in form
    refused = edit(web, number, headers, audience="", place="Волга")
    assert (refused.status_code, "Выберите, что указать" in refused.text) == (422, True)
    assert 'value="Волга"' in refused.text, "nothing typed is lost"
    assert edit(web, number, headers, audience="adults", comments="", place="Плёс").status_code in (200, 303)
    [changed] = made()
    assert (changed.status, changed.due_at, changed.wake_at) == (Status.SCHEDULED, due, due)
    assert "Настройки изменены" in web.get(f"/publications/{number}").text
    wait_until(due)
    assert settle(number).status == Status.PUBLISHED
    assert chooser.options == {"audience": "adults", "comments": False, "place": "Плёс"}
    assert edit(web, number, headers, audience="all").status_code == (422 if headers else 303), "it is too late"
    assert made()[0].options["audience"] == "adults"


def test_a_worker_that_has_taken_it_loses_it(owner, clip, connection, chooser):
    due = in_hours(2)
    number = publish(owner, clip, connection, due, audience="all").id
    wait_until(due)
    at_work(transaction()(lambda: lease.acquire(number, lambda _: None)))
    assert row(number).lease_until
    publication_options.change(owner, number, {"audience": "adults"}, "option-")
    db.session.commit()
    assert (row(number).lease_until, row(number).wake_at) == (None, due)


def test_a_strangers_publication_is_not_found(web, user, owner, clip, connection, sign_in):
    number = publish(owner, clip, connection, in_hours(2), audience="all").id
    stranger = sign_in(user(email="stranger@example.ru"))
    assert stranger.get(f"/publications/{number}/options").status_code == 404
    assert edit(stranger, number, {}, audience="adults").status_code == 404


def test_a_failed_publication_keeps_them_when_it_is_retried(owner, clip, connection, chooser):
    chooser.answers["create"] = [400]
    answers = {"audience": "all", "place": "Плёс"}
    [publication] = publications.publish(owner, clip.id, [Choice(connection.id, "Закат", "", options=answers)])
    db.session.commit()
    assert settle(publication.id).status == Status.FAILED
    retries.retry(owner, publication.id)
    db.session.commit()
    assert settle(publication.id).status == Status.PUBLISHED
    assert chooser.options == {"audience": "all", "comments": True, "place": "Плёс"}


def test_the_service_refuses_all_or_none(owner, clip, connection):
    with pytest.raises(Problem) as refused:
        publications.publish(owner, clip.id, [Choice(connection.id, "Закат", "", options={"audience": "nobody"})])
    assert (refused.value.code, refused.value.field) == ("option_not_among_choices", f"option-{connection.id}-audience")
    db.session.rollback()
    assert made() == []


def test_a_publication_that_is_older_than_an_option_is_published(owner, clip, connection, chooser):
    Chooser.options = ()
    try:
        [publication] = publications.publish(owner, clip.id, [Choice(connection.id, "Закат", "")])
        db.session.commit()
    finally:
        Chooser.options = (AUDIENCE, COMMENTS, PLACE)
    assert settle(publication.id).status == Status.PUBLISHED
    assert chooser.options == {"audience": "", "comments": True, "place": ""}


def test_they_are_among_the_users_data(owner, clip, connection):
    publications.publish(owner, clip.id, [Choice(connection.id, "Закат", "", options={"audience": "all"})])
    db.session.commit()
    [one] = json.loads("".join(data_export.export(owner)))["publications"]
    assert one["options"] == {"audience": "all", "comments": True, "place": ""}


@pytest.mark.parametrize(
    ("answers", "code", "name"),
    [
        ({}, "option_not_chosen", "audience"),
        ({"audience": "nobody"}, "option_not_among_choices", "audience"),
        ({"audience": ["all"]}, "option_not_among_choices", "audience"),
        ({"audience": None}, "option_not_among_choices", "audience"),
        ({"audience": "all", "comments": "maybe"}, "option_not_true_or_false", "comments"),
        ({"audience": "all", "comments": 1}, "option_not_true_or_false", "comments"),
        ({"audience": "all", "comments": None}, "option_not_true_or_false", "comments"),
        ({"audience": "all", "place": 7}, "option_not_text", "place"),
        ({"audience": "all", "place": "Ы" * 21}, "option_too_long", "place"),
        ({"audience": "all", "colour": "red"}, "option_unknown", "colour"),
    ],
)
def test_an_answer_that_was_not_declared(answers, code, name):
    with pytest.raises(Problem) as refused:
        options.check(Chooser.options, answers)
    assert (refused.value.code, refused.value.field) == (code, f"option-{name}")
    assert re.search("[а-яё]", refused.value.text) and "{" not in refused.value.text


def test_required_ones():
    consent = Checkbox(name="consent", label="Музыка моя", required=True)
    author = Text(name="author", label="Автор", max_length=10, required=True)
    for answers, code in (({"author": "Я"}, "option_not_ticked"), ({"consent": True}, "option_empty")):
        with pytest.raises(Problem) as refused:
            options.check([consent, author], answers)
        assert refused.value.code == code
    assert options.check([consent, author], {"consent": "on", "author": " Я "}) == {"consent": True, "author": "Я"}


def test_choices_that_are_asked_of_the_platform(app, chooser):
    adapter = platforms.adapter("toy", app.config)
    asked = adapter.ask_options(Token("toy-token"), Account("1", "Игрушка"))
    declared = options.for_account((AUDIENCE, PLAYLIST), asked)
    assert options.check(declared, {"audience": "all", "playlist": "7"}) == {"audience": "all", "playlist": "7"}
    assert list(options.facts(declared, {"playlist": "7"})) == [("Плейлист", "Лето, Игрушка")]
    for unknown in (declared, options.for_account((AUDIENCE, PLAYLIST), AccountOptions())):
        with pytest.raises(Problem) as refused:
            options.check(unknown, {"audience": "all", "playlist": "8"})
        assert refused.value.code == "option_not_among_choices"


SAID = AccountOptions(choices={"privacy": {"ALL": "Все", "ME": "Только вы"}}, off={"duet": "Дуэты выключены."})
FORM = (
    Select(name="privacy", label="Кто увидит", asked=True, required=True),
    Checkbox(name="duet", label="Дуэт"),
    Checkbox(name="ad", label="Реклама"),
    Checkbox(name="branded", label="Партнёрство", shown_when=("ad", True), rules_out=("privacy", "ME")),
)


def _no_private_partners(values) -> None:
    if values["branded"] and values["privacy"] == "ME":
        raise options.conflict("privacy", "refused")


@pytest.mark.parametrize(
    ("answers", "code", "field"),
    [
        ({"privacy": "FRIENDS"}, "option_not_among_choices", "option-privacy"),
        ({"privacy": "ALL", "duet": True}, "option_off", "option-duet"),
        ({"privacy": "ME", "ad": True, "branded": True}, "refused", "option-privacy"),
    ],
)
def test_what_the_platform_has_said_of_an_account_is_held(answers, code, field):
    with pytest.raises(Problem) as refused:
        options.check(options.for_account(FORM, SAID), answers, across=_no_private_partners)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert "{" not in refused.value.text


def test_what_is_hidden_does_not_count():
    given = {"privacy": "ME", "ad": "", "branded": "on"}
    checked = options.check(options.for_account(FORM, SAID), given, across=_no_private_partners)
    assert checked == {"privacy": "ME", "duet": False, "ad": False, "branded": False}
    assert "Партнёрство" not in dict(options.facts(FORM, checked))


def test_nothing_can_be_chosen_before_the_platform_has_answered():
    assert options.needs_answer(FORM) and not options.needs_answer((PLAYLIST, AUDIENCE))
    assert options.for_account(FORM, None)[0].choices == {}
    known = Select(name="category", label="Рубрика", asked=True, required=True, default="1", choices={"1": "Разное"})
    assert options.check(options.for_account([known], None), {}) == {"category": "1"}


@pytest.mark.parametrize(
    "said", [{"choices": {"privacy": {"ALL": 7}}}, {"choices": {"privacy": ["ALL"]}}, {"max_seconds": "600"}]
)
def test_what_the_platform_says_has_its_shape(said):
    with pytest.raises((TypeError, AttributeError)):
        AccountOptions(**said)


def test_what_the_platform_says_is_cleaned_and_comes_back_as_stored():
    said = AccountOptions(choices={"a": {"1": "Лето\u202e"}}, name=" Аня\n", avatar_url="javascript:alert(1)")
    assert (said.choices, said.name, said.avatar_url) == ({"a": {"1": "Лето"}}, "Аня", None)
    assert AccountOptions.of(json.loads(json.dumps(said.stored()))) == said
