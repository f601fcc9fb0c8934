"""Telegram: the contract, and what is peculiar to it."""

import pytest
import requests

from app import platforms
from app.db import commit, db
from app.models import Status, cover_key, thumbnail_key
from app.platform_access import lease_times
from app.platforms.errors import Unavailable
from app.services import connections, publications, retries
from tests import connecting
from tests.conftest import DEMO_BOT, DEMO_CHANNEL
from tests.platforms import covers
from tests.platforms.contract import Contract
from tests.publishing.conftest import look, read_stats, row, settle, wait_until

WIDGET = r"GET /telegram-web/"
SEND = r"POST /telegram/.*sendVideo"
GET_CHAT = r"POST /telegram/.*getChat$"
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
    stats_calls = (GET_CHAT, WIDGET)
    gone_id = "999"

    def accounts(self):
        return ["110201543"]

    def connect(self, user):
        return connecting.connect(user, "telegram", {"bot_token": DEMO_BOT, "channel": "@vezde_demo"})

    @pytest.mark.parametrize("chosen", [{"silent": True, "protected": True}, {}])
    def test_what_was_chosen_is_what_telegram_gets(self, publication, chosen):
        self.options = chosen
        self._ends_once(publication())
        [post] = self.posts()
        assert {name: post["facts"][name] for name in ("silent", "protected")} == dict.fromkeys(
            ("silent", "protected"), bool(chosen)
        )
        assert ("нельзя" in requests.get(post["url"]).text) == bool(chosen)

    @pytest.mark.parametrize("effect", [True, False])
    @pytest.mark.parametrize("code", [500, 502, 504])
    def test_a_server_error_does_not_say_whether_it_was_sent(self, publication, code, effect):
        """Telegram's own 500 too may come after the post: sent again, the clip would stand there twice."""
        self.sandbox.trouble({"match": SEND, "do": f"error:{code}", "nth": 1, "effect": effect})
        self._ends_once(publication(), unknown=True)
        assert len([one for one in self.sandbox.requests if "sendVideo" in one["path"]]) == 1

    def test_every_call_may_meet_a_server_error(self, publication, call):
        self.sandbox.trouble({"match": call, "do": "error:500", "nth": 1})
        self._ends_once(publication(), unknown=True)

    def test_a_platform_that_stays_down(self, publication, heavy_file):
        """Before the last byte it may be tried again."""
        self.sandbox.trouble({"match": SEND, "do": "cut_request:50"})
        done = settle(publication(source=heavy_file))
        assert (done.status, done.reason, done.attempt) == (Status.FAILED, "unavailable", 3)
        assert self.posts() == []

    # The cover

    def test_a_cover_and_a_preview_come_before_the_video(self, publication):
        done = settle(publication())
        assert (done.status, done.reason) == (Status.PUBLISHED, None)
        [post] = self.posts()
        assert post["facts"]["pictures_first"] is True
        assert post["facts"]["cover"] == covers.sent(self.clip.poster_key)
        assert post["facts"]["thumbnail"] == covers.sent(thumbnail_key(self.clip.poster_key))

    def test_the_chosen_cover_is_sent_in_its_full_size(self, publication):
        publication_id = publication()
        covers.choose(self.owner, self.clip, 500)
        done = settle(publication_id)
        assert done.status == Status.PUBLISHED
        [post] = self.posts()
        assert post["facts"]["cover"] == covers.sent(cover_key(self.clip.poster_key))

    def test_a_refused_cover_never_fails_a_publication(self, publication):
        self.sandbox.control("options", telegram_takes_covers=False)
        done = settle(publication())
        assert (done.status, done.reason, done.attempt) == (Status.PUBLISHED, "telegram_cover", 0)
        [post] = self.sandbox.posts
        assert (post["facts"]["cover"], post["facts"]["thumbnail"]) == (None, None)

    # A channel whose name changes

    def test_numbers_are_read_under_the_channels_new_name(self, publication):
        publication_id = self._published(publication)
        self._set_counts(publication_id, views=7)
        self._rename(DEMO_CHANNEL, "vezde_new")
        self._stranger_takes("vezde_demo")
        read_stats(publication_id)
        done = row(publication_id)
        assert done.views == 7
        assert done.connection.facts["username"] == "vezde_new"
        assert done.url == self.posts_of(DEMO_CHANNEL)[0]["url"].replace("vezde_demo", "vezde_new")
        assert done.account_url == done.connection.account_url == done.url.rpartition("/")[0]

    def test_a_channel_that_became_private_shows_no_numbers(self, publication):
        publication_id = self._published(publication)
        self._rename(DEMO_CHANNEL, None)
        self._stranger_takes("vezde_demo")
        read_stats(publication_id)
        done = row(publication_id)
        assert (done.views, done.likes) == (None, None)
        assert "/c/1000000001/" in done.url

    def test_without_its_present_name_no_page_is_read(self, publication):
        publication_id = self._published(publication)
        self._rename(DEMO_CHANNEL, "vezde_new")
        self._stranger_takes("vezde_demo")
        before = len(self.sandbox.requests)
        for do in ("status:502", "garbage", "lose_answer", "error:400", "error:403", "error:429"):
            self.sandbox.trouble({"match": GET_CHAT, "do": do})
            read_stats(publication_id)
            assert row(publication_id).views is None, do
        assert not [one for one in self.sandbox.requests[before:] if "telegram-web" in one["path"]]

    def test_a_clip_that_went_out_under_a_later_name_is_found_too(self, publication, vertical_file):
        first = self._published(publication)
        self._rename(DEMO_CHANNEL, "vezde_second")
        other = self._published(publication, source=vertical_file)
        self._rename(DEMO_CHANNEL, "vezde_third")
        self._stranger_takes("vezde_demo")
        self._stranger_takes("vezde_second", DEMO_CHANNEL - 6)
        for number in (1, 2):
            self.sandbox.control("stats", platform="telegram", id=str(number), account=str(DEMO_CHANNEL), views=number)
        read_stats(first, other)
        assert [row(one).views for one in (first, other)] == [1, 2]
        assert all("/vezde_third/" in row(one).url for one in (first, other))

    def _rename(self, chat_id: int, username: str | None) -> None:
        name = {"username": username} if username else {}
        self.sandbox.control("chats", id=chat_id, title="Новое имя", rights={"110201543": ADMIN}, **name)

    def _stranger_takes(self, username: str, chat_id: int = DEMO_CHANNEL - 5) -> None:
        """Somebody else's channel, with a post of the same number."""
        bot = f"{-chat_id}:stranger-stranger-stranger-stranger"
        self.sandbox.control("tokens", platform="telegram", token=bot, username="stranger_bot")
        rights = {bot.partition(":")[0]: ADMIN}
        self.sandbox.control("chats", id=chat_id, title="Чужой", username=username, rights=rights)
        for number in (1, 2):
            requests.post(
                f"{self.sandbox.url}/telegram/bot{bot}/sendVideo",
                data={"chat_id": chat_id},
                files={"video": ("clip.mp4", b"stranger", "video/mp4")},
                timeout=10,
            ).raise_for_status()
            self.sandbox.control("stats", platform="telegram", id=str(number), account=str(chat_id), views=10**6)
        page = requests.get(f"{self.sandbox.url}/telegram-web/{username}/1?embed=1", timeout=10).text
        assert f'data-post="{username}/1"' in page and "Чужой" in page

    def posts_of(self, chat_id: int) -> list[dict]:
        return [post for post in self.posts() if post["account"] == str(chat_id)]

    def test_an_unknown_outcome_is_never_sent_again_by_itself(self, publication):
        self.sandbox.trouble({"match": SEND, "do": "lose_answer", "nth": 1})
        publication_id = publication()
        look(publication_id)
        first = row(publication_id)
        assert not retries.can_resend(first)
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
        commit()
        assert (row(publication_id).status, row(publication_id).url) == (Status.PUBLISHED, post["url"])

    def test_the_user_says_it_is_not_there(self, publication):
        """The last byte never arrived; only the user can find that out."""
        self.sandbox.trouble({"match": SEND, "do": "cut_request:100", "nth": 1})
        publication_id = publication()
        assert settle(publication_id).status == Status.UNCONFIRMED
        assert self.posts() == []
        wait_until(row(publication_id).in_doubt_until + lease_times.AFTER_DEADLINE)
        retries.resend(self.owner, publication_id)
        commit()
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
        return connecting.connect(owner, "telegram", {"bot_token": bot_token, "channel": channel})

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
    with pytest.raises(connections.Problem, match="telegram_rights"):
        connect()


def test_telegram_is_down(connect, sandbox):
    sandbox.trouble({"match": "/telegram/", "do": "status:502"})
    with pytest.raises(connections.Problem, match="unavailable"):
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
