"""MAX: the contract, and what is peculiar to it."""

from datetime import timedelta

import pytest
import requests

from app import clock
from app.db import commit, db
from app.models import ConnectionStatus, PublicationEvent, Stage, Status
from app.platforms.http.client import Http
from app.publishing import wake_times
from app.services import connections, history, publications, retries
from app.services.publications import Choice
from tests import connecting
from tests.platforms.contract import Contract
from tests.publishing.conftest import at_work, look, read_stats, row, settle, wait_until

TOKEN = "vezde-max-demo-bot"
CHANNEL, PRIVATE = -71000000000001, -71000000000003
CREATE, UPLOAD, SEND = r"POST /max/uploads$", r"POST /max-upload/upload\.do$", r"POST /max/messages$"
READ = r"GET /max/messages$"


class TestMax(Contract):
    platform = "max"
    calls = (CREATE, UPLOAD, SEND)
    upload = UPLOAD
    commit = SEND
    findable = True
    removes_drafts = False
    refusals = {"error:proto.payload": "refused", "error:chat.denied": "max_denied", "status:413": "too_large"}
    bad_token = {"do": "error:verify.token"}
    stats_calls = (READ,)
    gone_id = "mid.gone"

    @pytest.fixture(autouse=True)
    def processed_at_once(self, time_passes, sandbox):
        """So that it is a post whose answer is lost, and not that the file is not ready."""
        sandbox.control("options", processing_seconds=0, max_seconds_per_mb=0)

    def accounts(self):
        return ["7001"]

    def connect(self, user):
        return connecting.connect(user, "max", {"bot_token": TOKEN, "channel": "@vezde_demo"})

    def calls_of(self, path: str) -> list[dict]:
        return [one for one in self.sandbox.requests if f"{one['method']} {one['path']}" == path]

    # The file is processed

    def test_a_file_in_processing_is_waited_for_without_a_worker(self, publication):
        self.sandbox.trouble({"match": SEND, "do": "error:attachment.not.ready", "nth": 1, "times": 12})
        publication_id = publication()
        assert look(publication_id)
        waiting = row(publication_id)
        assert (waiting.stage, waiting.lease_until, waiting.commit_in_doubt) == (Stage.PROCESSING, None, None)
        assert waiting.wake_at > clock.now(), "the worker is free"
        began = clock.now()
        done = self._ends_once(publication_id)
        assert done.attempt == 0, "no try is used"
        assert clock.now() - began > timedelta(minutes=3)
        kinds = [line.kind for attempt in history.attempts(done) for line in attempt.lines]
        assert kinds.count("commit_started") == 2, "before the wait, and after it"
        assert len(self.calls_of("POST /max/uploads")) == len(self.calls_of("POST /max-upload/upload.do")) == 1

    def test_a_file_that_is_never_processed_comes_to_an_end(self, publication):
        self.sandbox.trouble({"match": SEND, "do": "error:attachment.not.ready"})
        done = settle(publication(), looks=200)
        assert (done.status, done.reason) == (Status.FAILED, "unavailable")
        assert "обработку" in done.detail
        assert self.posts() == []
        self.sandbox.trouble()
        retries.retry(self.owner, done.id)
        commit()
        self._ends_once(done.id)

    def test_a_cancel_while_the_file_is_processed(self, publication):
        self.sandbox.trouble({"match": SEND, "do": "error:attachment.not.ready"})
        publication_id = publication()
        look(publication_id)
        publications.cancel(self.owner, publication_id)
        commit()
        assert settle(publication_id).status == Status.CANCELLED
        assert self.posts() == []

    def test_a_file_that_takes_a_second(self, publication):
        self.sandbox.control("options", processing_seconds=0.1)
        self._ends_once(publication())
        assert len(self.calls_of("POST /max/messages")) > 1

    # Answers that look like others

    @pytest.mark.parametrize("at", [CREATE, SEND])
    @pytest.mark.parametrize("effect", [False, True])
    def test_success_false_is_no_success(self, publication, at, effect):
        """With status 200. Whatever it says of the message, the channel is read before it is sent again."""
        self.sandbox.trouble({"match": at, "do": "error:success:false", "nth": 1, "effect": effect})
        self._ends_once(publication())

    def test_success_false_to_the_question_is_no_empty_channel(self, publication):
        self.sandbox.trouble(
            {"match": SEND, "do": "lose_answer", "nth": 1},
            {"match": READ, "do": "error:success:false", "nth": 1, "times": 3},
        )
        self._ends_once(publication())
        assert len(self.calls_of("POST /max/messages")) == 1

    def test_the_upload_servers_never_see_the_token(self, publication, monkeypatch):
        sent: list[tuple[str, dict]] = []
        request = Http.request

        def recorded(self: Http, method: str, url: str, **more):
            sent.append((url, more.get("headers") or {}))
            return request(self, method, url, **more)

        monkeypatch.setattr(Http, "request", recorded)
        settle(publication())
        [headers] = [headers for url, headers in sent if "/max-upload/" in url]
        assert headers.keys() == {"Content-Type"}
        assert {headers["Authorization"] for url, headers in sent if "/max/" in url} == {TOKEN}

    # What was sent is found

    def test_a_lost_answer_is_found_below_many_other_posts(self, publication, sandbox):
        self.sandbox.trouble({"match": SEND, "do": "lose_answer", "nth": 1})
        publication_id = publication()
        look(publication_id)
        self.sandbox.control("options", rate_limits=False)
        self._write_posts(130)
        done = self._ends_once(publication_id)
        assert done.external_id == self.posts()[0]["id"]
        assert len(self.calls_of("GET /max/messages")) == 2, "pages"

    def test_what_is_not_below_many_other_posts_is_sent_again(self, publication):
        self.sandbox.trouble({"match": SEND, "do": "cut_request:50", "nth": 1})
        publication_id = publication()
        look(publication_id)
        self.sandbox.control("options", rate_limits=False)
        self._write_posts(130)
        self._ends_once(publication_id)

    def test_a_post_of_the_same_clip_under_another_token_is_left_to_the_user(self, publication):
        self.sandbox.trouble({"match": SEND, "do": "cut_request:50", "nth": 1})
        publication_id = publication()
        look(publication_id)
        self._write_posts(1, text="Закат\n\nВолга, июль", video=True)
        done = settle(publication_id)
        assert done.status == Status.UNCONFIRMED
        assert len([one for one in self.calls_of("POST /max/messages") if one["status"] == 200]) == 1, "ours was not"

    def _write_posts(self, count: int, text: str = "Другое", video: bool = False) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = TOKEN
            attachments = []
            if video:
                made = session.post(f"{self.sandbox.url}/max/uploads", params={"type": "video"}, timeout=10).json()
                requests.post(made["url"], files={"data": ("a.mp4", b"a")}, timeout=10).raise_for_status()
                attachments = [{"type": "video", "payload": {"token": made["token"]}}]
            for _ in range(count):
                body = {"text": text, "attachments": attachments}
                while not session.post(
                    f"{self.sandbox.url}/max/messages", params={"chat_id": CHANNEL}, json=body, timeout=10
                ).ok:
                    pass

    # Incidents and rights

    def test_an_incident_of_the_platform_is_waited_out(self, publication):
        """As in June 2026, when every video of every bot was refused for two days."""
        self.sandbox.control("options", max_refuses_videos=True)
        publication_id = publication()
        began, pauses = clock.now(), []
        while clock.now() - began < timedelta(minutes=60):
            look(publication_id)
            waiting = row(publication_id)
            at_work(wake_times.clamp)  # what takes back the times that a wrong clock has written
            assert row(publication_id).wake_at == waiting.wake_at
            pauses.append(waiting.wake_at - clock.now())
            assert waiting.status == Status.PUBLISHING
            wait_until(waiting.wake_at)
        waiting = row(publication_id)
        assert (waiting.attempt, waiting.stage, waiting.reason) == (0, Stage.INCIDENT, "max_incident")
        assert max(pauses) >= timedelta(minutes=20)
        assert len(pauses) < 5
        events = db.session.query(PublicationEvent).filter_by(publication_id=publication_id, kind="incident").count()
        assert events >= 1
        self.sandbox.control("options", max_refuses_videos=False)
        self._ends_once(publication_id)

    def test_an_incident_without_an_end(self, app, publication):
        self.sandbox.trouble({"match": SEND, "do": "error:not.owner"})
        publication_id = publication()
        look(publication_id)
        assert row(publication_id).stage == Stage.INCIDENT
        wait_until(clock.now() + timedelta(minutes=app.config["LATE_MINUTES"] + 1))
        done = settle(publication_id)
        assert (done.status, done.reason) == (Status.FAILED, "max_incident")
        assert self.posts() == []

    def test_a_channel_that_is_connected_again_with_another_bot(self, publication, sandbox):
        """The video's token is good for the bot that got it."""
        self.sandbox.trouble({"match": SEND, "do": "status:500", "nth": 1})
        publication_id = publication()
        look(publication_id)
        self.sandbox.trouble({"match": SEND, "do": "error:attachment.not.ready"})
        while row(publication_id).stage != Stage.PROCESSING:
            wait_until(row(publication_id).wake_at)
            look(publication_id)
        sandbox.control("tokens", platform="max", token="the-other-bot", username="other_bot", account=7002)
        sandbox.control(
            "rights", platform="max", account="vezde_demo", token="the-other-bot", is_admin=True, permissions=["write"]
        )
        again = connecting.connect(self.owner, "max", {"bot_token": "the-other-bot", "channel": "@vezde_demo"})
        assert again.id == self.connection_id
        self.sandbox.trouble()
        self._ends_once(publication_id)

    @pytest.mark.parametrize(
        ("rights", "reason"),
        [
            ({"status": "removed"}, "max_left"),
            ({"status": "left"}, "max_left"),
            ({"permissions": ["edit"]}, "max_rights"),
            ({"is_admin": False}, "max_rights"),
        ],
    )
    def test_a_bot_that_lost_the_channel_says_how(self, publication, rights, reason):
        publication_id = publication()
        self.sandbox.control("rights", platform="max", account=str(CHANNEL), **rights)
        done = settle(publication_id)
        assert (done.status, done.reason) == (Status.FAILED, reason)
        assert done.detail
        assert done.connection.status == ConnectionStatus.ACTIVE
        assert self.posts() == []

    def test_a_channel_that_was_left_keeps_its_numbers(self, publication):
        publication_id = self._published(publication)
        self._set_counts(publication_id, views=7)
        read_stats(publication_id)
        self.sandbox.control("rights", platform="max", account=str(CHANNEL), status="left")
        wait_until(row(publication_id).stats_due_at)
        read_stats(publication_id)
        assert (row(publication_id).views, row(publication_id).status) == (7, Status.PUBLISHED)


@pytest.fixture
def owner(app, user):
    return user()


@pytest.fixture
def connect(owner, sandbox):

    def go(bot_token: str = TOKEN, channel: str = "@vezde_demo"):
        return connecting.connect(owner, "max", {"bot_token": bot_token, "channel": channel})

    return go


@pytest.mark.parametrize(
    "channel",
    [
        "@vezde_demo",
        " VEZDE_demo ",
        "https://max.ru/vezde_demo",
        "max.ru/vezde_demo?from=app",
        str(CHANNEL),
        f"https://web.max.ru/{CHANNEL}",
        f"https://max.ru/c/{CHANNEL}/AZ0xyz",
    ],
)
def test_ways_to_write_a_channel(connect, sandbox, channel):
    connection = connect(channel=channel)
    assert connection.account_id == str(CHANNEL)
    assert connection.account_name == "Везде — демо"
    assert connection.account_url == f"{sandbox.url}/max-web/vezde_demo"
    assert connection.facts["bot"] == "@vezde_demo_bot"


def test_a_number_does_where_links_are_gone(connect, sandbox):
    sandbox.control("options", max_chat_links=False)
    assert connect(channel=str(CHANNEL)).account_id == str(CHANNEL)
    with pytest.raises(connections.Problem) as problem:
        connect()
    assert "введите номер канала" in problem.value.text
    assert problem.value.field == "channel"


@pytest.mark.parametrize(
    ("bot_token", "channel", "says", "field"),
    [
        ("нет", "@vezde_demo", "не похоже на токен", "bot_token"),
        (f"Bearer {TOKEN}", "@vezde_demo", "без пробелов", "bot_token"),
        ("stranger-bot-stranger-bot", "@vezde_demo", "не принял токен", "bot_token"),
        (TOKEN, "@nobody_is_here", "не нашёл такой канал", "channel"),
        (TOKEN, "-79999999999999", "не нашёл такой канал", "channel"),
        (TOKEN, "https://max.ru/join/AbCdEf", "Не понять, какой это канал", "channel"),
        (TOKEN, "мой канал", "Не понять, какой это канал", "channel"),
        (TOKEN, "@vezde_readonly", "@vezde_demo_bot нет в этом канале", "channel"),
    ],
)
def test_every_refusal_says_what_to_do(connect, bot_token, channel, says, field):
    with pytest.raises(connections.Problem) as problem:
        connect(bot_token, channel)
    assert says in problem.value.text
    assert problem.value.field == field


@pytest.mark.parametrize(
    ("rights", "code"),
    [
        ({"permissions": ["edit", "delete"]}, "max_rights"),
        ({"is_admin": False}, "max_rights"),
        ({"status": "removed"}, "max_not_member"),
        ({"status": "left"}, "max_not_member"),
    ],
)
def test_the_right_to_write_is_proved(connect, sandbox, rights, code):
    sandbox.control("rights", platform="max", account="vezde_demo", **rights)
    with pytest.raises(connections.Problem, match=code):
        connect()


@pytest.mark.parametrize(
    "rights",
    [{"is_owner": True, "permissions": []}, {"permissions": ["post_edit_delete_message"]}, {"permissions": ["write"]}],
)
def test_who_may_write(connect, sandbox, rights):
    sandbox.control("rights", platform="max", account="vezde_demo", **rights)
    assert connect().account_id == str(CHANNEL)


def test_a_chat_is_no_channel(connect, sandbox):
    members = {"7001": {"status": "active", "is_owner": True}}
    sandbox.control("channels", id=-72000000000000, title="Группа", type="chat", members=members)
    with pytest.raises(connections.Problem, match="max_not_channel"):
        connect(channel="-72000000000000")


def test_a_private_channels_posts_have_no_links(connect, owner, ready_clip, sandbox):
    connection = connect(channel=str(PRIVATE))
    clip = ready_clip(owner)
    [one] = publications.publish(owner, clip.id, [Choice(connection.id, "Закат", "")])
    commit()
    done = settle(one.id)
    assert (done.status, done.url) == (Status.PUBLISHED, None)
    assert [post["account"] for post in sandbox.posts] == [str(PRIVATE)]


def test_max_is_down(connect, sandbox):
    sandbox.trouble({"match": "/max/", "do": "status:502"})
    with pytest.raises(connections.Problem, match="unavailable"):
        connect()


def test_a_token_that_is_refused_with_403(connect, sandbox):
    """It has been seen for a token that was withdrawn."""
    sandbox.trouble({"match": "/max/me", "do": "error:chat.denied"})
    with pytest.raises(connections.Problem, match="max_token"):
        connect()
