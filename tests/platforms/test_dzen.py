"""Дзен: the contract on the assumed partner API, and the assisted way."""

import pytest

from app import platforms
from app.db import commit, db
from app.models import ConnectionStatus, Status
from app.platforms.base import Account, Token
from app.problems import Problem
from app.services import connections, publications
from app.services.publications import Choice
from tests import clips
from tests.edges import committed
from tests.platforms.contract import Contract
from tests.publishing.conftest import look, row, settle

DRAFTS = r"POST /dzen/publisher/videos/drafts$"
UPLOAD = r"PUT /dzen/"
PUBLISH = r"POST /dzen/publisher/videos/[\w-]+/publish$"
LOOK = r"GET /dzen/publisher/videos/[\w-]+$"


def connect(user, sandbox, token: str = "dzen-token"):
    sandbox.control("tokens", platform="dzen", token=token, account="1", scopes=["zen:write", "zen:read"])
    return committed(connections.save(user, "dzen", [Account("1", "Анна")], Token(token)))


@pytest.fixture(scope="module")
def six_seconds(tmp_path_factory):
    """Дзен takes nothing under five."""
    return clips.write(tmp_path_factory.mktemp("dzen") / "vertical.mp4", seconds=6)


@pytest.fixture(scope="module")
def six_heavy_seconds(tmp_path_factory):
    return clips.write_big(tmp_path_factory.mktemp("dzen") / "heavy.mp4", 40 << 20, seconds=6)


class TestPartnerApi(Contract):
    platform = "dzen"
    calls = (DRAFTS, UPLOAD, PUBLISH, LOOK)
    upload = UPLOAD
    commit = PUBLISH
    findable = True
    once = (DRAFTS, UPLOAD)
    removes_drafts = False  # the assumed contract has no call for it
    refusals = {"status:403": "dzen_forbidden", "status:413": "too_large"}
    stats_calls = (LOOK,)
    gone_id = "0" * 24

    @pytest.fixture(autouse=True)
    def world_of_dzen(self, sandbox):
        self.sandbox = sandbox

    @pytest.fixture
    def vertical_file(self, six_seconds):
        return six_seconds

    @pytest.fixture
    def heavy_file(self, six_heavy_seconds):
        return six_heavy_seconds

    def connect(self, user):
        return connect(user, self.sandbox)

    def test_published_already_counts_as_done(self, publication):
        """409: the effect of a try whose response was lost. The link is the platform's all the same."""
        self.sandbox.trouble({"match": PUBLISH, "do": "status:409", "effect": True, "nth": 1})
        self._ends_once(publication())

    def test_another_conflict_is_not_taken_for_done(self, publication):
        """409 for a draft: not published yet, and what it waits for may be over soon."""
        self.sandbox.trouble({"match": PUBLISH, "do": "status:409", "nth": 1})
        publication_id = publication()
        look(publication_id)
        assert (row(publication_id).status, row(publication_id).commit_in_doubt) == (Status.PUBLISHING, None)
        self._ends_once(publication_id)

    def test_a_rejected_clip_whose_answer_was_lost_is_told(self, publication):
        self.sandbox.control("options", moderation=True)
        self.sandbox.trouble({"match": PUBLISH, "do": "lose_answer", "nth": 1})
        done = settle(publication())
        assert (done.status, done.reason) == (Status.FAILED, "dzen_rejected")

    @pytest.mark.parametrize("status", [401, 403, 429, 503])
    def test_a_gateways_page_says_nothing_of_the_token_or_the_clip(self, publication, call, status):
        self.sandbox.trouble({"match": call, "do": f"page:{status}", "retry_after": 40, "nth": 1})
        self._ends_once(publication())
        assert row(1).connection.status == ConnectionStatus.ACTIVE

    @pytest.mark.parametrize("status", [401, 403, 404, 410])
    def test_an_upload_address_that_has_expired_is_replaced(self, publication, status):
        """The first try breaks off, by the second the address is no longer good: a new draft, and its address."""
        self.sandbox.trouble(
            {"match": UPLOAD, "do": "status:502", "nth": 1}, {"match": UPLOAD, "do": f"status:{status}", "nth": 2}
        )
        publication_id = publication()
        self._ends_once(publication_id)
        assert row(publication_id).connection.status == ConnectionStatus.ACTIVE
        assert len(self._requests("/drafts")) == 2

    @pytest.mark.parametrize("match", [UPLOAD, PUBLISH])
    def test_a_platform_that_never_knows_its_own_address_comes_to_an_end(self, publication, match):
        self.sandbox.trouble({"match": match, "do": "status:404"})
        done = settle(publication())
        assert (done.status, done.attempt) == (Status.FAILED, 3)
        assert done.reason in ("dzen_upload", "dzen_gone")
        assert len(self._requests("/drafts")) == 4
        assert self.posts() == []

    def test_a_draft_that_is_gone_is_made_anew(self, publication):
        self.sandbox.trouble({"match": PUBLISH, "do": "status:404", "nth": 1})
        self._ends_once(publication())
        assert len(self._requests("/drafts")) == 2

    def _requests(self, end: str) -> list[dict]:
        return [one for one in self.sandbox.requests if one["path"].endswith(end)]

    def test_a_rejected_clip_is_told(self, publication):
        self.sandbox.control("options", moderation=True)
        done = settle(publication())
        assert (done.status, done.reason) == (Status.FAILED, "dzen_rejected")


class TestAssisted:
    @pytest.fixture
    def environment(self, environment):
        return {**environment, "DZEN_API_URL": ""}

    @pytest.fixture
    def waiting(self, app, user, ready_clip, sandbox, six_seconds):
        self.owner = user()
        connection = connect(self.owner, sandbox)
        clip = ready_clip(self.owner, source=six_seconds)
        [one] = publications.publish(self.owner, clip.id, [Choice(connection.id, "Закат", "Волга")])
        commit()
        return settle(one.id)

    def test_it_has_no_numbers_and_says_why(self, app):
        counting = platforms.ADAPTERS["dzen"].counting(app.config)
        assert counting.gives == ()
        assert all("не сообщает чисел сайтам" in reason for reason in counting.never.values())

    def test_it_waits_for_its_user_with_everything_at_hand(self, waiting):
        assert waiting.status == Status.AWAITING_USER
        assert waiting.ask["text"] == "Закат\n\nВолга"
        assert waiting.ask["link"].startswith("https://dzen.ru/")

    def test_the_link_makes_it_published(self, waiting):
        publications.confirm(self.owner, waiting.id, "https://dzen.ru/shorts/abc")
        commit()
        db.session.rollback()
        assert (row(waiting.id).status, row(waiting.id).url) == (Status.PUBLISHED, "https://dzen.ru/shorts/abc")

    @pytest.mark.parametrize("url", ["готово", "", "javascript:alert(1)"])
    def test_a_link_is_a_link(self, waiting, url):
        with pytest.raises(Problem) as problem:
            publications.confirm(self.owner, waiting.id, url)
        assert problem.value.field == "url"
        assert row(waiting.id).status == Status.AWAITING_USER
