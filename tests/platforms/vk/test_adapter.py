"""VK: the contract by both routes, and what is peculiar to it."""

from collections.abc import Callable

import pytest

from app import clock
from app.db import commit, db
from app.models import ConnectionStatus, PlatformConnection, Status
from app.platform_access.lease_times import AFTER_DEADLINE
from app.platforms.errors import Refused
from app.platforms.vk import communities
from app.platforms.vk.wall import WALL_PAGE, WALL_PAGES
from app.problems import Problem
from app.services import connections, publications, retries
from app.services.publications import Choice
from tests.connecting import connect
from tests.edges import committed
from tests.platforms.contract import Contract
from tests.publishing.conftest import look, row, settle, wait_until
from tests.questions import ask_platforms, connect_vk, connect_vk_page, wait_for_failure

DAY = 24 * 3600


def call(method: str) -> str:
    return rf"POST /vk-api/method/{method}$"


UPLOAD = r"POST /vk-api/upload"


class VKContract(Contract):
    platform = "vk"
    upload = UPLOAD
    unlimited = (UPLOAD,)
    refusals = {
        "error:15": "vk_rights",
        "error:1051": "vk_rights",
        "error:204": "vk_rights",
        "error:14": "vk_user_wanted",
        "error:17": "vk_user_wanted",
        "error:100": "refused",
        "error:222": "refused",
    }
    rate_limit = {"do": "error:6", "retry_after": 1}
    bad_token = {"do": "error:5"}
    stats_calls = (call("video.get"),)
    gone_id = "1_1"

    @pytest.mark.parametrize(("code", "least", "most"), [(6, 1, 10), (9, 200, 3600), (29, 3000, 3600)])
    def test_each_limit_has_its_own_wait(self, publication, code, least, most):
        self.sandbox.trouble({"match": self.calls[0], "do": f"error:{code}", "retry_after": 0, "nth": 1})
        publication_id = publication()
        before = clock.now()
        look(publication_id)
        assert least - 1 <= (row(publication_id).wake_at - before).total_seconds() <= most + 1
        self._ends_once(publication_id)

    def test_a_limit_that_stays_ends_after_a_day(self, publication):
        self.sandbox.trouble({"match": self.calls[0], "do": "error:9"})
        done = settle(publication())
        assert (done.status, done.reason) == (Status.FAILED, "rate_limited")

    @pytest.mark.parametrize("status", [429, 503])
    def test_a_gateway_may_say_wait_at_every_call(self, publication, call, status):
        self.sandbox.trouble({"match": call, "do": f"page:{status}", "retry_after": 400, "nth": 1})
        publication_id = publication()
        self._ends_once(publication_id, undone=call == self.commit)
        assert row(publication_id).attempt <= (call in (self.commit, UPLOAD))

    def number(self, external_id: str) -> str:
        return external_id.rpartition("_")[2]

    def connect(self, user) -> PlatformConnection:
        return connect_vk_page(user)


class TestClipsRoute(VKContract):
    calls = (
        call("shortVideo.create"),
        UPLOAD,
        call("shortVideo.encodeProgress"),
        call("shortVideo.edit"),
        call("shortVideo.publish"),
        call("video.get"),
    )
    once = (call("shortVideo.create"), UPLOAD)
    commit = call("shortVideo.publish")
    findable = True
    absence_is_known = False  # an owner's draft looks like a clip without a post

    def test_a_new_upload_address_is_taken_and_the_old_draft_goes(self, publication):
        """Error 22: the address is no longer good."""
        self.sandbox.trouble({"match": UPLOAD, "do": "error:22", "nth": 1})
        self._ends_once(publication())
        assert self.sandbox.drafts == []
        assert len([one for one in self.sandbox.requests if one["path"].endswith("shortVideo.create")]) == 2

    @pytest.mark.parametrize("kind", ["video", "clip"])
    def test_the_post_on_the_wall_tells_that_it_is_published(self, publication, kind):
        """Behind a hundred others, whatever VK calls the attachment."""
        self.sandbox.control("options", vk_clip_attachments=kind == "clip")
        publication_id = self._publish_and_lose_the_answer(publication)
        self.sandbox.control("wall", owner=1, count=130)
        self._ends_once(publication_id)

    def test_without_a_post_the_user_is_asked(self, publication):
        self.sandbox.control("options", vk_clip_posts=False)
        publication_id = self._publish_and_lose_the_answer(publication)
        assert settle(publication_id).status == Status.UNCONFIRMED
        publications.confirm(self.owner, publication_id)
        commit()
        self._ends_once(publication_id)

    def test_a_clip_without_a_post_is_published_by_vks_own_answer(self, publication):
        self.sandbox.control("options", vk_clip_posts=False)
        self._ends_once(publication())

    def test_sent_again_by_mistake_it_is_not_called_failed(self, publication):
        """VK refuses to publish a clip a second time: the wall says why."""
        publication_id = self._publish_and_lose_the_answer(publication)
        self.sandbox.trouble({"match": call("wall.get"), "do": "error:15", "times": 1})
        done = settle(publication_id)
        assert done.status == Status.UNCONFIRMED
        wait_until(done.in_doubt_until + AFTER_DEADLINE)
        retries.resend(self.owner, publication_id)
        commit()
        self._ends_once(publication_id)

    def test_without_a_post_on_the_wall(self, publication):
        self.options = {"wallpost": False}
        self._ends_once(publication())
        [post] = self.posts()
        assert post["facts"] == {"comments": True, "wall": None}

    def test_comments_off(self, publication):
        """Of the clip, and of the post that VK makes with it."""
        self.options = {"no_comments": True}
        self._ends_once(publication())
        [post] = self.posts()
        assert post["facts"] == {"comments": False, "wall": {"id": 1, "comments": False}}

    @pytest.mark.parametrize("do", ["error:15", "error:3", "status:502"])
    def test_a_post_whose_comments_stay_open_is_told(self, publication, do):
        self.options = {"no_comments": True}
        self.sandbox.trouble({"match": call("wall.closeComments"), "do": do})
        done = settle(publication())
        assert (done.status, done.reason) == (Status.PUBLISHED, "vk_comments_open")
        assert self.posts()[0]["facts"]["comments"] is False

    def test_without_a_post_a_lost_answer_is_the_users_to_settle(self, publication):
        """Sent again by mistake, VK refuses: that is no failure, from which a second clip could be begun."""
        self.options = {"wallpost": False}
        publication_id = self._publish_and_lose_the_answer(publication)
        for _ in range(2):
            done = settle(publication_id)
            assert (done.status, len(self.posts())) == (Status.UNCONFIRMED, 1)
            wait_until(done.in_doubt_until + AFTER_DEADLINE)
            retries.resend(self.owner, publication_id)
            commit()
        settle(publication_id)
        publications.confirm(self.owner, publication_id)
        commit()
        self._ends_once(publication_id)

    @pytest.mark.parametrize("first", ["status:502", "error:6"])
    def test_without_a_post_a_clip_that_was_not_published_is_sent_again(self, publication, first):
        self.options = {"wallpost": False}
        self.sandbox.trouble({"match": self.commit, "do": first, "nth": 1})
        publication_id = publication()
        done = settle(publication_id)
        if first == "status:502":
            assert (done.status, self.posts()) == (Status.UNCONFIRMED, [])
            wait_until(done.in_doubt_until + AFTER_DEADLINE)
            retries.resend(self.owner, publication_id)
            commit()
        self._ends_once(publication_id)

    def test_without_a_post_a_first_refusal_is_one(self, publication):
        self.options = {"wallpost": False}
        self.sandbox.trouble(
            {"match": self.commit, "do": "error:6", "nth": 1}, {"match": self.commit, "do": "error:100"}
        )
        done = settle(publication())
        assert (done.status, done.reason) == (Status.FAILED, "refused")

    def _publish_and_lose_the_answer(self, publication) -> int:
        self.sandbox.trouble({"match": self.commit, "do": "lose_answer", "nth": 1})
        publication_id = publication()
        while not row(publication_id).commit_in_doubt:
            wait_until(row(publication_id).wake_at)
            look(publication_id)
        return publication_id

    @pytest.mark.parametrize("do", ["status:403", "status:404", "status:410", "garbage"])
    def test_an_upload_address_that_has_expired_is_replaced(self, publication, do):
        """The first try breaks off, by the second the address is no longer good."""
        self.sandbox.trouble({"match": UPLOAD, "do": "status:502", "nth": 1}, {"match": UPLOAD, "do": do, "nth": 2})
        self._ends_once(publication())
        assert self.sandbox.drafts == []
        assert len([one for one in self.sandbox.requests if one["path"].endswith("shortVideo.create")]) == 2

    def test_nothing_is_left_behind_by_a_cancel(self, publication, heavy_file):
        self.test_cancelled_before_the_commit(publication, heavy_file)
        assert self.sandbox.drafts == []


class TestVideoRoute(VKContract):
    calls = (call("shortVideo.create"), call("video.save"), UPLOAD, call("wall.post"), call("video.get"))
    once = (call("video.save"), UPLOAD)
    commit = call("wall.post")
    commits = (UPLOAD, commit)
    findable = True

    @pytest.fixture(autouse=True)
    def without_clips(self, sandbox):
        sandbox.control("options", vk_clips_route=False)

    @pytest.mark.parametrize("status", [403, 404, 410])
    def test_an_upload_address_that_has_expired_is_replaced(self, publication, status):
        self.sandbox.trouble({"match": UPLOAD, "do": f"status:{status}", "nth": 1})
        self._ends_once(publication())
        assert len([one for one in self.sandbox.requests if one["path"].endswith("video.save")]) == 2

    def test_without_a_post_on_the_wall(self, publication):
        self.options = {"wallpost": False, "no_comments": True}
        self.sandbox.trouble({"match": UPLOAD, "do": "lose_answer", "nth": 1})
        self._ends_once(publication())
        [post] = self.posts()
        assert post["facts"] == {"comments": False, "wall": None}
        assert not [one for one in self.sandbox.requests if one["path"].endswith("wall.post")]

    @pytest.mark.parametrize("where", ["1", "-101"])
    def test_comments_off(self, publication, where):
        """Of the video and of its post; VK has a parameter for people and one for communities."""
        self.options = {"no_comments": True}
        self.connection_id = committed(connections.choose(self.owner, connect_vk(self.owner).id, where)).id
        self._ends_once(publication())
        [post] = self.posts()
        assert (post["account"], post["facts"]) == (where, {"comments": False, "wall": {"id": 1, "comments": False}})

    def test_the_post_is_on_the_wall_once(self, publication):
        self.sandbox.trouble({"match": self.commit, "do": "lose_answer", "nth": 1})
        self._ends_once(publication())
        [post] = self.posts()
        assert post["platform"] == "vk"

    @pytest.fixture
    def posted(self, publication) -> Callable[[], int]:
        """A publication whose post is on the wall and whose answer was lost, where VK does not honour `guid`."""

        def make() -> int:
            self.sandbox.control("options", vk_guid=False)
            self.sandbox.trouble({"match": self.commit, "do": "lose_answer", "nth": 1})
            publication_id = publication()
            look(publication_id)
            assert row(publication_id).commit_in_doubt == "post"
            return publication_id

        return make

    @pytest.mark.parametrize("others", [21, 230])
    def test_the_post_is_found_behind_others(self, posted, others):
        self.sandbox.control("wall", owner=1, pinned=True, age=10 * DAY)
        publication_id = posted()
        self.sandbox.control("wall", owner=1, count=others)
        self._ends_once(publication_id)

    def test_a_wall_that_is_too_long_to_read_does_not_tell(self, posted):
        publication_id = posted()
        self.sandbox.control("wall", owner=1, count=WALL_PAGES * WALL_PAGE)
        assert settle(publication_id).status == Status.UNCONFIRMED
        assert len(self.posts()) == 1

    def test_the_wall_is_read_back_to_the_time_of_the_commit(self, publication):
        self.sandbox.control("wall", owner=1, count=300, age=2 * DAY)
        self.sandbox.trouble({"match": self.commit, "do": "status:502", "nth": 1})
        self._ends_once(publication())
        asked = [one for one in self.sandbox.requests if one["path"].endswith("/wall.get")]
        assert len(asked) == 2, "twice, and a page each time"

    def test_an_upload_that_vk_has_processed_is_not_repeated(self, publication):
        self.sandbox.control("options", processing_seconds=0)
        self.sandbox.trouble({"match": UPLOAD, "do": "lose_answer", "nth": 1})
        self._ends_once(publication())
        assert len([one for one in self.sandbox.requests if "/upload/" in one["path"]]) == 1

    def test_another_video_is_not_begun_beside_one_that_cannot_be_removed(self, publication):
        self.sandbox.control("options", processing_seconds=60)  # VK does not tell yet that the file has arrived
        self.sandbox.trouble(
            {"match": UPLOAD, "do": "lose_answer", "nth": 1}, {"match": call("video.delete"), "do": "error:204"}
        )
        settle(publication())
        assert len(self.posts()) == 1


def test_own_token_offers_the_page_and_the_communities_one_may_post_to(app, user, sandbox):
    owner = user()
    connection = connect_vk(owner)
    assert connection.status == ConnectionStatus.CHOOSING
    ids = [choice["id"] for choice in connection.choices]
    assert ids[0] == "1"
    assert all(one.startswith("-") for one in ids[1:]) and len(ids) >= 2
    chosen = committed(connections.choose(owner, connection.id, ids[1]))
    assert (chosen.status, chosen.account_id) == (ConnectionStatus.ACTIVE, ids[1])
    assert chosen.facts["group_id"] == -int(ids[1])


def test_a_clip_goes_to_a_community(app, user, ready_clip, sandbox):
    owner = user()
    connection = connect_vk(owner)
    group = connection.choices[1]["id"]
    committed(connections.choose(owner, connection.id, group))
    clip = ready_clip(owner)
    [one] = publications.publish(owner, clip.id, [Choice(connection.id, "Закат", "")])
    commit()
    assert settle(one.id).status == Status.PUBLISHED, row(one.id).detail
    assert [post["account"] for post in sandbox.posts] == [group]


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("нет", "не похоже"),
        ("vk1.a.another-user", "не принял токен"),
        ("vk1.a.community", "Это ключ сообщества"),
    ],
)
def test_refusals_of_an_own_token(app, user, sandbox, token, says):
    rights = "photos,wall,messages"
    sandbox.control("tokens", platform="vk", token="vk1.a.community", account="-101", scopes=rights)
    with pytest.raises(Problem) as problem:
        connect(user(), "vk", {"token": token})
    assert problem.value.field == "token"
    assert says in problem.value.text


@pytest.mark.parametrize("do", ["error:27", "error:15", "error:100"])
def test_a_communitys_key_whose_user_vk_does_not_name(app, user, sandbox, do):
    sandbox.control("tokens", platform="vk", token="vk1.a.community", account="-101", scopes="wall")
    sandbox.trouble({"match": call("users.get"), "do": do})
    with pytest.raises(Problem) as problem:
        connect(user(), "vk", {"token": "vk1.a.community"})
    assert problem.value.code == ("vk_rights" if do == "error:15" else "vk_community_key")


@pytest.mark.parametrize(
    ("typed", "group"),
    [
        ("https://vk.com/vezde_demo", "vezde_demo"),
        ("vk.com/vezde_demo/", "vezde_demo"),
        ("http://m.vk.ru/vezde_demo?from=groups#top", "vezde_demo"),
        ("https://vk.com/clips/vezde_demo", "vezde_demo"),
        ("https://vk.com/video/@vezde_demo", "vezde_demo"),
        (" @vezde_demo ", "vezde_demo"),
        ("vezde_demo", "vezde_demo"),
        ("club101", "101"),
        ("https://vk.com/public101", "101"),
        ("event101", "101"),
        ("-101", "101"),
        ("101", "101"),
        ("https://vk.com/wall-101_5", "101"),
        ("https://vk.com/clips-101", "101"),
    ],
)
def test_what_people_type_for_a_community(typed, group):
    assert communities.parse(typed) == group


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("https://vk.com/", "vk_community_form"),
        ("https://t.me/vezde_demo", "vk_community_form"),
        ("https://vk.com.example.org/vezde", "vk_community_form"),
        ("https://[vk.com/vezde", "vk_community_form"),
        ("мой паблик", "vk_community_form"),
        ("id1", "vk_community_person"),
        ("https://vk.com/wall1_5", "vk_community_person"),
    ],
)
def test_what_is_no_community(typed, reason):
    with pytest.raises(Refused) as refusal:
        communities.parse(typed)
    assert (refusal.value.reason, refusal.value.params["field"]) == (reason, "community")


@pytest.mark.parametrize("rights", ["video,wall,groups,offline", "video,wall"])
@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("vezde_demo", None),
        ("https://vk.com/club101", None),
        ("vezde_readonly", "vk_community_right"),
        ("club404", "vk_community_blocked"),
        ("nobody_has_it", "vk_community"),
    ],
)
def test_a_community_by_its_address(app, user, sandbox, rights, typed, reason):
    """Whether its user may publish there VK tells in another way to a token without the right `groups`."""
    sandbox.control("tokens", platform="vk", token="vk1.a.another", account="1", scopes=rights)
    owner, fields = user(), {"token": "vk1.a.another", "community": typed}
    if reason is None:
        connection = connect(owner, "vk", fields)
        assert (connection.status, connection.account_id) == (ConnectionStatus.ACTIVE, "-101")
        assert (connection.reason, connection.facts["group_id"]) == (None, 101)
        return
    with pytest.raises(Problem) as problem:
        connect(owner, "vk", fields)
    assert (problem.value.code, problem.value.field) == (reason, "community")
    assert db.session.query(PlatformConnection).count() == 0


@pytest.mark.parametrize(
    ("do", "says"),
    [
        ("status:502", "не отвечает"),
        ("garbage", "не отвечает"),
        ("lose_answer", "не отвечает"),
        ("error:10", "не отвечает"),
        ("error:6", "подождать"),
        ("error:14", "что это вы"),
        ("error:5", "больше не действует"),
    ],
)
def test_without_an_answer_about_communities_nothing_is_connected_yet(app, user, sandbox, sign_in, do, says):
    """Its user sees why, and may ask once more."""
    owner = user()
    sandbox.trouble({"match": call("groups.get"), "do": do})
    connection = connect_vk(owner)
    wait_for_failure()
    web, path = sign_in(owner), f"/settings/integrations/{connection.id}"
    assert says in web.get(f"{path}/choose").text
    assert connection.status == ConnectionStatus.CHOOSING
    sandbox.trouble()
    assert web.post(f"{path}/ask").location == f"{path}/choose"
    ask_platforms()
    assert "Моя страница" in web.get(f"{path}/choose").text
