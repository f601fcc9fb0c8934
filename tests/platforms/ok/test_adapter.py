"""OK: the contract, and what is peculiar: signed calls, groups, two commits, tokens that are kept alive."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import current_app

from app import clock, jobs, platforms, texts
from app.db import db
from app.models import ConnectionStatus, PlatformConnection, Status
from app.platform_access import tokens
from app.platforms.base import Token
from app.platforms.errors import Reconnect, Refused, Unavailable
from app.platforms.http.response import Response
from app.platforms.ok.adapter import TOPIC_PAGES, TOPICS_PER_PAGE
from app.platforms.ok.api import OkApi, answer_of, error_in, signature
from app.problems import Problem
from app.publishing import preflight
from app.services import connections
from tests.edges import committed
from tests.platforms import consent
from tests.platforms.contract import Contract
from tests.publishing.conftest import at_work, look, row, settle, wait_until

GROUP, OTHER_GROUP, READ_ONLY = "53010000000001", "53010000000002", "53010000000003"
UPLOAD = r"POST /ok-api/upload/\d+$"
DAY = 24 * 3600


def call(method: str) -> str:
    return rf"POST /ok-api/fb\.do\?method={method}$"


CREATE, SHOW, POST = call("video.getUploadUrl"), call("video.update"), call("mediatopic.post")
LOOK, TOPICS, USER = call("video.get"), call("mediatopic.getTopics"), call("users.getCurrentUser")


def connect_group(user, group: str = GROUP) -> PlatformConnection:
    connection = consent.connect(user, "ok")
    return committed(connections.choose(user, connection.id, group))


class TestOk(Contract):
    platform = "ok"
    calls = (CREATE, UPLOAD, SHOW, POST)
    upload = UPLOAD
    unlimited = (UPLOAD,)
    commit = POST
    commits = (SHOW, POST)
    findable = True
    once = (CREATE, SHOW)
    removes_drafts = False  # nobody sees a video that was not updated
    refusals = {
        "error:10": "ok_rights",
        "error:101": "ok_application",
        "error:104": "ok_signature",
        "error:FileToSmall": "ok_too_small",
        "error:FileToLarge": "too_large",
        "error:BadFormat": "ok_format",
        "error:100": "refused",
        "error:300": "refused",
    }
    rate_limit = {"do": "error:11", "retry_after": 40}
    bad_token = {"do": "error:103"}
    stats_calls = (LOOK,)
    gone_id = "7654320000000"

    def connect(self, user):
        return connect_group(user)

    def connect_by_consent(self):
        return connect_group(self.owner)

    # Both commits

    @pytest.mark.parametrize("answer", ["null", '""', "{}"])
    def test_an_answer_may_be_empty(self, publication, answer):
        self.sandbox.control("options", ok_empty_answer=answer)
        self._ends_once(publication())

    def test_an_answer_that_is_no_number_of_a_topic_is_looked_up(self, publication, monkeypatch):
        call = OkApi.call

        def answered(api: OkApi, method: str, token: str, **params):
            found = call(api, method, token, **params)
            return "true" if method == "mediatopic.post" else found

        monkeypatch.setattr(OkApi, "call", answered)
        done = self._ends_once(publication())
        assert done.url.rpartition("/")[2].isdigit()

    def test_a_video_under_the_name_of_its_file_is_not_shown_yet(self, publication):
        """It is in video.get all the same: its existence proves nothing."""
        self.sandbox.trouble({"match": SHOW, "do": "status:502", "nth": 1})
        self._ends_once(publication())
        assert self._count(SHOW) == 2

    def test_an_update_that_took_effect_is_found_by_the_title(self, publication):
        self.sandbox.trouble({"match": SHOW, "do": "lose_answer", "nth": 1})
        self._ends_once(publication(title="  Закат \n над  Волгой & <морем>"))
        assert (self._count(SHOW), self._count(CREATE)) == (1, 1)

    @pytest.fixture
    def posted(self, publication) -> Callable[[], int]:
        """A publication whose topic is there and whose answer was lost."""

        def make() -> int:
            self.sandbox.trouble({"match": POST, "do": "lose_answer", "nth": 1})
            publication_id = publication()
            look(publication_id)
            assert row(publication_id).commit_in_doubt == "post"
            return publication_id

        return make

    @pytest.mark.parametrize("others", [3, 230])
    def test_the_topic_is_found_behind_others(self, posted, others):
        self.sandbox.control("topics", group=GROUP, sticky=True, age=10 * DAY)
        publication_id = posted()
        self.sandbox.control("topics", group=GROUP, count=others)
        self._ends_once(publication_id)
        assert self._count(POST) == 1

    def test_topics_that_are_too_many_to_read_do_not_tell(self, posted):
        publication_id = posted()
        self.sandbox.control("topics", group=GROUP, count=TOPIC_PAGES * TOPICS_PER_PAGE)
        assert settle(publication_id).status == Status.UNCONFIRMED
        assert self._count(POST) == 1

    def test_topics_are_read_back_to_the_time_of_the_commit(self, publication):
        self.sandbox.control("topics", group=GROUP, count=300, age=2 * DAY)
        self.sandbox.trouble({"match": POST, "do": "status:502", "nth": 1})
        self._ends_once(publication())
        assert self._count(TOPICS) == 2, "twice, and a page each time"

    @pytest.mark.parametrize(("others", "status"), [(0, "published"), (5, "published"), (100, "unconfirmed")])
    def test_where_ok_does_not_tell_whether_there_are_more(self, publication, others, status):
        self.sandbox.control("options", ok_tells_more=False)
        if others:
            self.sandbox.control("topics", group=GROUP, count=others)
        self.sandbox.trouble({"match": POST, "do": "status:502", "nth": 1})
        assert settle(publication()).status == status
        assert self._count(POST) == 1 + (status == "published")

    def test_who_may_not_read_the_topics_does_not_know(self, posted):
        self.sandbox.trouble({"match": TOPICS, "do": "error:10"})
        publication_id = posted()
        self.sandbox.trouble({"match": TOPICS, "do": "error:10"})
        assert settle(publication_id).status == Status.UNCONFIRMED

    @pytest.mark.parametrize("do", ["error:10", "error:100", "error:104"])
    def test_a_video_whose_topic_is_refused_is_published_with_a_remark(self, publication, do):
        self.sandbox.trouble({"match": POST, "do": do})
        done = settle(publication())
        assert (done.status, done.reason) == (Status.PUBLISHED, "ok_without_topic")
        [post] = self.posts()
        assert done.url == post["url"]
        assert post["url"].endswith(f"/video/{done.external_id}")

    def test_the_post_says_what_it_was_given(self, publication):
        done = settle(publication(title="Закат & <Волга>", description="Июль\n\n#закат"))
        [post] = self.posts()
        assert (post["title"], post["account"], post["id"]) == ("Закат & <Волга>", GROUP, done.external_id)
        assert post["facts"]["privacy"] == "PUBLIC" and post["facts"]["post_form"]
        assert done.url.endswith(f"/group/{GROUP}/topic/{post['facts']['topic']}")

    # Uploading

    @pytest.mark.parametrize("do", ["status:403", "status:404", "status:410", "error:300", "error:100"])
    def test_an_upload_address_that_has_expired_is_replaced(self, publication, do):
        self.sandbox.trouble({"match": UPLOAD, "do": do, "nth": 1})
        self._ends_once(publication())
        assert self._count(CREATE) == 2

    def test_an_address_that_takes_no_second_file_is_replaced(self, publication):
        self.sandbox.control("options", ok_upload_again=False)
        self.sandbox.trouble({"match": UPLOAD, "do": "lose_answer", "nth": 1})
        self._ends_once(publication())
        assert self._count(CREATE) == 2

    def test_what_is_smaller_than_16_kb_is_told_before_sending(self, publication):
        publication()
        adapter = platforms.ADAPTERS["ok"]
        found = {}
        for size in (16383, 16384):
            self.clip.size = size
            found[size] = [problem.code for problem in preflight.problems(adapter, current_app.config, self.clip)]
        assert found == {16383: ["file_too_small"], 16384: []}
        db.session.rollback()

    # Waiting and refusing

    @pytest.mark.parametrize(("code", "least"), [(4, 60), (11, 30)])
    def test_each_limit_has_its_own_wait(self, publication, code, least):
        self.sandbox.trouble({"match": CREATE, "do": f"error:{code}", "nth": 1})
        publication_id = publication()
        before = clock.now()
        look(publication_id)
        assert least - 1 <= (row(publication_id).wake_at - before).total_seconds() <= least + 60
        self._ends_once(publication_id)

    @pytest.mark.parametrize("code", [1, 2])
    def test_a_service_that_is_away_is_tried_again(self, publication, code):
        self.sandbox.trouble({"match": CREATE, "do": f"error:{code}", "nth": 1})
        self._ends_once(publication())

    def test_a_session_that_has_expired_is_refreshed_in_the_middle(self, publication):
        """Error 102: at once, and the upload is not repeated."""
        self.sandbox.trouble({"match": POST, "do": "error:102", "nth": 1})
        publication_id = publication()
        look(publication_id)
        assert row(publication_id).status == Status.PUBLISHED
        assert self._count(UPLOAD) == 1
        assert self._count(r"/ok-api/oauth/token\.do$") == 2

    def test_without_a_refresh_the_account_has_to_be_connected_again(self, publication):
        self.sandbox.trouble(
            {"match": CREATE, "do": "error:102"}, {"match": r"/oauth/token\.do", "do": "error:invalid_grant"}
        )
        done = settle(publication())
        assert (done.status, done.reason) == (Status.FAILED, "reconnect")
        assert db.session.get(PlatformConnection, self.connection_id).status == ConnectionStatus.RECONNECT

    def test_a_refresh_token_may_rotate(self, publication):
        self.sandbox.control("options", ok_rotates_refresh=True)
        publication_id = publication()
        for _ in range(2):
            self.sandbox.trouble({"match": CREATE, "do": "error:102", "nth": 1})
            connection = db.session.get(PlatformConnection, self.connection_id)
            used = tokens.open_token(connection)
            fresh = at_work(tokens.refresh, self.connection_id, platforms.adapter("ok", current_app.config), used)
            assert fresh.refresh != used.refresh
            db.session.expire_all()
        self._ends_once(publication_id)

    def _count(self, match: str) -> int:
        return len([one for one in self.sandbox.requests if re.search(match, f"{one['method']} {one['path']}")])


# Groups


def test_one_chooses_among_the_groups_that_one_may_post_to(app, user, sandbox):
    owner = user()
    connection = consent.connect(owner, "ok")
    assert connection.status == ConnectionStatus.CHOOSING
    assert [(one["id"], one["name"]) for one in connection.choices] == [
        (GROUP, "Волжские закаты"),
        (OTHER_GROUP, "Студия «Берег»"),
    ]
    chosen = committed(connections.choose(owner, connection.id, OTHER_GROUP))
    assert (chosen.status, chosen.account_name) == (ConnectionStatus.ACTIVE, "Студия «Берег»")
    assert chosen.account_url.endswith(f"/group/{OTHER_GROUP}")
    assert chosen.avatar_url
    other = connect_group(owner, GROUP)
    assert other.id != chosen.id, "several groups, one after another"


def test_the_window_offers_groups_alone(app, user, sandbox, sign_in):
    owner = user()
    connection = consent.connect(owner, "ok")
    web, path = sign_in(owner), f"/settings/integrations/{connection.id}/choose"
    page = web.get(path).text
    assert "Волжские закаты" in page and "Студия «Берег»" in page
    assert "Моя страница" not in page and "Только читать" not in page
    web.post(path, data={"account": OTHER_GROUP})
    page = web.get("/settings/integrations").text
    assert "Студия «Берег»" in page and f"/ok-web/group/{OTHER_GROUP}" in page


def test_an_only_group_is_connected_at_once(app, user, sandbox):
    connection = consent.connect(user(), "ok", account="2")
    assert (connection.status, connection.account_id) == (ConnectionStatus.ACTIVE, GROUP)


@pytest.mark.parametrize(
    ("role", "may"), [("EDITOR", True), ("MODERATOR", True), ("SUPER_MODERATOR", True), ("ANALYST", False), ("", True)]
)
def test_a_moderators_role_decides(app, user, sandbox, role, may):
    sandbox.control("rights", platform="ok", account="3", group=READ_ONLY, status="MODERATOR", role=role)
    if may:
        assert consent.connect(user(), "ok", account="3").account_id == READ_ONLY
    else:
        with pytest.raises(Problem) as problem:
            consent.connect(user(), "ok", account="3")
        assert "нет групп" in problem.value.text


def test_without_groups_nothing_is_connected(app, user, sandbox):
    with pytest.raises(Problem) as problem:
        consent.connect(user(), "ok", account="3")
    assert "нет групп" in problem.value.text and "личную страницу" in problem.value.text


def test_all_pages_of_groups_are_read(app, user, sandbox):
    for number in range(105):
        sandbox.control("rights", platform="ok", account="3", group=f"5400000000{number:04}", status="ADMIN")
    connection = consent.connect(user(), "ok", account="3")
    assert len(connection.choices) == 105


@pytest.mark.parametrize(
    ("withheld", "says"), [("VIDEO_CONTENT", None), ("GROUP_CONTENT", "не разрешает"), ("LONG_ACCESS_TOKEN", None)]
)
def test_rights_that_were_withheld(app, user, sandbox, withheld, says):
    rights = {"VALUABLE_ACCESS", "LONG_ACCESS_TOKEN", "GROUP_CONTENT", "VIDEO_CONTENT"} - {withheld}
    sandbox.control("options", ok_scopes=sorted(rights))
    if says:
        with pytest.raises(Problem) as problem:
            consent.connect(user(), "ok")
        assert says in problem.value.text
    else:  # what publishing will say, or a refresh token keeps up
        assert consent.connect(user(), "ok").choices


def test_access_for_half_an_hour_is_refused(app):
    adapter = platforms.adapter("ok", app.config)
    with pytest.raises(Refused) as refused:
        adapter.accept({"access_token": "short", "expires_in": "1800"}, {})
    assert refused.value.reason == "ok_not_lasting"


def test_what_is_not_set_up_is_not_offered(app):
    adapter, config = platforms.ADAPTERS["ok"], {**app.config, "OK_PUBLIC_KEY": ""}
    assert adapter.oauth(config) is None
    assert "не настроен" in adapter.unready(config)
    assert adapter.oauth(app.config).scope == "VALUABLE_ACCESS;LONG_ACCESS_TOKEN;GROUP_CONTENT;VIDEO_CONTENT"


# Keeping alive


def tick() -> None:
    """What the periodic task and a worker do with the tokens that are due."""
    for connection_id in at_work(tokens.due_refreshes):
        at_work(jobs.refresh_token, connection_id)
    db.session.expire_all()


def kept_alive(sandbox) -> int:
    return len([one for one in sandbox.requests if one["path"].endswith("users.getCurrentUser")])


def test_an_idle_connection_makes_one_call_a_day(app, user, sandbox):
    connection = connect_group(user())
    connection_id, sealed = connection.id, connection.sealed_token
    assert connection.token_expires_at is None, "a long token has no end of its own"
    for day in range(1, 4):
        wait_until(clock.now() + timedelta(hours=23))
        tick()
        assert kept_alive(sandbox) == day - 1
        wait_until(clock.now() + timedelta(hours=1, minutes=1))
        for _ in range(3):
            tick()
        assert kept_alive(sandbox) == day
    connection = db.session.get(PlatformConnection, connection_id)
    assert (connection.status, connection.sealed_token) == (ConnectionStatus.ACTIVE, sealed)
    assert not [one for one in sandbox.requests if one["path"].endswith("token.do")][1:], "no refresh"


def due(connection_id: int) -> timedelta:
    return db.session.get(PlatformConnection, connection_id).token_refresh_at - clock.now()


@pytest.mark.parametrize("do", ["status:502", "garbage", "error:10", "lose_answer"])
def test_a_call_that_fails_is_made_again_within_the_day(app, user, sandbox, do):
    connection_id = connect_group(user()).id
    sandbox.trouble({"match": USER, "do": do})
    wait_until(clock.now() + timedelta(days=1, minutes=1))
    tick()
    assert timedelta(minutes=30) < due(connection_id) <= timedelta(hours=1)
    sandbox.trouble()
    wait_until(clock.now() + timedelta(hours=1))
    tick()
    assert kept_alive(sandbox) == 2
    assert due(connection_id) > timedelta(hours=23)


def test_a_session_that_is_over_is_refreshed_instead(app, user, sandbox):
    connection = connect_group(user())
    connection_id, sealed = connection.id, connection.sealed_token
    sandbox.control("expire", platform="ok", account=GROUP)
    wait_until(clock.now() + timedelta(days=1, minutes=1))
    tick()
    connection = db.session.get(PlatformConnection, connection_id)
    assert connection.status == ConnectionStatus.ACTIVE and connection.sealed_token != sealed
    assert due(connection_id) > timedelta(hours=23)


def test_a_session_that_was_taken_away_is_told_without_waiting_for_a_publication(app, user, sandbox):
    connection_id = connect_group(user()).id
    sandbox.control("revoke", platform="ok", account=GROUP)
    wait_until(clock.now() + timedelta(days=1, minutes=1))
    tick()
    connection = db.session.get(PlatformConnection, connection_id)
    assert (connection.status, connection.token_refresh_at) == (ConnectionStatus.RECONNECT, None)


def test_a_short_token_is_refreshed_before_it_ends(app, user, sandbox):
    """Where the application has no right to long ones."""
    sandbox.control("options", ok_scopes="VALUABLE_ACCESS,GROUP_CONTENT,VIDEO_CONTENT")
    connection_id = connect_group(user()).id
    assert due(connection_id) < timedelta(minutes=25)
    wait_until(clock.now() + timedelta(minutes=25))
    tick()
    assert kept_alive(sandbox) == 0
    assert len([one for one in sandbox.requests if one["path"].endswith("token.do")]) == 2


# The wire


def test_the_signature_of_a_call_computed_by_hand():
    """printf 'token-1secret-2' | md5sum; then printf 'application_key=KEYformat=jsonmethod=…<that>' | md5sum."""
    params = {
        "method": "group.getInfo",
        "uids": "1,2",
        "format": "json",
        "application_key": "KEY",
        "fields": "uid,name",
    }
    assert signature(params, "token-1", "secret-2") == "34d6fed6284cf6c9fc1202cfc1fa8229"
    assert signature({"b": "Ночь", "a": "="}, "token-1", "secret-2") == "6317bee2b0ed3ac6b9ad88f06159a6bd"


def answer(body: str, status: int = 200) -> Response:
    return Response(status, {}, body.encode())


@pytest.mark.parametrize(
    ("body", "value"), [("null", None), (" null\n", None), ('""', ""), ("{}", {}), ('"157"', "157")]
)
def test_an_answer_may_be_any_json(body, value):
    assert answer_of(answer(body)) == value


@pytest.mark.parametrize("body", ["", "<html>", "nul", '{"a": 1', "\0"])
def test_what_is_no_json_is_no_answer(body):
    with pytest.raises(Unavailable):
        answer_of(answer(body))


def test_an_error_is_an_error_whatever_its_http_status():
    for status in (200, 400, 500):
        with pytest.raises(Reconnect):
            answer_of(answer('{"error_code": 103, "error_msg": "PARAM_SESSION_KEY : Invalid session key"}', status))
    assert error_in({"error_code": "104", "error_msg": None}, answer("{}")).reason == "ok_signature"
    assert error_in({"error_code": True}, answer("{}")) is None


def test_every_reason_says_what_to_do():
    for reason in platforms.ADAPTERS["ok"].reasons:
        assert texts.sentence(reason).count(".") >= 1


def test_a_refused_refresh_may_be_an_error_of_the_api(app, sandbox):
    adapter = platforms.adapter("ok", app.config)
    with pytest.raises(Reconnect):
        adapter.refresh(Token("access", "unknown"))
    with pytest.raises(Reconnect):
        adapter.refresh(Token("access"))
