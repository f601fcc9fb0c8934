"""Telegram: the contract, and what is peculiar to it."""

import pytest

from app import platforms
from app.extensions import db
from app.models import Status
from app.platforms.errors import Unavailable
from app.publishing import lease
from app.services import connections, publications
from tests.conftest import DEMO_BOT, DEMO_CHANNEL
from tests.platforms.contract import Contract
from tests.publishing.conftest import look, row, settle, wait_until

WIDGET = r"GET /telegram-web/"
SEND = r"POST /telegram/.*sendVideo"
STRANGER_BOT = "999:stranger-bot-stranger-bot-stranger"


class TestTelegram(Contract):
    platform = "telegram"
    calls = (SEND,)
    upload = SEND
    commit = SEND
    findable = False
    refusals = {"error:403": "telegram_rights", "error:413": "too_large", "error:400": "telegram_chat_gone"}
    rate_limit = {"do": "error:429", "retry_after": 40}
    bad_token = {"do": "error:401"}
    stats_calls = (WIDGET,)
    gone_id = "999"

    def accounts(self):
        return ["110201543"]

    def connect(self, user):
        return connections.connect(user, "telegram", {"bot_token": DEMO_BOT, "channel": "@vezde_demo"})

    def test_every_call_may_meet_a_server_error(self, publication, call):
        """Telegram's own 5xx says that nothing was sent."""
        self.sandbox.trouble({"match": call, "do": "error:500", "nth": 1})
        self._ends_once(publication())

    @pytest.mark.parametrize("code", [502, 504])
    def test_a_gateway_that_got_no_answer_knows_nothing(self, publication, code):
        """The deed may have been done behind it: sent again, the clip would stand there twice."""
        self.sandbox.trouble({"match": SEND, "do": f"error:{code}", "nth": 1, "effect": True})
        self._ends_once(publication(), unknown=True)

    def test_a_platform_that_stays_down(self, publication):
        self.sandbox.trouble({"match": SEND, "do": "error:500"})
        done = settle(publication())
        assert (done.status, done.reason, done.attempt) == (Status.FAILED, "unavailable", 3)
        assert self.posts() == []

    def test_an_unknown_outcome_is_never_sent_again_by_itself(self, publication):
        self.sandbox.trouble({"match": SEND, "do": "lose_answer", "nth": 1})
        publication_id = publication()
        look(publication_id)
        first = row(publication_id)
        assert not publications.can_resend(first)
        with pytest.raises(publications.Problem):
            publications.cancel(self.owner, publication_id)
        done = settle(publication_id)
        assert done.status == Status.UNCONFIRMED
        assert len(self.posts()) == 1
        assert len([one for one in self.sandbox.requests if "sendVideo" in one["path"]]) == 1

    def test_the_user_says_it_is_there(self, publication):
        self.sandbox.trouble({"match": SEND, "do": "lose_answer", "nth": 1})
        publication_id = publication()
        settle(publication_id)
        [post] = self.posts()
        with pytest.raises(publications.Problem):
            publications.confirm(self.owner, publication_id, "javascript:alert(1)")
        publications.confirm(self.owner, publication_id, post["url"])
        assert (row(publication_id).status, row(publication_id).url) == (Status.PUBLISHED, post["url"])

    def test_the_user_says_it_is_not_there(self, publication):
        """The last byte never arrived; only the user can find that out."""
        self.sandbox.trouble({"match": SEND, "do": "cut_request:100", "nth": 1})
        publication_id = publication()
        assert settle(publication_id).status == Status.UNCONFIRMED
        assert self.posts() == []
        wait_until(row(publication_id).armed_until + lease.AFTER_DEADLINE)
        publications.resend(self.owner, publication_id)
        assert settle(publication_id).status == Status.PUBLISHED
        assert len(self.posts()) == 1

    def test_a_group_that_became_a_channel_is_followed(self, publication):
        new_id = DEMO_CHANNEL - 77
        self.sandbox.control("chats", id=new_id, title="Новый дом", rights={"110201543": ADMIN})
        publication_id = publication()
        self.sandbox.control(
            "chats", id=DEMO_CHANNEL, title="Старый дом", rights={"110201543": ADMIN}, migrate_to=new_id
        )
        done = settle(publication_id)
        assert done.status == Status.PUBLISHED, done.detail
        assert [post["account"] for post in self.posts()] == [str(new_id)]
        assert done.connection.facts["chat_id"] == new_id


ADMIN = {"status": "administrator", "can_post_messages": True}


@pytest.fixture
def connect(app, user, sandbox):
    owner = user()

    def go(bot_token: str = DEMO_BOT, channel: str = "@vezde_demo"):
        return connections.connect(owner, "telegram", {"bot_token": bot_token, "channel": channel})

    return go


@pytest.mark.parametrize(
    "channel",
    ["@vezde_demo", "vezde_demo", "https://t.me/vezde_demo", "t.me/s/vezde_demo", str(DEMO_CHANNEL), " @vezde_demo "],
)
def test_ways_to_write_a_channel(connect, sandbox, channel):
    connection = connect(channel=channel)
    assert connection.account_id == str(DEMO_CHANNEL)
    assert connection.account_url == f"{sandbox.url}/telegram-web/vezde_demo"
    assert connection.account_name


@pytest.mark.parametrize(
    ("bot_token", "channel", "says", "field"),
    [
        ("нет", "@vezde_demo", "не похоже на токен", "bot_token"),
        (STRANGER_BOT, "@vezde_demo", "не принял токен", "bot_token"),
        (DEMO_BOT, "@nobody_is_here", "не нашёл такой канал", "channel"),
        (DEMO_BOT, "https://t.me/+AbCdEf", "Не понять, какой это канал", "channel"),
        (DEMO_BOT, "@vezde_readonly", "администратором канала с правом публикации", "channel"),
    ],
)
def test_every_refusal_says_what_to_do(connect, bot_token, channel, says, field):
    with pytest.raises(connections.Problem) as problem:
        connect(bot_token, channel)
    assert says in problem.value.text
    assert problem.value.field == field


def test_the_refusal_names_the_bot(connect):
    with pytest.raises(connections.Problem) as problem:
        connect(channel="@vezde_readonly")
    assert "@" in problem.value.text


def test_an_administrator_without_the_right_to_post(connect, sandbox):
    sandbox.control(
        "rights", platform="telegram", account="@vezde_demo", status="administrator", can_post_messages=False
    )
    with pytest.raises(connections.Problem, match="правом публикации"):
        connect()


def test_telegram_is_down(connect, sandbox):
    sandbox.trouble({"match": "/telegram/", "do": "status:502"})
    with pytest.raises(connections.Problem, match="не отвечает"):
        connect()


def test_the_token_is_sealed(connect):
    connection = connect()
    secret = DEMO_BOT.partition(":")[2].encode()
    assert secret not in connection.sealed_token
    assert DEMO_BOT not in str({column: getattr(connection, column) for column in connection.__table__.columns.keys()})


def test_no_error_ever_quotes_the_token(app):
    """Telegram's token stands in its URL, and requests' exceptions quote that."""
    adapter = platforms.adapter("telegram", {**app.config, "TELEGRAM_API_URL": "http://127.0.0.1:9"})
    with pytest.raises(Unavailable) as error:
        adapter.connect({"bot_token": DEMO_BOT, "channel": "@vezde_demo"})
    shown: BaseException | None = error.value
    while shown:
        assert DEMO_BOT not in repr(shown)
        shown = shown.__cause__


def test_connecting_again_renews_the_same_connection(connect):
    assert connect().id == connect().id
    assert db.session.query(connections.PlatformConnection).count() == 1


def test_reasons_have_two_sentences():
    for key, (what, advice) in platforms.reasons().items():
        assert what and advice, key
