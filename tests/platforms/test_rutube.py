"""Rutube: the contract, and what is peculiar to it: it fetches the file."""

import pytest
import requests
from flask import current_app

from app import platforms
from app.db import db
from app.models import ConnectionStatus, PlatformConnection, Status, cover_key
from app.platforms.base import Account, Token
from app.platforms.errors import Refused, Unavailable
from app.problems import Problem
from app.publishing import fetch_links, preflight
from tests.connecting import connect
from tests.platforms import covers
from tests.platforms.contract import Contract
from tests.publishing.conftest import look, read_stats, row, settle

VIDEO = r"/rutube/api/video/\w{8,}/$"


class TestRutube(Contract):
    platform = "rutube"
    calls = (
        r"GET /rutube/api/video/person/",
        r"POST /rutube/api/video/$",
        rf"GET {VIDEO}",
        rf"PATCH {VIDEO}",
    )
    upload = None
    commit = rf"PATCH {VIDEO}"
    findable = True
    once = (r"POST /rutube/api/video/$",)
    refusals = {"status:400": "refused"}
    stats_calls = (rf"GET {VIDEO}", r"GET /rutube/api/numerator/")
    gone_id = "0" * 32

    @pytest.fixture(autouse=True)
    def reachable(self, public):
        """Rutube comes to our public address."""

    def accounts(self):
        return ["23000001"]

    def connect(self, user):
        return connect(user, "rutube", {"token": "rutube-demo-token"})

    def test_what_was_chosen_is_what_rutube_gets(self, publication):
        self._ask()
        self.options = {"category": "4", "adult": True}
        done = settle(publication())
        assert (done.status, done.reason) == (Status.PUBLISHED, None)
        assert self.posts()[0]["facts"] == {"category": "Юмор", "adult": True}

    def test_a_mark_that_rutube_does_not_take_is_told(self, publication):
        self.sandbox.control("options", rutube_takes_adult=False)
        self.options = {"adult": True}
        done = settle(publication())
        assert (done.status, done.reason) == (Status.PUBLISHED, "rutube_adult")
        assert self.posts()[0]["facts"] == {"category": "Разное", "adult": False}

    def test_a_chosen_cover_is_set_once_the_video_is_open(self, publication):
        publication_id = publication()
        covers.choose(self.owner, self.clip, 500)
        done = settle(publication_id)
        assert (done.status, done.reason) == (Status.PUBLISHED, None)
        assert self.posts()[0]["facts"]["cover"] == covers.sent(cover_key(self.clip.poster_key))

    @pytest.mark.parametrize("do", ["status:400", "status:403", "status:500", "garbage", "lose_answer", "status:429"])
    def test_a_cover_never_fails_a_publication(self, publication, do):
        publication_id = publication()
        covers.choose(self.owner, self.clip, 500)
        self.sandbox.trouble({"match": r"POST .*/thumbnail/", "do": do})
        done = settle(publication_id)
        assert (done.status, done.reason) == (Status.PUBLISHED, "rutube_cover")
        assert len(self.posts()) == 1

    def test_only_a_category_that_rutube_has_named(self, publication):
        """Before it has answered there is «Разное»; its list is the account's own."""
        self.options = {"category": "4"}
        with pytest.raises(Problem):
            publication()
        offered = self._ask()
        assert next(iter(offered)) == "13" and offered["4"] == "Юмор"
        publication()

    def _ask(self) -> dict[str, str]:
        connection = db.session.get(PlatformConnection, self.connection_id)
        asked = platforms.adapter("rutube", current_app.config).ask_options(
            Token("rutube-demo-token"), Account("23000001", "Волжские закаты")
        )
        connection.asked_options = asked.stored()
        db.session.commit()
        return asked.choices["category"]

    @pytest.mark.parametrize("do", ["garbage", "status:502", "status:404"])
    def test_categories_that_do_not_come(self, publication, do):
        self.sandbox.trouble({"match": r"GET /rutube/api/video/category/", "do": do})
        with pytest.raises((Unavailable, Refused)):
            self._ask()

    def test_every_answer_may_be_lost(self, publication, call):
        """Also that of the creation: the marker finds the hidden video, a second one is not made."""
        super().test_every_answer_may_be_lost(publication, call)
        created = [
            one for one in self.sandbox.requests if (one["method"], one["path"]) == ("POST", "/rutube/api/video/")
        ]
        assert len(created) == 1

    def test_nothing_shows_before_it_is_revealed(self, publication):
        self.sandbox.trouble({"match": self.commit, "do": "status:502"})
        done = settle(publication())
        assert (done.status, done.attempt) == (Status.FAILED, 3)
        assert self.posts() == []
        assert self.sandbox.drafts == [], "the hidden video is removed"

    @pytest.mark.parametrize("at_once", [100, 20])
    def test_the_hidden_video_is_found_behind_others(self, publication, at_once):
        """The answer to its creation is lost, and the channel gets more videos than Rutube puts on a page."""
        self.sandbox.control("options", rutube_page=at_once)
        self.sandbox.trouble({"match": self.once[0], "do": "lose_answer", "nth": 1})
        publication_id = publication()
        look(publication_id)
        for _ in range(21):
            create_video(self.sandbox)
        assert settle(publication_id).status == Status.PUBLISHED
        assert [one["title"] for one in self.sandbox.drafts + self.sandbox.posts].count("Закат") == 1

    @pytest.mark.parametrize("do", ["status:502", "lose_answer"])
    def test_a_video_of_which_rutube_does_not_say_that_it_is_seen(self, publication, do):
        """Without `is_hidden` the marker still tells a video that was not revealed; nothing tells one that was."""
        self.sandbox.control("options", rutube_tells_hidden=False)
        self.sandbox.trouble({"match": self.commit, "do": do})
        done = settle(publication())
        expected = (Status.UNCONFIRMED, 1) if do == "lose_answer" else (Status.FAILED, 0)
        assert (done.status, len(self.posts())) == expected

    def test_a_video_that_is_deleted_once_it_is_revealed(self, publication):
        self.sandbox.control("options", rutube_blocks=True)
        done = settle(publication())
        assert (done.status, done.reason, done.detail) == (Status.FAILED, "rutube_failed", "blocked")

    @pytest.mark.parametrize("do", ["status:403", "status:401", "page:403", "page:401"])
    def test_one_denial_is_not_the_tokens_end(self, publication, call, do):
        """Neither are pages of some gateway."""
        self.sandbox.trouble({"match": call, "do": do, "times": 2 if do.startswith("page") else 1})
        done = settle(publication())
        assert done.connection.status == ConnectionStatus.ACTIVE
        assert done.status == Status.PUBLISHED, (done.reason, done.detail)

    def test_a_video_that_is_denied_is_not_the_tokens_fault(self, publication):
        self.sandbox.trouble({"match": self.commit, "do": "status:403"})
        done = settle(publication())
        assert (done.status, done.reason) == (Status.FAILED, "rutube_denied")
        assert done.connection.status == ConnectionStatus.ACTIVE

    def test_a_denied_video_does_not_hide_the_others_numbers(self, publication, vertical_file):
        first, other = self._published(publication), self._published(publication, source=vertical_file)
        self._set_counts(other, views=5)
        self.sandbox.trouble({"match": f"GET /rutube/api/video/{row(first).external_id}/", "do": "status:403"})
        read_stats(first, other)
        assert (row(first).views, row(other).views) == (None, 5)
        assert row(first).connection.status == ConnectionStatus.ACTIVE

    def test_in_moderation_counts_as_accepted(self, publication):
        self.sandbox.control("options", moderation=True)
        assert settle(publication()).status == Status.PUBLISHED

    def test_our_link_is_for_one_file_and_ends_with_the_publication(self, publication, public):
        publication_id = publication()
        link = fetch_links.signed_link(row(publication_id))
        head = requests.head(link, timeout=5)
        assert (head.status_code, int(head.headers["Content-Length"])) == (200, self.clip.size)
        part = requests.get(link, headers={"Range": "bytes=0-9"}, timeout=5)
        assert (part.status_code, len(part.content)) == (206, 10)
        assert requests.get(link.replace("/fetch/", "/fetch/x"), timeout=5).status_code == 404
        settle(publication_id)
        assert requests.get(link, timeout=5).status_code == 404

    def test_the_worker_is_free_while_rutube_processes(self, publication):
        self.sandbox.control("options", processing_seconds=2)
        publication_id = publication()
        look(publication_id)
        assert row(publication_id).lease_until is None


def create_video(sandbox) -> None:
    video = {"url": f"{sandbox.url}/nothing", "title": "Другое", "description": "", "is_hidden": 1, "category_id": 13}
    headers = {"Authorization": "Token rutube-demo-token"}
    requests.post(f"{sandbox.url}/rutube/api/video/", json=video, headers=headers, timeout=10).raise_for_status()


def test_an_address_that_rutube_cannot_reach_is_told_before_sending(app, user, ready_clip):
    adapter, config = platforms.ADAPTERS["rutube"], {**app.config, "PUBLIC_URL": "http://10.0.0.5", "LOCAL_HOSTS": ()}
    assert "а этот сайт ему не виден" in next(preflight.problems(adapter, config, ready_clip(user()))).text


@pytest.mark.parametrize("token", ["чужой", "somebody-elses-token"])
def test_a_wrong_token(app, user, sandbox, token):
    with pytest.raises(Problem, match="rutube_token"):
        connect(user(), "rutube", {"token": token})


def test_the_channels_name_is_shown(app, user, sandbox):
    assert connect(user(), "rutube", {"token": "rutube-demo-token"}).account_name
