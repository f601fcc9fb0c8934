"""What every adapter must do, over HTTP, against its emulator. A new platform gets all of this for free.

A platform's test file derives from `Contract` and says which calls it makes. Nothing here knows a platform.
"""

import math
import re
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from flask import current_app

from app import clock, platforms
from app.db import db
from app.models import ConnectionStatus, PlatformConnection, Publication, StatsSample, Status
from app.observability import redact
from app.platform_access import tokens
from app.platform_access.lease_times import AFTER_DEADLINE
from app.platforms.base import COUNTS, Counting, Token
from app.platforms.errors import Reconnect
from app.publishing import preflight
from app.redis_client import redis_client
from app.services import publications, retries
from app.services.publications import Choice
from sandbox.testing import Sandbox
from tests.platforms import consent
from tests.publishing.conftest import fresh, in_a_work_horse, look, read_stats, row, settle, wait_until

BEFORE_THE_DEED = ("status:500", "status:502", "status:504", "garbage", "cut_request:50", "hang:1")


class Contract:
    platform: str
    # Every call that publishing makes, as the sandbox's log shows it (regex on "METHOD /path"), in order.
    calls: tuple[str, ...]
    # The call that carries the clip's bytes from us; None where the platform fetches them.
    upload: str | None
    # The point of no return; `findable` tells whether the platform can be asked afterwards.
    commit: str
    findable: bool
    # Whether the platform can also tell that the commit was not done; where it cannot, the user is asked.
    absence_is_known = True
    # Every point of no return, where there are several.
    commits: tuple[str, ...] = ()
    # Documented errors at the first call: what the sandbox is to do, and the reason that the user must see.
    refusals: dict[str, str]
    # Calls that know no rate limit.
    unlimited: tuple[str, ...] = ()
    # What the sandbox answers where the platform limits the rate.
    rate_limit: dict = {"do": "status:429", "retry_after": 40}
    # Calls that are done once, whatever is repeated after them.
    once: tuple[str, ...] = ()
    # Whether the platform lets us remove what was begun and not published.
    removes_drafts = True
    # What the sandbox answers for a token that is no longer good, at the first call.
    bad_token: dict = {"do": "status:401"}
    # The values of the adapter's publication options.
    options: dict = {}
    # The calls that reading the counts makes.
    stats_calls: tuple[str, ...] = ()

    def connect(self, user) -> PlatformConnection:
        """A connection of `user` to an account of the sandbox."""
        raise NotImplementedError

    @pytest.fixture
    def publication(self, app, user, ready_clip, sandbox) -> Callable[..., int]:
        self.owner = user()
        self.clip = ready_clip(self.owner)
        self.connection_id = self.connect(self.owner).id
        self.sandbox: Sandbox = sandbox

        def make(title: str = "Закат", description: str = "Волга, июль", source: Path | None = None) -> int:
            if source:
                self.clip = ready_clip(self.owner, source=source)
            [one] = publications.publish(self.owner, self.clip.id, [self.choice(title, description)])
            db.session.commit()
            return one.id

        return make

    def connect_by_consent(self) -> PlatformConnection:
        """A connection of the owner by the consent page."""
        return consent.connect(self.owner, self.platform)

    def choice(self, title: str, description: str) -> Choice:
        return Choice(self.connection_id, title, description, options=self.options)

    def accounts(self) -> list[str]:
        """Whose tokens the sandbox revokes: by default those of the connection's own account."""
        return [db.session.get(PlatformConnection, self.connection_id).account_id]

    def posts(self) -> list[dict]:
        return [post for post in self.sandbox.posts if post["visible"]]

    # Tests

    def test_the_bytes_arrive_and_the_link_opens(self, publication):
        done = settle(publication())
        assert done.status == Status.PUBLISHED, (done.reason, done.detail)
        [post] = self.posts()
        assert post["sha256"] == self.clip.sha256
        assert post["platform"] == self.platform
        assert "Закат" in post["title"]
        assert done.url == post["url"]

    def test_what_the_log_shows_is_what_is_declared(self, publication):
        """The faults below are tried at each declared call: a call that is not declared would not be tried."""
        publication_id = publication()
        before = len(self.sandbox.requests)
        settle(publication_id)
        made = [f"{one['method']} {one['path']}" for one in self.sandbox.requests[before:]]
        undeclared = [call for call in made if not any(re.search(known, call) for known in self.calls)]
        assert not undeclared
        assert all(any(re.search(known, call) for call in made) for known in self.calls)

    def test_every_call_may_meet_a_server_error(self, publication, call):
        self.sandbox.trouble({"match": call, "do": "status:502", "nth": 1})
        self._ends_once(publication(), unknown=call == self.commit, undone=call == self.commit)

    def test_every_answer_may_be_lost(self, publication, call):
        self.sandbox.trouble({"match": call, "do": "lose_answer", "nth": 1})
        self._ends_once(publication(), unknown=call == self.commit)

    def test_every_answer_may_be_a_page_of_html(self, publication, call):
        self.sandbox.trouble({"match": call, "do": "garbage", "nth": 1})
        self._ends_once(publication(), unknown=call == self.commit, undone=call == self.commit)

    def test_every_request_may_be_cut(self, publication, heavy_file, call):
        """A clip that is larger than what a socket holds: one cut half way is known not to have arrived."""
        self.sandbox.trouble({"match": call, "do": "cut_request:50", "nth": 1})
        lost = call == self.commit and self.upload != call
        self._ends_once(publication(source=heavy_file), unknown=lost, undone=lost)

    @pytest.mark.parametrize("do", [*BEFORE_THE_DEED, "kill"])
    def test_a_commit_that_is_never_done_is_not_taken_for_done(self, app, publication, commit, do):
        """Whatever the platform shows to the owner of a draft. In the end the clip is there once."""
        if do == "kill":
            publication_id = publication()
            self._die_in_the_commit(app, publication_id, commit)
        else:
            self.sandbox.trouble({"match": commit, "do": do})
            publication_id = publication()
            settle(publication_id)
            self.sandbox.trouble()
        done = settle(publication_id)
        assert len(self.posts()) <= 1
        assert self.posts() or done.status != Status.PUBLISHED, "published, and nothing to see"
        assert not self.posts() or done.status != Status.FAILED, "failed, and it is there"
        if done.status == Status.UNCONFIRMED:  # the user looks
            if self.posts():
                publications.confirm(self.owner, publication_id)
                db.session.commit()
            else:
                wait_until(done.in_doubt_until + AFTER_DEADLINE)
                retries.resend(self.owner, publication_id)
                db.session.commit()
        elif done.status == Status.FAILED:
            retries.retry(self.owner, publication_id)
            db.session.commit()
        self._ends_once(publication_id)

    def test_every_call_may_be_told_to_wait(self, publication, limited_call):
        self.sandbox.trouble({"match": limited_call, **self.rate_limit, "nth": 1})
        publication_id = publication()
        self._ends_once(publication_id)
        assert row(publication_id).attempt == 0, "waiting for a rate limit is not a failed try"

    def test_the_wait_that_is_asked_for_is_kept(self, publication):
        self.sandbox.trouble({"match": self.calls[0], **self.rate_limit, "nth": 1})
        publication_id = publication()
        before = clock.now()
        look(publication_id)
        waits = (row(publication_id).wake_at - before).total_seconds()
        assert waits >= self.rate_limit.get("retry_after", 1)

    def test_a_platform_that_stays_down(self, publication):
        self.sandbox.trouble({"match": self.calls[0], "do": "status:502"})
        done = settle(publication())
        assert (done.status, done.attempt) == (Status.FAILED, 3)
        assert self.posts() == []

    def test_documented_refusals(self, publication, refusal):
        do, reason = refusal
        self.sandbox.trouble({"match": self.calls[0], "do": do, "nth": 1})
        done = settle(publication())
        assert (done.status, done.reason) == (Status.FAILED, reason)
        assert done.detail
        assert self.posts() == []

    def test_a_refusal_that_repeats_the_token_gives_it_to_nobody(self, publication, call, capfd):
        """A gateway or a proxy that prints what it was sent."""
        self.sandbox.trouble({"match": call, "do": "status:400", "repeat": True, "nth": 1, "times": 5})
        publication_id = publication()
        token = tokens.open_token(db.session.get(PlatformConnection, self.connection_id))
        done = settle(publication_id)
        if call == self.calls[0]:
            assert redact.HIDDEN in done.detail, "it is shown that something was left out"
        rows = [str(db.session.execute(db.select(table)).all()) for table in db.metadata.sorted_tables]
        redis = [str(redis_client().dump(key)) for key in redis_client().scan_iter()]
        seen = "\n".join([*rows, *redis, *capfd.readouterr()])
        for secret in filter(None, (token.access, token.refresh)):
            assert not [form for form in (secret, quote(secret, safe=""), quote_plus(secret)) if form in seen]

    def test_a_token_that_is_no_longer_good(self, publication):
        self.sandbox.trouble({"match": self.calls[0], **self.bad_token})
        done = settle(publication())
        assert (done.status, done.reason) == (Status.FAILED, "reconnect")
        assert db.session.get(PlatformConnection, self.connection_id).status == ConnectionStatus.RECONNECT
        assert self.posts() == []

    def test_cancelled_before_the_commit(self, publication, heavy_file):
        """The user cancels when the bytes are half way, or on their way to be fetched: nothing is seen there."""
        if self.upload:
            self.sandbox.trouble({"match": self.upload, "do": "cut_request:50", "nth": 1})
        publication_id = publication(source=heavy_file)
        look(publication_id)
        publications.cancel(self.owner, publication_id)
        db.session.commit()
        assert settle(publication_id).status == Status.CANCELLED
        assert self.posts() == []

    def test_cancelled_after_each_call(self, publication, call):
        """Before the point of no return nothing stays behind; after it the clip is seen through."""
        self.sandbox.trouble({"match": call, "do": "status:502", "nth": 1})
        publication_id = publication()
        look(publication_id)
        if publications.can_cancel(row(publication_id)):
            publications.cancel(self.owner, publication_id)
            db.session.commit()
            assert settle(publication_id).status == Status.CANCELLED
            assert self.posts() == []
            assert not self.removes_drafts or self.sandbox.drafts == []
        else:
            with pytest.raises(publications.Problem):
                publications.cancel(self.owner, publication_id)
            self._ends_once(publication_id, unknown=call == self.commit, undone=call == self.commit)

    def test_what_was_done_is_not_done_again(self, publication, call):
        """An interrupted publication goes on where it stopped."""
        self.sandbox.trouble({"match": call, "do": "status:502", "nth": 1})
        settle(publication())
        done = [f"{one['method']} {one['path']}" for one in self.sandbox.requests if one["status"] == 200]
        for one in {*self.once, self.commit}:
            assert len([call for call in done if re.search(one, call)]) <= 1, one

    def test_a_token_that_ran_out_is_refreshed(self, publication, app):
        """Where there are refresh tokens; elsewhere the user has to connect again."""
        make = publication
        adapter = platforms.adapter(self.platform, app.config)
        if adapter.oauth(app.config) is None:
            with pytest.raises(Reconnect):
                adapter.refresh(Token("access"))
            return
        connection = self.connect_by_consent()
        self.connection_id, sealed = connection.id, connection.sealed_token
        self.sandbox.control("expire", platform=self.platform, account=connection.account_id)
        self._ends_once(make())
        assert db.session.get(PlatformConnection, self.connection_id).sealed_token != sealed

    def test_a_token_that_was_revoked(self, publication, app):
        """The platform's own word: no refresh helps, the account says so, and nothing shows."""
        make = publication
        if platforms.ADAPTERS[self.platform].oauth(app.config):
            self.connection_id = self.connect_by_consent().id
        for account in self.accounts():
            self.sandbox.control("revoke", platform=self.platform, account=account)
        done = settle(make())
        assert (done.status, done.reason) == (Status.FAILED, "reconnect")
        assert self.posts() == []

    def test_a_second_publication_waits_for_the_users_word(self, publication):
        settle(publication())
        with pytest.raises(publications.Problem):
            publication()
        assert len(self.posts()) == 1

    def test_oversize_is_told_before_sending(self, publication):
        adapter, config = platforms.ADAPTERS[self.platform], current_app.config
        limit = adapter.limits(config).max_bytes
        self.clip.size = (limit or 10**12) + 1
        refused = any(problem.code == "file_too_large" for problem in preflight.problems(adapter, config, self.clip))
        assert refused == (limit is not None), "where the platform names no limit, nothing is said"
        db.session.rollback()

    # Counts

    def test_counts_of_one(self, publication):
        publication_id = self._published(publication)
        self._set_counts(publication_id, views=900, likes=30, shares=4)
        read_stats(publication_id)
        gives = self._counting().gives
        assert self._counts(publication_id) == {
            count: value if count in gives else None for count, value in zip(COUNTS, (900, 30, 4), strict=True)
        }
        assert all(self._counting().never[count].endswith(".") for count in COUNTS if count not in gives)

    def test_counts_of_many_in_as_few_calls_as_the_platform_allows(self, publication, vertical_file):
        ids = [self._published(publication), *(self._published(publication, source=vertical_file) for _ in range(2))]
        for number, publication_id in enumerate(ids, 1):
            self._set_counts(publication_id, views=number, likes=number)
        before = len(self.sandbox.requests)
        read_stats(*ids)
        assert [row(publication_id).views for publication_id in ids] == [1, 2, 3]
        made = [f"{one['method']} {one['path']}" for one in self.sandbox.requests[before:]]
        assert all(any(re.search(known, call) for known in self.stats_calls) for call in made)
        calls_each = len(made) // len(self.stats_calls)
        assert calls_each == math.ceil(len(ids) / self._counting().per_call)

    def test_a_number_that_is_not_given_stays_unknown(self, publication):
        publication_id = self._published(publication)
        self._set_counts(publication_id, views=None, likes=None, shares=None)
        read_stats(publication_id)
        assert set(self._counts(publication_id).values()) == {None}
        assert row(publication_id).stats_at

    @pytest.mark.parametrize("do", ["status:502", "garbage", "lose_answer", "limit"])
    def test_trouble_leaves_the_numbers_alone(self, publication, stats_call, do):
        publication_id = self._published(publication)
        self._set_counts(publication_id, views=7, likes=3)
        read_stats(publication_id)
        known = self._counts(publication_id)
        self.sandbox.trouble({"match": stats_call, **(self.rate_limit if do == "limit" else {"do": do})})
        wait_until(row(publication_id).stats_due_at)
        read_stats(publication_id)
        publication = row(publication_id)
        assert self._counts(publication_id) == known
        assert (publication.status, publication.connection.status) == (Status.PUBLISHED, ConnectionStatus.ACTIVE)
        assert publication.stats_due_at > clock.now()
        self.sandbox.trouble()
        self._set_counts(publication_id, views=8)
        wait_until(publication.stats_due_at)
        read_stats(publication_id)
        assert row(publication_id).views == 8

    def test_counts_do_not_come_with_a_token_that_is_no_longer_good(self, publication):
        publication_id = self._published(publication)
        self.sandbox.trouble({"match": self.stats_calls[0], **self.bad_token})
        read_stats(publication_id)
        publication = row(publication_id)
        assert publication.connection.status == ConnectionStatus.RECONNECT
        assert self._counts(publication_id) == dict.fromkeys(COUNTS)
        assert publication.stats_due_at > clock.now() + timedelta(minutes=10)

    def test_what_is_gone_from_the_platform_keeps_its_last_numbers(self, publication):
        publication_id = self._published(publication)
        self._set_counts(publication_id, views=7)
        read_stats(publication_id)
        row(publication_id).external_id = self.gone_id
        db.session.commit()
        wait_until(row(publication_id).stats_due_at)
        read_stats(publication_id)
        assert row(publication_id).views == 7
        assert db.session.query(StatsSample).count() == 1

    # Helpers

    def number(self, external_id: str) -> str:
        """A publication's id as the sandbox has it."""
        return external_id

    # An id of the platform's form that it does not know.
    gone_id: str

    def _published(self, publication: Callable[..., int], **more) -> int:
        if not self._counting().gives:
            pytest.skip("the platform gives no numbers")
        done = settle(publication(**more))
        assert done.status == Status.PUBLISHED, (done.reason, done.detail)
        return done.id

    def _set_counts(self, publication_id: int, **counts: int | None) -> None:
        publication = row(publication_id)
        self.sandbox.control("stats", platform=self.platform, id=self.number(publication.external_id), **counts)

    def _counts(self, publication_id: int) -> dict[str, int | None]:
        publication = row(publication_id)
        return {count: getattr(publication, count) for count in COUNTS}

    def _counting(self) -> Counting:
        return platforms.ADAPTERS[self.platform].counting(current_app.config)

    def _die_in_the_commit(self, app, publication_id: int, commit: str) -> None:
        """Kills the work horse once its commit is begun and its request is at the platform, which ignores it."""
        self.sandbox.trouble({"match": commit, "do": "hang:60"})
        for _ in range(40):
            wait_until(row(publication_id).wake_at)
            work_horse = in_a_work_horse(app, publication_id)
            while work_horse.exitcode is None:
                if row(publication_id).commit_in_doubt and self.sandbox.control("trouble")["rules"][0]["seen"]:
                    work_horse.kill()
                work_horse.join(0.05)
            if work_horse.exitcode != 0:
                break
        assert work_horse.exitcode == -signal.SIGKILL, "it ended where it should"
        self.owner, self.clip = fresh(self.owner), fresh(self.clip)  # forking has closed their session
        self.sandbox.trouble()

    def _ends_once(self, publication_id: int, unknown: bool = False, undone: bool = False) -> Publication:
        """It is there exactly once; where it cannot be known, the user is asked and it is there at most once.

        `undone`: the commit failed before it was done.
        """
        done = settle(publication_id)
        if (unknown and not self.findable) or (undone and not self.absence_is_known):
            assert done.status == Status.UNCONFIRMED, (done.status, done.reason, done.detail)
            assert len(self.posts()) <= 1
            return done
        assert done.status == Status.PUBLISHED, (done.status, done.reason, done.detail)
        [post] = self.posts()
        assert post["sha256"] == self.clip.sha256
        return done


def each_case(metafunc: pytest.Metafunc) -> None:
    """Each call and each refusal of the platform is a case of its own."""
    contract = metafunc.cls
    if contract is None or not issubclass(contract, Contract):
        return
    if "commit" in metafunc.fixturenames:
        metafunc.parametrize("commit", contract.commits or (contract.commit,))
    if "call" in metafunc.fixturenames:
        metafunc.parametrize("call", contract.calls)
    if "limited_call" in metafunc.fixturenames:
        metafunc.parametrize("limited_call", [call for call in contract.calls if call not in contract.unlimited])
    if "stats_call" in metafunc.fixturenames:
        metafunc.parametrize("stats_call", contract.stats_calls)
    if "refusal" in metafunc.fixturenames:
        metafunc.parametrize("refusal", contract.refusals.items(), ids=lambda one: one[0])
