"""TikTok: the contract, and what is peculiar: chunks, refusals with HTTP 200, links that come late, the inbox."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from flask import current_app

from app import platforms
from app.db import commit, db
from app.models import ConnectionStatus, PlatformConnection, PublicationStep, Question, Status
from app.platform_access import questions, tokens
from app.platforms.http.response import Response
from app.platforms.tiktok import api
from app.platforms.tiktok.adapter import TikTok
from app.platforms.tiktok.upload import Chunks, stored_bytes
from app.problems import Problem
from app.publishing import preflight
from app.services import publications
from app.services.publications import Choice
from tests import clips
from tests.connecting import answer
from tests.edges import committed
from tests.platforms import consent, covers
from tests.platforms.contract import Contract
from tests.publishing.conftest import look, read_stats, row, settle, wait_until

CREATOR = r"POST /tiktok/v2/post/publish/creator_info/query/$"
INIT = r"POST /tiktok/v2/post/publish/(inbox/)?video/init/$"
SEND = r"PUT /tiktok-upload/video/$"
STATUS = r"POST /tiktok/v2/post/publish/status/fetch/$"
QUERY = r"POST /tiktok/v2/video/query/$"
OPTIONS = {"privacy": "PUBLIC_TO_EVERYONE"}
MB = 1_000_000
SHAPE = (360, 640)


def connect(user) -> PlatformConnection:
    """With the creator's options known, as they are once the window has been open."""
    connection = consent.connect(user, "tiktok")
    ask(user, connection)
    return connection


def ask(user, connection) -> Question:
    return answer(committed(questions.ask(user.id, "options", connection.id)).id)


@pytest.fixture(scope="module")
def four_seconds(tmp_path_factory):
    """TikTok takes nothing under three, and nothing smaller."""
    return clips.write(tmp_path_factory.mktemp("tiktok") / "vertical.mp4", seconds=4, shape=SHAPE)


@pytest.fixture(scope="module")
def heavy_seconds(tmp_path_factory):
    """Three chunks, the last with what is left over: 10, 10 and 15.5 MB."""
    return clips.write_big(tmp_path_factory.mktemp("tiktok") / "heavy.mp4", 35_500_000, seconds=4, shape=SHAPE)


class TestTikTok(Contract):
    platform = "tiktok"
    calls = (CREATOR, INIT, SEND, STATUS, QUERY)
    upload = SEND
    commit = SEND
    findable = True
    once = (INIT,)
    removes_drafts = False  # an unfinished upload shows nothing and expires by itself
    refusals = {
        "error:spam_risk_too_many_posts": "tiktok_too_many_posts",
        "error:spam_risk_user_banned_from_posting": "tiktok_banned",
        "error:spam_risk_of_a_new_kind": "tiktok_spam",
        "error:reached_active_user_cap": "tiktok_users",
        "error:app_version_check_failed": "tiktok_app_version",
        "status:400": "refused",
    }
    options = OPTIONS
    stats_calls = (QUERY,)
    gone_id = "7000000000000000001"

    @pytest.fixture
    def vertical_file(self, four_seconds):
        return four_seconds

    @pytest.fixture
    def heavy_file(self, heavy_seconds):
        return heavy_seconds

    def connect(self, user):
        return connect(user)

    # Chunks

    def test_what_is_left_over_joins_the_last_chunk(self, publication, heavy_file):
        self._ends_once(publication(source=heavy_file))
        assert self._sent() == [10 * MB, 10 * MB, 15_500_000]
        [post] = self.posts()
        assert (post["facts"]["chunk_size"], post["facts"]["chunks"]) == (10 * MB, 3)

    @pytest.mark.parametrize(
        ("do", "nth"),
        [
            *(("status:500", 2), ("status:500", 3), ("garbage", 2)),
            *(("cut_request:50", 2), ("cut_request:50", 3), ("lose_answer", 1), ("lose_answer", 2), ("lose_answer", 3)),
        ],
    )
    def test_no_chunk_is_sent_again_once_it_has_arrived(self, publication, heavy_file, nth, do):
        self.sandbox.trouble({"match": SEND, "do": do, "nth": nth})
        self._ends_once(publication(source=heavy_file))
        assert len(self._made(INIT)) == 1
        taken = [one["bytes"] for one in self._made(SEND) if one["status"] in (201, 206) or one["trouble"] == do]
        arrived = do == "lose_answer"
        assert len(taken) == 3 + (not arrived), "once each, and what broke off once more"
        assert sum(one["bytes"] for one in self._made(SEND) if one["status"] in (201, 206)) <= self.clip.size

    @pytest.mark.parametrize("do", ["status:206", "status:416"])
    @pytest.mark.parametrize("nth", [1, 3])
    def test_tiktok_may_have_less_than_it_was_sent(self, publication, heavy_file, do, nth):
        self.sandbox.trouble({"match": SEND, "do": do, "nth": nth})
        publication_id = publication(source=heavy_file)
        self._ends_once(publication_id)
        assert (row(publication_id).attempt, len(self._made(INIT))) == (0, 1)

    @pytest.mark.parametrize(
        ("do", "nth", "inits"),
        [
            *(("status:500", 2, 1), ("status:206", 1, 2), ("cut_request:50", 2, 1), ("lose_answer", 1, 1)),
            *(("lose_answer", 2, 1), ("status:416", 2, 2), ("lose_answer", 3, 1)),
        ],
    )
    def test_a_status_may_say_nothing_of_the_bytes(self, publication, heavy_file, do, nth, inits):
        """The upload's own answers do; where they do not either, it is begun anew before the last byte."""
        self.sandbox.control("options", tiktok_counts_bytes=False)
        self.sandbox.trouble({"match": SEND, "do": do, "nth": nth})
        self._ends_once(publication(source=heavy_file))
        assert len(self._made(INIT)) == inits

    @pytest.mark.parametrize("lost", [True, False])
    def test_a_status_that_is_refused_says_nothing_of_the_clip(self, publication, lost):
        """With HTTP 200, once the clip is there."""
        refused = {"match": STATUS, "do": "error:spam_risk_too_many_posts", "nth": 1, "times": 2}
        self.sandbox.trouble(*([{"match": SEND, "do": "lose_answer", "nth": 1}] if lost else []), refused)
        self._ends_once(publication())

    def test_a_chunk_that_never_gets_through_comes_to_an_end(self, publication, heavy_file):
        self.sandbox.trouble({"match": SEND, "do": "status:500", "nth": 2, "times": 100})
        done = settle(publication(source=heavy_file))
        assert (done.status, done.attempt, self.posts()) == (Status.FAILED, 3, [])

    @pytest.mark.parametrize("do", ["status:403", "status:404"])
    def test_an_address_that_has_expired_is_replaced(self, publication, heavy_file, do):
        self.sandbox.trouble({"match": SEND, "do": do, "nth": 3})
        self._ends_once(publication(source=heavy_file))
        assert len(self._made(INIT)) == 2

    def test_an_address_that_expires_while_the_upload_is_interrupted(self, publication, heavy_file):
        self.sandbox.trouble({"match": SEND, "do": "status:500", "nth": 2, "times": 4})
        publication_id = publication(source=heavy_file)
        look(publication_id)
        self.sandbox.trouble()
        self.sandbox.control("options", tiktok_upload_seconds=0)
        wait_until(row(publication_id).wake_at)
        look(publication_id)
        self.sandbox.control("options", tiktok_upload_seconds=3600)
        self._ends_once(publication_id)
        assert len(self._made(INIT)) == 2

    @pytest.mark.parametrize("do", ["status:401", "status:429", "status:503"])
    def test_a_question_that_is_refused_leaves_it_open_whether_the_clip_is_posted(self, publication, do):
        """All bytes have arrived, and the answer says otherwise."""
        self.sandbox.trouble(
            {"match": SEND, "do": "status:503", "effect": True, "nth": 1},
            {"match": STATUS, "do": do, "nth": 1, "times": 1},
        )
        publication_id = publication()
        look(publication_id)
        assert row(publication_id).commit_in_doubt == "upload"
        self._ends_once(publication_id)
        assert len(self._made(INIT)) == 1

    def test_a_token_that_expires_between_two_chunks(self, publication, heavy_file):
        self.sandbox.trouble({"match": SEND, "do": "status:500", "nth": 2})
        publication_id = publication(source=heavy_file)
        self.sandbox.control("options", token_seconds=0)
        self.sandbox.trouble(
            {"match": SEND, "do": "status:500", "nth": 2}, {"match": STATUS, "do": "status:401", "nth": 1}
        )
        self._ends_once(publication_id)
        assert len(self._made(INIT)) == 1

    # What was chosen

    def test_what_was_chosen_is_what_tiktok_gets(self, publication):
        self.options = {
            "privacy": "MUTUAL_FOLLOW_FRIENDS",
            "comment": True,
            "duet": False,
            "stitch": True,
            "ad": True,
            "own_brand": True,
            "branded": True,
            "synthetic": True,
        }
        done = settle(publication())
        assert (done.status, done.reason) == (Status.PUBLISHED, "tiktok_not_for_all")
        [post] = self.sandbox.posts
        assert post["facts"]["post_info"] == {
            "title": "Закат\n\nВолга, июль",
            "privacy_level": "MUTUAL_FOLLOW_FRIENDS",
            "disable_comment": False,
            "disable_duet": True,
            "disable_stitch": False,
            "brand_organic_toggle": True,
            "brand_content_toggle": True,
            "is_aigc": True,
        }

    @pytest.mark.parametrize("takes", [True, False])
    def test_a_chosen_moment_becomes_the_cover_or_a_remark(self, publication, takes):
        self.sandbox.control("options", tiktok_takes_covers=takes)
        publication_id = publication()
        covers.choose(self.owner, self.clip, 1500)
        done = settle(publication_id)
        assert (done.status, done.reason) == (Status.PUBLISHED, None if takes else "tiktok_cover")
        [post] = self.posts()
        assert post["facts"]["post_info"].get("video_cover_timestamp_ms") == (1500 if takes else None)

    def test_what_the_creator_has_switched_off_meanwhile_stays_off(self, publication):
        self.options = {**OPTIONS, "comment": True, "duet": True}
        publication_id = publication()
        self.sandbox.control("options", tiktok_duet_disabled=True)
        self._ends_once(publication_id)
        [post] = self.posts()
        info = post["facts"]["post_info"]
        assert (info["disable_comment"], info["disable_duet"], info["disable_stitch"]) == (False, True, True)

    def test_a_privacy_that_is_no_longer_offered_is_told(self, publication):
        publication_id = publication()
        self.sandbox.control("options", tiktok_private=True)
        done = settle(publication_id)
        assert (done.status, done.reason) == (Status.FAILED, "tiktok_privacy")
        assert self._made(INIT) == []

    def test_a_creators_own_longest_clip(self, publication):
        publication_id = publication()
        self.sandbox.control("options", tiktok_max_seconds=3)
        done = settle(publication_id)
        assert (done.status, done.reason) == (Status.FAILED, "tiktok_too_long")
        assert re.search(r"до 3 с; клип 360×640, 4,\d с, \d+,\d МБ, MP4", done.detail)

    def test_no_longest_clip_is_named(self, publication):
        """The window shows no limit then."""
        publication_id = publication()
        self.sandbox.control("options", tiktok_max_seconds=0, tiktok_checks_media=False)
        self._ends_once(publication_id)

    def test_a_refusal_with_http_200_is_one(self, publication):
        publication_id = publication()
        self.sandbox.control("options", tiktok_spam_risk="spam_risk_too_many_posts")
        done = settle(publication_id)
        assert (done.status, done.reason) == (Status.FAILED, "tiktok_too_many_posts")
        question = ask(self.owner, db.session.get(PlatformConnection, self.connection_id))
        assert question.answer["refusal"] == "tiktok_too_many_posts"

    def test_only_you_is_published_and_said(self, publication):
        self.options = {"privacy": "SELF_ONLY"}
        done = settle(publication())
        assert (done.status, done.reason) == (Status.PUBLISHED, "tiktok_only_you")
        assert done.url.endswith("/tiktok-web/@volga")

    # An app that TikTok has not audited

    @pytest.mark.parametrize(
        ("private", "privacy", "reason"),
        [
            (False, "PUBLIC_TO_EVERYONE", "tiktok_unaudited"),
            (False, "SELF_ONLY", "tiktok_unaudited"),
            (True, "FOLLOWER_OF_CREATOR", "tiktok_unaudited"),
            (True, "SELF_ONLY", "tiktok_only_you"),
        ],
    )
    def test_what_an_unaudited_app_can_do(self, publication, private, privacy, reason):
        done = self._publish_with(publication, privacy, tiktok_unaudited=True, tiktok_private=private)
        assert done.reason == reason
        assert done.status == (Status.PUBLISHED if reason == "tiktok_only_you" else Status.FAILED)

    def test_the_sixth_user_of_a_day(self, publication, app, user, ready_clip):
        self.sandbox.control("options", tiktok_daily_users=1)
        someone = user()
        other = consent.connect(someone, "tiktok", "tt_bereg_0002")
        theirs = ready_clip(someone)
        ask(someone, other)
        settle(publication())
        [one] = publications.publish(someone, theirs.id, [Choice(other.id, "Рассвет", "", options=OPTIONS)])
        commit()
        done = settle(one.id)
        assert (done.status, done.reason) == (Status.FAILED, "tiktok_users")

    # What becomes of it

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("file_format_check_failed", "tiktok_format"),
            ("duration_check_failed", "tiktok_duration"),
            ("frame_rate_check_failed", "tiktok_frame_rate"),
            ("picture_size_check_failed", "tiktok_picture_size"),
            ("spam_risk_text", "tiktok_text"),
            ("spam_risk_of_a_new_kind", "tiktok_spam"),
            ("publish_cancelled", "tiktok_cancelled"),
            ("auth_removed", "tiktok_removed"),
            ("something_new", "tiktok_failed"),
        ],
    )
    def test_what_tiktok_rejects_is_not_published(self, publication, code, reason):
        self.sandbox.control("options", tiktok_fail_reason=code)
        done = settle(publication())
        assert (done.status, done.reason, self.posts()) == (Status.FAILED, reason, [])
        assert done.detail.startswith(f"{code}; клип 360×640, 4,")
        assert len(self._made(INIT)) == 1

    def test_a_failure_of_tiktoks_own_is_tried_again(self, publication):
        self.sandbox.control("options", tiktok_fail_reason="internal")
        publication_id = publication()
        for _ in range(20):
            if row(publication_id).attempt:
                break
            wait_until(row(publication_id).wake_at)
            look(publication_id)
        assert (row(publication_id).reason, row(publication_id).has_receipt) == ("tiktok_internal", False)
        self.sandbox.control("options", tiktok_fail_reason="")
        self._ends_once(publication_id)
        assert len(self._made(INIT)) == 2

    def test_a_failure_of_tiktoks_own_that_stays_comes_to_an_end(self, publication):
        self.sandbox.control("options", tiktok_fail_reason="internal")
        done = settle(publication())
        assert (done.status, done.reason, done.attempt) == (Status.FAILED, "tiktok_internal", 3)
        assert self.posts() == []

    def test_a_failure_whose_answer_was_lost_is_told(self, publication):
        self.sandbox.control("options", tiktok_fail_reason="frame_rate_check_failed")
        self.sandbox.trouble({"match": SEND, "do": "lose_answer", "nth": 1})
        done = settle(publication())
        assert (done.status, done.reason) == (Status.FAILED, "tiktok_frame_rate")

    # Links

    def test_a_number_is_kept_as_text(self, publication):
        self._ends_once(publication())
        [post] = self.posts()
        assert int(post["id"]) > 2**53
        assert row(1).external_id == post["id"]

    def test_a_link_that_comes_late(self, publication):
        """Hours of moderation: published meanwhile, and the numbers bring the link."""
        self.sandbox.control("options", tiktok_moderation_seconds=10_000)
        done = settle(publication())
        assert (done.status, done.reason) == (Status.PUBLISHED, "tiktok_no_link")
        assert done.url.endswith("/tiktok-web/@volga")
        read_stats(done.id)
        assert (row(done.id).reason, row(done.id).views, row(done.id).status) == ("tiktok_no_link", None, "published")
        self._moderate()
        [post] = self.posts()
        self.sandbox.control("stats", platform="tiktok", id=post["id"], views=7, likes=2, shares=1)
        wait_until(row(done.id).stats_due_at)
        read_stats(done.id)
        late = row(done.id)
        assert (late.external_id, late.url, late.reason) == (post["id"], post["url"], None)
        assert self._counts(done.id) == {"views": 7, "likes": 2, "shares": 1}

    def test_a_list_that_is_not_shown_keeps_no_clip_unpublished(self, publication):
        """Its link is known all the same."""
        self.sandbox.trouble({"match": QUERY, "do": "error:scope_not_authorized"})
        self._ends_once(publication())
        [post] = self.posts()
        assert row(1).url == post["url"]
        assert row(1).connection.status == ConnectionStatus.ACTIVE

    def test_a_status_that_may_no_longer_be_read_keeps_no_clip_unpublished(self, publication):
        """It was complete by then: the link comes with the numbers."""
        self.sandbox.control("options", tiktok_moderation_seconds=10_000)
        publication_id = publication()
        complete = db.select(PublicationStep).filter_by(publication_id=publication_id, name="processed")
        while db.session.scalars(complete).first() is None:
            wait_until(row(publication_id).wake_at)
            look(publication_id)
        self.sandbox.trouble({"match": STATUS, "do": "error:scope_not_authorized"})
        done = settle(publication_id)
        assert (done.status, done.reason) == (Status.PUBLISHED, "tiktok_no_link")

    # The account

    def test_a_refresh_may_bring_another_refresh_token(self, publication):
        publication_id = publication()
        before = tokens.open_token(row(publication_id).connection)
        fresh = platforms.adapter("tiktok", current_app.config).refresh(before)
        assert (fresh.refresh == before.refresh, fresh.access == before.access) == (False, False)

    def test_revoked_is_revoked(self, publication):
        publication_id = publication()
        token = tokens.open_token(row(publication_id).connection)
        adapter = platforms.adapter("tiktok", current_app.config)
        adapter.revoke(token)
        adapter.revoke(token)  # once more: it is gone already
        done = settle(publication_id)
        assert (done.status, done.reason) == (Status.FAILED, "reconnect")
        assert row(publication_id).connection.status == ConnectionStatus.RECONNECT

    # Helpers

    def _sent(self) -> list[int]:
        """Bytes of each PUT."""
        return [one["bytes"] for one in self._made(SEND)]

    def _made(self, call: str) -> list[dict]:
        return [one for one in self.sandbox.requests if re.search(call, f"{one['method']} {one['path']}")]

    def _publish_with(self, publication, privacy: str, **options):
        self.sandbox.control("options", **options)
        ask(self.owner, db.session.get(PlatformConnection, self.connection_id))
        self.options = {"privacy": privacy}
        return settle(publication())

    def _moderate(self) -> None:
        """Everything that is still being moderated."""
        requests.post(f"{self.sandbox.url}/tiktok-web/moderate", timeout=10).raise_for_status()


class TestInbox:
    """The way until TikTok has audited the app: the creator finishes in the app."""

    @pytest.fixture
    def environment(self, environment):
        return {**environment, "TIKTOK_MODE": "inbox"}

    @pytest.fixture
    def waiting(self, app, user, ready_clip, sandbox, four_seconds):
        self.owner, self.sandbox = user(), sandbox
        self.connection = consent.connect(self.owner, "tiktok")
        clip = ready_clip(self.owner, source=four_seconds)
        self.sha256 = clip.sha256
        return self.publish(clip)

    def publish(self, clip):
        [one] = publications.publish(self.owner, clip.id, [Choice(self.connection.id, "Закат", "Волга")])
        commit()
        return settle(one.id)

    def test_it_waits_for_its_creator_with_the_clip_in_the_inbox(self, waiting):
        assert waiting.status == Status.AWAITING_USER
        assert waiting.ask["text"] == "Закат\n\nВолга"
        assert "закончите в приложении TikTok" in waiting.ask["how"]
        [draft] = self.sandbox.drafts
        assert (draft["platform"], draft["sha256"]) == ("tiktok", self.sha256)

    def test_no_option_is_asked_for(self, waiting):
        assert TikTok.offered_options(current_app.config) == ()
        assert "С вашей помощью" in TikTok.mode(current_app.config)
        assert "«Входящие»" in TikTok.consent_asks(current_app.config)
        made = [one["path"] for one in self.sandbox.requests]
        assert not [path for path in made if "creator_info" in path or path.endswith("publish/video/init/")]

    def test_its_page_says_how_to_finish(self, waiting, sign_in):
        page = sign_in(self.owner).get(f"/publications/{waiting.id}").text
        assert "Клип уже во «Входящих» TikTok" in page
        assert "Скопировать текст" in page
        assert "Скачать файл" not in page

    def test_the_link_makes_it_published_and_tiktok_counts_it(self, waiting):
        draft = {
            "publish_id": waiting.external_id.removeprefix("publish:"),
            "title": "Закат",
            "privacy_level": "PUBLIC_TO_EVERYONE",
        }
        requests.post(f"{self.sandbox.url}/tiktok-web/inbox", draft, timeout=10).raise_for_status()
        [post] = self.sandbox.posts
        publications.confirm(self.owner, waiting.id, post["url"])
        commit()
        self.sandbox.control("stats", platform="tiktok", id=post["id"], views=7)
        read_stats(waiting.id)
        done = row(waiting.id)
        assert (done.status, done.external_id, done.url, done.views) == ("published", post["id"], post["url"], 7)

    def test_a_sixth_that_is_pending_is_refused(self, waiting, ready_clip, four_seconds):
        for _ in range(4):
            assert self.publish(ready_clip(self.owner, source=four_seconds)).status == Status.AWAITING_USER
        done = self.publish(ready_clip(self.owner, source=four_seconds))
        assert (done.status, done.reason) == (Status.FAILED, "tiktok_pending")

    def test_a_lost_answer_puts_no_second_clip_into_the_inbox(self, waiting, ready_clip, four_seconds):
        self.sandbox.trouble({"match": SEND, "do": "lose_answer", "nth": 1})
        assert self.publish(ready_clip(self.owner, source=four_seconds)).status == Status.AWAITING_USER
        assert len(self.sandbox.drafts) == 2


@pytest.mark.parametrize("withheld", ["user.info.basic", "video.publish", "video.list"])
def test_a_right_that_is_withheld_is_told(app, user, sandbox, withheld):
    granted = [one for one in ("user.info.basic", "video.publish", "video.list") if one != withheld]
    sandbox.control("options", tiktok_scopes=granted)
    with pytest.raises(Problem, match="tiktok_scopes"):
        consent.connect(user(), "tiktok")


def test_the_creator_is_shown_by_name_and_picture(app, user, sandbox):
    connection = consent.connect(user(), "tiktok")
    assert (connection.account_id, connection.account_name) == ("tt_volga_0001", "Волжские закаты")
    assert connection.account_url.endswith("/tiktok-web/@volga")
    assert connection.avatar_url.startswith(sandbox.url)


def test_tiktok_has_a_name_of_its_own_for_the_apps_number(user, sign_in, sandbox):
    asked = sign_in(user()).post("/settings/integrations/tiktok/consent")
    query = dict(parse_qsl(urlsplit(asked.location).query))
    assert asked.location.startswith(f"{sandbox.url}/tiktok-auth/v2/auth/authorize/?"), "to the letter"
    assert (query["client_key"], query["scope"]) == ("vezde-demo", "user.info.basic,video.publish,video.list")
    assert "client_id" not in query


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, 2**64 - 1])
@pytest.mark.parametrize("ids", ["[{}]", '["{}"]', "{}", '"{}"'])
def test_no_number_of_a_post_is_too_long(number, ids):
    answer = f'{{"data": {{"publicaly_available_post_id": {ids.format(number)}}}, "error": {{"code": "ok"}}}}'
    status = api.data_of(Response(200, {}, answer.encode()))
    assert api.post_id(status) == str(number)


@pytest.mark.parametrize("ids", ["[]", "null", "{}", "[null]", '""', "[{}]"])
def test_a_post_may_have_no_number_yet(ids):
    answer = f'{{"data": {{"publicaly_available_post_id": {ids}}}, "error": {{"code": "ok"}}}}'
    assert api.post_id(api.data_of(Response(200, {}, answer.encode()))) == ""


@pytest.mark.parametrize(
    ("said", "stored"), [(0, 0), (5, 5), ("5", 5), (99, 10), (-1, None), (True, None), ("", None), (None, None)]
)
def test_how_much_tiktok_says_it_has(said, stored):
    assert stored_bytes({"status": "PROCESSING_UPLOAD", "uploaded_bytes": said}, 10) == stored


def test_a_creator_who_may_not_post_now_is_connected_all_the_same(app, user, sandbox):
    sandbox.control("options", tiktok_spam_risk="spam_risk_too_many_posts")
    assert consent.connect(user(), "tiktok").account_url is None


def test_the_window_learns_what_the_creator_can_choose(app, user, sandbox):
    sandbox.control("options", tiktok_private=True, tiktok_comment_disabled=True, tiktok_max_seconds=60)
    owner = user()
    connection = consent.connect(owner, "tiktok")
    said = ask(owner, connection).answer
    assert list(said["choices"]["privacy"]) == ["FOLLOWER_OF_CREATOR", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]
    assert (list(said["off"]), said["max_seconds"], said["name"]) == (["comment"], 60, "Волжские закаты")
    assert said["avatar_url"].startswith(sandbox.url)


@pytest.mark.parametrize(
    ("total", "size", "count", "last"),
    [
        (1, 1, 1, 1),
        (4_999_999, 4_999_999, 1, 4_999_999),
        (19_999_999, 19_999_999, 1, 19_999_999),
        (20_000_000, 10_000_000, 2, 10_000_000),
        (64_000_001, 10_000_000, 6, 14_000_001),
        (4_000_000_000, 10_000_000, 400, 10_000_000),
    ],
)
def test_chunks_are_counted_down(total, size, count, last):
    chunks = Chunks.of(total)
    assert (chunks.size, chunks.count) == (size, count)
    ends = [chunks.end(start * size) for start in range(count)]
    assert ends == [*(size * number for number in range(1, count)), total]
    assert total - (count - 1) * size == last <= 128_000_000


def test_what_tiktok_would_refuse_is_told_beforehand(app):
    def codes(title, description):
        return [one.code for one in preflight.text_problems(TikTok, app.config, title, description)]

    assert codes("😀" * 100, "😀" * 999) == []
    assert codes("", "😀" * 1101) == ["text_too_long"], "2,202 units"


@pytest.mark.parametrize(
    ("settings", "ready"),
    [
        ({}, True),
        ({"TIKTOK_CLIENT_KEY": ""}, False),
        ({"TIKTOK_CLIENT_SECRET": ""}, False),
        ({"TIKTOK_SCOPES": ("user.info.basic", "video.upload")}, False),
        ({"TIKTOK_SCOPES": ("user.info.basic", "video.upload"), "TIKTOK_MODE": "inbox"}, True),
    ],
)
def test_what_is_not_set_up_says_so(app, settings, ready):
    config = {**app.config, **settings}
    assert (TikTok.unready(config) == "") is ready
    assert (TikTok.oauth(config) is not None) is ready


def test_without_the_right_to_see_clips_there_are_no_numbers(app):
    config = {**app.config, "TIKTOK_SCOPES": ("user.info.basic", "video.publish")}
    assert TikTok.counting(config).gives == ()
    assert "просмотры" not in TikTok.consent_asks(config)
