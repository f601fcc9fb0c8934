"""Connecting twice at once, and accounts of odd platforms."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy.orm.exc import ObjectDeletedError

from app.db import commit, db
from app.models import ConnectionStatus, PlatformConnection, Status, User
from app.platforms.base import Account, Token
from app.problems import NotFound, Problem
from app.services import connection_list, connections, destinations, platform_cards, publications
from app.services.publications import Choice
from tests.edges import committed

TWO = [Account(id="1", name="Анна"), Account(id="-2", name="Сообщество")]


def at_once(app, *calls):
    """Each call in a thread and a session of its own; what they return or raise."""
    together = Barrier(len(calls))

    def run(call):
        with app.app_context():
            together.wait()
            return call()

    db.session.commit()
    with ThreadPoolExecutor(len(calls)) as threads:
        ends = [threads.submit(run, call) for call in calls]
    return [end.exception() or end.result() for end in ends]


def save(user_id: int, *accounts: Account) -> int:
    return committed(connections.save(db.session.get(User, user_id), "vk", accounts, Token(access="t"))).id


def choose(user_id: int, connection_id: int, account_id: str) -> int:
    return committed(connections.choose(db.session.get(User, user_id), connection_id, account_id)).id


def test_a_double_click_connects_once(app, user):
    user_id = user().id
    for number in range(5):
        account = Account(id=str(number), name="Анна")
        made = at_once(app, *[lambda account=account: save(user_id, account)] * 4)
        assert len(set(made)) == 1, made
    assert db.session.query(PlatformConnection).count() == 5


def test_a_double_click_chooses_once(app, user):
    user_id = user().id
    waiting = save(user_id, *TWO)
    assert at_once(app, *[lambda: choose(user_id, waiting, "-2")] * 4) == [waiting] * 4


def test_accounts_have_one_order_everywhere(app, user, ready_clip):
    """By platform as the page of integrations has them, then by name: not by the day on which they were renewed."""
    owner = user(plan="pro")
    for platform, account_id, name in (
        ("telegram", "-1", "яхта"),
        ("vk", "2", "Волга"),
        ("telegram", "-2", "Арбуз"),
        ("vk", "1", "анна"),
    ):
        committed(connections.save(owner, platform, [Account(account_id, name)], Token(access="t")))
    wanted = ["анна", "Волга", "Арбуз", "яхта"]
    assert [one.account_name for one in connection_list.all_of(owner)] == wanted
    assert [one.connection.account_name for one in destinations.for_clip(owner, ready_clip(owner))] == wanted
    cards = platform_cards.all_of(owner)
    assert [one.account_name for card in cards for one in card.connections] == wanted


def test_two_consents_that_choose_the_same_account_leave_one(app, user):
    user_id = user().id
    some = [save(user_id, *TWO) for _ in range(3)]
    chosen = at_once(app, *[lambda one=one: choose(user_id, one, "1") for one in some])
    # One whose place another has taken by then is deleted.
    assert not [one for one in chosen if not isinstance(one, int | NotFound | ObjectDeletedError)], chosen
    assert [one.account_id for one in db.session.query(PlatformConnection)] == ["1"]


def test_a_double_click_disconnects_once(app, user):
    user_id = user().id
    one = save(user_id, TWO[0])

    def disconnect():
        return committed(connections.disconnect(db.session.get(User, user_id), one)).cancelled

    ended = at_once(app, *[lambda: (disconnect(),)] * 3)
    assert sorted(type(each).__name__ for each in ended) == ["NotFound", "NotFound", "tuple"]


def test_long_and_odd_names_of_a_platform(app, user):
    name = "Ж\0\ud83d" + "🎬" * 300
    account = Account(
        id="1", name=name, url="https://x/" + "y" * 5000, avatar_url="https://x/\0" + "z" * 5000, facts={"a": "\ud800"}
    )
    one = committed(connections.save(user(), "vk", [account], Token(access="t")))
    assert (one.account_name, one.facts) == ("Ж" + "🎬" * 254, {"a": ""})
    assert one.status == ConnectionStatus.ACTIVE


@pytest.mark.parametrize("account_id", ["", "9" * 65])
def test_an_id_is_never_cut(app, user, account_id):
    with pytest.raises(Problem, match="unexpected_answer"):
        connections.save(user(), "vk", [Account(id=account_id, name="Анна")], Token(access="t"))


@pytest.mark.parametrize("length", [200, 201, 1024])
def test_long_titles_where_a_platform_has_no_limit_of_its_own(app, user, telegram, ready_clip, length):
    owner = user()
    clip = ready_clip(owner)
    choice = Choice(telegram(owner).id, "Ж" * length, "")
    if length > 200:
        with pytest.raises(Problem, match="title_over_column"):
            publications.publish(owner, clip.id, [choice])
    else:
        [made] = publications.publish(owner, clip.id, [choice])
        commit()
        assert made.status == Status.PUBLISHING


def test_a_title_is_one_line(app, user, telegram, ready_clip):
    owner = user()
    choice = Choice(telegram(owner).id, " Закат\r\nBcc: x@example.org\u2028\x85 ", "a\r\nb\ud800")
    [made] = publications.publish(owner, ready_clip(owner).id, [choice])
    commit()
    assert (made.title, made.description) == ("Закат Bcc: x@example.org", "a\nb")
