"""VK: the contract by both routes, and what is peculiar to it."""

import pytest

from app.models import ConnectionStatus, PlatformConnection, Status
from app.services import connections
from app.services.errors import Problem
from tests.platforms.contract import Contract
from tests.publishing.conftest import row, settle

OWN_TOKEN = "vk1.a.vezde-demo"


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

    def connect(self, user) -> PlatformConnection:
        connection = connections.connect(user, "vk", {"token": OWN_TOKEN})
        return connections.choose(user, connection.id, "1")


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

    def test_a_new_upload_address_is_taken_and_the_old_draft_goes(self, publication):
        """Error 22: the address is no longer good."""
        self.sandbox.trouble({"match": UPLOAD, "do": "error:22", "nth": 1})
        self._ends_once(publication())
        assert self.sandbox.drafts == []
        assert len([one for one in self.sandbox.requests if one["path"].endswith("shortVideo.create")]) == 2

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
    findable = True

    @pytest.fixture(autouse=True)
    def without_clips(self, sandbox):
        sandbox.control("options", vk_clips_route=False)

    @pytest.mark.parametrize("status", [403, 404, 410])
    def test_an_upload_address_that_has_expired_is_replaced(self, publication, status):
        self.sandbox.trouble({"match": UPLOAD, "do": f"status:{status}", "nth": 1})
        self._ends_once(publication())
        assert len([one for one in self.sandbox.requests if one["path"].endswith("video.save")]) == 2

    def test_the_post_is_on_the_wall_once(self, publication):
        self.sandbox.trouble({"match": self.commit, "do": "lose_answer", "nth": 1})
        self._ends_once(publication())
        [post] = self.posts()
        assert post["platform"] == "vk"


def test_own_token_offers_the_page_and_the_communities_one_may_post_to(app, user, sandbox):
    owner = user()
    connection = connections.connect(owner, "vk", {"token": OWN_TOKEN})
    assert connection.status == ConnectionStatus.CHOOSING
    ids = [choice["id"] for choice in connection.choices]
    assert ids[0] == "1"
    assert all(one.startswith("-") for one in ids[1:]) and len(ids) >= 2
    chosen = connections.choose(owner, connection.id, ids[1])
    assert (chosen.status, chosen.account_id) == (ConnectionStatus.ACTIVE, ids[1])
    assert chosen.facts["group_id"] == -int(ids[1])


def test_a_clip_goes_to_a_community(app, user, ready_clip, sandbox):
    from app.services import publications
    from app.services.publications import Choice

    owner = user()
    connection = connections.connect(owner, "vk", {"token": OWN_TOKEN})
    group = connection.choices[1]["id"]
    connections.choose(owner, connection.id, group)
    clip = ready_clip(owner)
    [one] = publications.publish(owner, clip.id, [Choice(connection.id, "Закат", "")])
    assert settle(one.id).status == Status.PUBLISHED, row(one.id).detail
    assert [post["account"] for post in sandbox.posts] == [group]


@pytest.mark.parametrize(("token", "says"), [("нет", "не похоже"), ("vk1.a.somebody-else", "не принял токен")])
def test_refusals_of_an_own_token(app, user, sandbox, token, says):
    with pytest.raises(Problem, match=says) as problem:
        connections.connect(user(), "vk", {"token": token})
    assert problem.value.field == "token"
