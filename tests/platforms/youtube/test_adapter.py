"""YouTube: the contract, and what is peculiar: sessions that are asked, privacy, covers, quotas."""

import hashlib
import re

import pytest
from flask import current_app

from app import clock, platforms, texts
from app.db import db
from app.models import ConnectionStatus, Stage, Status
from app.platform_access import tokens
from app.platform_access.rate_limits import quotas_left
from app.platforms import options
from app.platforms.youtube.choices import OPTIONS, split_tags
from app.problems import Problem
from app.publishing import preflight
from app.services import publications
from app.services.publications import Choice
from app.storage import storage
from tests.platforms import consent
from tests.platforms.contract import Contract
from tests.publishing.conftest import look, row, settle, tick, wait_until

START = r"POST /upload/youtube/v3/videos$"
SEND = r"PUT /upload/youtube/v3/videos$"
LOOK = r"GET /youtube/v3/videos$"
COVER = r"POST /upload/youtube/v3/thumbnails/set$"


class TestYouTube(Contract):
    platform = "youtube"
    calls = (START, SEND, LOOK, COVER)
    upload = SEND
    commit = SEND
    findable = True
    once = (START,)
    removes_drafts = False  # an unfinished session shows nothing and expires by itself
    refusals = {
        "error:invalidTitle": "youtube_title",
        "error:invalidDescription": "youtube_description",
        "error:uploadLimitExceeded": "youtube_upload_limit",
        "error:youtubeSignupRequired": "youtube_no_channel",
        "error:channelClosed": "youtube_channel_closed",
        "status:403": "youtube_forbidden",
    }
    stats_calls = (LOOK,)
    gone_id = "-_________A"

    def connect(self, user):
        return consent.connect(user, "youtube")

    # Sessions

    def test_an_upload_that_broke_off_goes_on_where_it_stopped(self, publication, heavy_file):
        self.sandbox.trouble({"match": SEND, "do": "cut_request:50", "nth": 1})
        publication_id = publication(source=heavy_file)
        self._ends_once(publication_id)
        cut, asked, rest = self._sent()
        assert asked == 0, "the session is asked first"
        assert self.clip.size - cut <= rest <= self.clip.size - cut + 2**20

    def test_a_server_error_is_asked_about_at_once(self, publication):
        """The session knows: nobody has to wait until nothing can be on its way any more."""
        self.sandbox.trouble({"match": SEND, "do": "status:503", "effect": True, "nth": 1})
        publication_id = publication()
        look(publication_id)
        assert row(publication_id).has_receipt
        self._ends_once(publication_id)

    @pytest.mark.parametrize("percent", [0, 60, 99])
    def test_a_session_that_has_less_than_it_was_sent_gets_the_rest(self, publication, heavy_file, percent):
        self.sandbox.control("options", youtube_keeps_percent=percent)
        publication_id = publication(source=heavy_file)
        self._ends_once(publication_id)
        assert row(publication_id).attempt == 0
        assert len(self._sent()) == 2

    def test_a_session_that_has_expired_is_begun_anew(self, publication, heavy_file):
        """It broke off half way: no video can have come of it."""
        self.sandbox.trouble({"match": SEND, "do": "cut_request:50", "nth": 1})
        publication_id = publication(source=heavy_file)
        look(publication_id)
        self._expire_sessions(publication_id)
        self._ends_once(publication_id)
        assert len(self._made(START)) == 2

    def test_a_session_that_has_expired_before_its_first_byte(self, publication):
        self.sandbox.control("options", youtube_session_seconds=0)
        publication_id = publication()
        look(publication_id)
        self.sandbox.control("options", youtube_session_seconds=WEEK)
        self._ends_once(publication_id)
        assert len(self._made(START)) == 2

    def test_a_video_whose_session_has_expired_is_found_among_the_uploads(self, publication):
        self.sandbox.trouble({"match": SEND, "do": "lose_answer", "nth": 1})
        publication_id = publication()
        look(publication_id)
        self.sandbox.control("options", youtube_session_seconds=0)
        self._ends_once(publication_id)
        assert len(self._made(START)) == 1

    def test_an_answer_that_denies_a_session_which_made_the_video(self, publication):
        """404 to the bytes and to the question, though all of them have arrived."""
        self.sandbox.trouble({"match": SEND, "do": "status:404", "effect": True, "times": 2})
        self._ends_once(publication())
        assert len(self._made(START)) == 1

    @pytest.mark.parametrize("do", ["status:429", "status:401", "error:quotaExceeded", "error:insufficientPermissions"])
    @pytest.mark.parametrize("first", ["status:503", "status:404"])
    def test_a_question_that_is_refused_leaves_it_open_whether_the_video_is_there(self, publication, first, do):
        """The bytes have all arrived. Where the session is said to be gone, it is the list that is refused."""
        asked = SEND if first == "status:503" else "GET /youtube/v3/channels"
        self.sandbox.trouble(
            {"match": SEND, "do": first, "effect": True, "nth": 1, "times": 1 if first == "status:503" else 2},
            {"match": asked, "do": do, "nth": 1, "times": 1},
        )
        publication_id = publication()
        look(publication_id)
        assert row(publication_id).commit_in_doubt == "upload"
        self._ends_once(publication_id)
        assert len(self._made(START)) == 1

    @pytest.mark.parametrize("do", ["status:403", "status:410", "page:403"])
    def test_a_refusal_in_the_middle_is_asked_about(self, publication, do):
        self.sandbox.trouble({"match": SEND, "do": do, "nth": 1})
        publication_id = publication()
        self._ends_once_or_is_refused(publication_id, refused=do == "status:403")

    @pytest.mark.parametrize("lost", [True, False])
    def test_a_look_that_is_refused_says_nothing_of_the_video(self, publication, lost):
        refused = {"match": SEND if lost else LOOK, "do": "error:forbidden", "nth": 1}
        self.sandbox.trouble(*([{"match": SEND, "do": "lose_answer", "nth": 1}] if lost else []), refused)
        self._ends_once(publication())

    def test_without_a_list_the_user_is_asked(self, publication):
        self.sandbox.trouble(
            {"match": SEND, "do": "lose_answer", "nth": 1},
            {"match": "GET /youtube/v3/(channels|playlistItems)", "do": "status:403"},
        )
        publication_id = publication()
        look(publication_id)
        self.sandbox.control("options", youtube_session_seconds=0)
        assert settle(publication_id).status == Status.UNCONFIRMED

    # What was chosen

    def test_what_was_chosen_is_what_youtube_gets(self, publication):
        self.options = {
            "privacy": "unlisted",
            "category": "17",
            "tags": "волга, #закат,, отпуск на Волге",
            "kids": True,
            "notify": False,
            "ad": True,
            "synthetic": True,
        }
        done = settle(publication())
        assert (done.status, done.reason) == (Status.PUBLISHED, "youtube_is_unlisted")
        [post] = self.sandbox.posts
        sent = post["facts"]["metadata"]
        assert sent["snippet"]["tags"] == ["волга", "закат", "отпуск на Волге"]
        assert (sent["snippet"]["categoryId"], sent["snippet"]["description"]) == ("17", "Волга, июль")
        assert (sent["status"]["privacyStatus"], sent["status"]["selfDeclaredMadeForKids"]) == ("unlisted", True)
        assert sent["status"]["containsSyntheticMedia"] is True
        assert sent["paidProductPlacementDetails"] == {"hasPaidProductPlacement": True}
        assert post["facts"]["notify"] is False

    def test_alone_it_notifies_and_is_for_everyone(self, publication):
        done = settle(publication())
        [post] = self.posts()
        assert done.reason is None
        assert post["facts"]["notify"] is True
        status = post["facts"]["metadata"]["status"]
        assert (status["privacyStatus"], status["selfDeclaredMadeForKids"]) == ("public", False)

    @pytest.mark.parametrize(
        ("asked", "forced", "reason"),
        [
            ("public", "private", "youtube_became_private"),
            ("private", "public", "youtube_became_public"),
            ("public", "unlisted", "youtube_became_unlisted"),
            ("private", "", "youtube_is_private"),
        ],
    )
    def test_another_privacy_than_was_asked_is_told(self, publication, asked, forced, reason):
        self.options = {"privacy": asked}
        self.sandbox.control("options", youtube_privacy=forced)
        done = settle(publication())
        assert (done.status, done.reason) == (Status.PUBLISHED, reason)

    # What follows

    def test_the_poster_becomes_the_cover_once_the_video_is_processed(self, publication):
        settle(publication())
        with storage().open(self.clip.poster_key) as file:
            poster = file.read()
        [post] = self.posts()
        assert post["facts"]["cover"] == hashlib.sha256(poster).hexdigest()

    def test_a_channel_that_may_have_no_cover(self, publication):
        self.sandbox.control("options", youtube_phone_verified=False)
        done = settle(publication())
        assert (done.status, done.reason) == (Status.PUBLISHED, "youtube_cover_right")

    @pytest.mark.parametrize("do", ["status:400", "status:503", "status:429", "garbage", "error:quotaExceeded"])
    def test_a_cover_never_fails_a_publication(self, publication, do):
        self.sandbox.trouble({"match": COVER, "do": do})
        done = settle(publication())
        assert (done.status, done.reason) == (Status.PUBLISHED, "youtube_cover")

    @pytest.mark.parametrize(
        ("option", "value", "reason"),
        [
            ("youtube_rejection", "duplicate", "youtube_duplicate"),
            ("youtube_rejection", "length", "youtube_length"),
            ("youtube_rejection", "copyright", "youtube_rejected"),
            ("youtube_failure", "codec", "youtube_failed"),
        ],
    )
    def test_what_youtube_rejects_is_not_published(self, publication, option, value, reason):
        self.sandbox.control("options", **{option: value})
        done = settle(publication())
        assert (done.status, done.reason, done.detail) == (Status.FAILED, reason, value)
        assert self.posts() == []

    def test_a_video_that_cannot_be_looked_at_today_counts_as_accepted(self, publication):
        self.sandbox.trouble({"match": LOOK, "do": "error:quotaExceeded"})
        done = settle(publication())
        assert (done.status, done.reason) == (Status.PUBLISHED, "youtube_unchecked")

    # The project's day

    def test_the_quota_is_waited_out_until_midnight_there(self, publication):
        """YouTube's own word: other programs may use the same project."""
        self.sandbox.control("options", rate_limits=True, youtube_daily_inserts=0)
        publication_id = publication()
        look(publication_id)
        midnight = platforms.ADAPTERS["youtube"].quota(current_app.config).ends_at(clock.now())
        waiting = row(publication_id)
        assert (waiting.status, waiting.stage, waiting.attempt) == (Status.PUBLISHING, Stage.QUOTA, 0)
        assert waiting.wake_at == midnight
        shown = texts.progress(waiting, clock.now())
        assert re.fullmatch(r"начнём через \d+ (ч|мин): сегодня площадка больше не примет", shown)
        tick()
        assert row(publication_id).wake_at == midnight, "no clock was wrong"
        self.sandbox.control("options", youtube_daily_inserts=100)
        self._ends_once(publication_id)
        assert row(publication_id).published_at >= midnight

    def test_what_the_quota_leaves_is_seen_by_everyone_beforehand(self, publication, user, ready_clip):
        current_app.config["YOUTUBE_DAILY_UPLOADS"] = 1
        other = user(plan="business")
        theirs = ready_clip(other)
        connection = consent.connect(other, "youtube")
        assert quotas_left(platforms.ADAPTERS)["youtube"].count == 1
        self._ends_once(publication())
        assert quotas_left(["youtube", "vk"]).keys() == {"youtube"}
        assert quotas_left(["youtube"])["youtube"].count == 0
        [waiting] = publications.publish(other, theirs.id, [Choice(connection.id, "Рассвет", "")])
        db.session.commit()
        before = len(self._made(START))
        look(waiting.id)
        assert row(waiting.id).stage == Stage.QUOTA
        assert len(self._made(START)) == before, "YouTube is not asked in vain: that costs quota too"
        wait_until(row(waiting.id).wake_at)
        assert quotas_left(["youtube"])["youtube"].count == 1
        assert settle(waiting.id).status == Status.PUBLISHED

    # The account

    def test_a_refresh_keeps_the_refresh_token(self, publication):
        publication()
        connection = row(1).connection
        before = tokens.open_token(connection)
        fresh = platforms.adapter("youtube", current_app.config).refresh(before)
        assert (fresh.refresh, fresh.access == before.access) == (before.refresh, False)

    def test_revoked_is_revoked(self, publication):
        publication_id = publication()
        token = tokens.open_token(row(publication_id).connection)
        adapter = platforms.adapter("youtube", current_app.config)
        adapter.revoke(token)
        adapter.revoke(token)  # once more: it is gone already
        done = settle(publication_id)
        assert (done.status, done.reason) == (Status.FAILED, "reconnect")
        assert row(publication_id).connection.status == ConnectionStatus.RECONNECT

    # Helpers

    def _sent(self) -> list[int]:
        """Bytes of each PUT to a session."""
        return [one["bytes"] for one in self.sandbox.requests if re.search(SEND, f"{one['method']} {one['path']}")]

    def _made(self, call: str) -> list[dict]:
        return [one for one in self.sandbox.requests if re.search(call, f"{one['method']} {one['path']}")]

    def _expire_sessions(self, publication_id: int) -> None:
        """All that there are, while the publication is looked at once."""
        self.sandbox.control("options", youtube_session_seconds=0)
        wait_until(row(publication_id).wake_at)
        look(publication_id)
        self.sandbox.control("options", youtube_session_seconds=WEEK)

    def _ends_once_or_is_refused(self, publication_id: int, refused: bool) -> None:
        if not refused:
            self._ends_once(publication_id)
            return
        done = settle(publication_id)
        assert (done.status, done.reason, self.posts()) == (Status.FAILED, "youtube_forbidden", [])


WEEK = 7 * 24 * 3600


@pytest.mark.parametrize(
    ("account", "granted", "code"),
    [
        ("nochannel", None, "youtube_no_channel"),
        ("", ["https://www.googleapis.com/auth/youtube.upload"], "youtube_scopes"),
        ("", ["https://www.googleapis.com/auth/youtube.readonly"], "youtube_scopes"),
    ],
)
def test_what_cannot_be_published_to_is_not_connected(app, user, sandbox, account, granted, code):
    sandbox.control("options", google_scopes=granted)
    with pytest.raises(Problem, match=code):
        consent.connect(user(), "youtube", account)


def test_the_channel_is_shown_by_its_name_and_picture(app, user, sandbox):
    connection = consent.connect(user(), "youtube")
    assert (connection.account_id, connection.account_name) == ("UCdemoVolzhskieZakaty001", "Волжские закаты")
    assert connection.account_url.endswith("/channel/UCdemoVolzhskieZakaty001")
    assert connection.avatar_url.startswith(sandbox.url)


def test_many_at_once_ring_no_subscriber():
    assert options.quiet(OPTIONS) == {
        "privacy": "public",
        "category": "22",
        "tags": "",
        "kids": False,
        "notify": False,
        "ad": False,
        "synthetic": False,
    }


def test_tags_are_counted_as_youtube_does(app):
    tags = next(one for one in OPTIONS if one.name == "tags")
    assert split_tags(" #волга, закат ,,волга, ") == ["волга", "закат"]
    assert tags.count("ab,cd") == 5
    assert tags.count("a b, cd") == 8
    exactly = ",".join(["а" * 99] * 1 + [letter * 99 for letter in "бвгд"]) + ""
    assert tags.count(exactly) == 499
    assert tags.parse(exactly + "д", "tags")
    with pytest.raises(Problem, match="option_too_long"):
        tags.parse(exactly + "дд", "tags")
    with pytest.raises(Problem, match="option_forbidden_characters"):
        tags.parse("волга, <b>", "tags")


def test_what_youtube_would_refuse_is_told_beforehand(app):
    adapter = platforms.ADAPTERS["youtube"]

    def codes(title, description):
        return [one.code for one in preflight.text_problems(adapter, app.config, title, description)]

    assert codes("5 > 3", "") == ["title_forbidden_characters"]
    assert codes("а" * 100, "а" * 2500) == []
    assert codes("а" * 101, "а" * 2501) == ["title_too_long", "description_too_many_bytes"]
