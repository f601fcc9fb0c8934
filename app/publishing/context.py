"""What an adapter's straight-line code publishes with.

Each step's answer is stored, sealed, before the next begins; a context that is made anew returns the stored answers,
so that the adapter goes on where it stopped. The row is marked as «commit in doubt» at the last safe moment: after
a crash the platform is asked instead of being sent the clip twice.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NoReturn

from flask import current_app
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError

from app import clock, platforms
from app.db import db, durable, is_db_down, reading, retry_while_db_down, transaction
from app.models import Publication, PublicationStep, Stage, Status, step_sealed_for, touch
from app.platform_access.lease_times import AFTER_DEADLINE, commit_lease
from app.platforms.base import Account, Adapter, NotPublished, Receipt, Token, Unknown
from app.platforms.errors import OutcomeUnknown, OwnOutage, PlatformError, RateLimited, Unavailable
from app.platforms.http.timeouts import RESPONSE_SECONDS, UNACKNOWLEDGED_MS
from app.platforms.options import with_defaults
from app.publishing import fetch_links, receipts, state_machine
from app.publishing.clip_file import clip_file
from app.publishing.lease import AskUser, Lease, ResumeAt, lease_term

# The platform must answer twice that the clip is not there, this far apart, before it is sent again.
CONFIRM_ABSENT_AFTER = timedelta(seconds=15)
_REQUIRED_ABSENT_ANSWERS = 2
# Between two polls of what a platform processes.
LONGEST_POLL = timedelta(minutes=1)
# When it is polled first, in seconds since the wait began: a short clip is mostly ready within moments.
FIRST_POLLS = (1.0, 2.0, 4.0, 8.0)
_SHORTEST_POLL = 0.5
# Nothing has been sent yet, and a platform that has nearly all of a request does not wait for the rest for long.
_BEGIN_COMMIT_SECONDS = 15.0
# The step that remembers since when a wait lasts is called by the wait's name and this.
SINCE = ": since"


def _poll_pause(waited: timedelta, every: float) -> timedelta:
    """From now to the next poll."""
    left = (poll - waited.total_seconds() for poll in FIRST_POLLS)
    pause = next((seconds for seconds in left if seconds >= _SHORTEST_POLL), every)
    return min(timedelta(seconds=min(pause, every)), LONGEST_POLL)


def publish(lease: Lease, known: list[Publication], adapter: Adapter, account: Account, token: Token) -> Receipt:
    """Enters the adapter: with the row as it is `known`, which is used up; again, with the row as it is by then."""
    publication = known.pop() if known else lease.load()
    return adapter.publish(PublishContext(lease, publication, account, token))


def begin_waits_anew(publication_id: int) -> None:
    """How long a platform has been at work on a file does not count what the publication was held for."""
    since = PublicationStep.publication_id == publication_id, PublicationStep.name.endswith(SINCE)
    db.session.execute(delete(PublicationStep).where(*since))


class PublishContext:
    """See `app.platforms.base.PublishContext` for how adapters see it."""

    def __init__(self, lease: Lease, publication: Publication, account: Account, token: Token) -> None:
        self.publication_id = publication.id
        self.started_at = publication.started_at
        # Names this publication, and this start of it, where a platform lets us leave a mark.
        self.marker = f"{publication.id}-{publication.started_at:%Y%m%d%H%M%S}"
        self.link = partial(fetch_links.new_link, publication)
        self.is_fetched = partial(fetch_links.is_fetched, publication)
        self.title = publication.title
        self.description = publication.description
        self.options = with_defaults(platforms.ADAPTERS[publication.platform].options, publication.options)
        self.clip = clip_file(publication)
        self.account, self.token = account, token
        self._lease, self._vault = lease, current_app.extensions["vault"]
        self._commit_in_doubt = publication.commit_in_doubt
        self._in_doubt_until = publication.in_doubt_until
        self._not_found_count = publication.not_found_count
        self._answers = self._load()
        self.answer = self._answers.get  # a stored step's answer, None if it was not done

    # Durable steps

    def step(self, name: str, fn: Callable[..., Any], *args: Any) -> Any:
        """`fn(*args)`'s answer (JSON), as it was stored if it was done before."""
        if name not in self._answers:
            self._lease.keep()
            self._store(name, fn(*args))
        return self._answers[name]

    def drop(self, *names: str) -> None:
        """Forgets steps, to begin again from there; of a wait also when it began."""
        names = (*names, *(f"{name}{SINCE}" for name in names))
        self._erase(names)
        for name in names:
            self._answers.pop(name, None)
            self._stored_at.pop(name, None)

    @durable
    def _erase(self, names: tuple[str, ...]) -> None:
        self._lease.write(sent=None, total=None)
        steps = PublicationStep.publication_id == self.publication_id, PublicationStep.name.in_(names)
        db.session.execute(delete(PublicationStep).where(*steps))

    def progress(self, sent: int, total: int) -> None:
        """How far an upload is, for the page; renews the lease. At most once a second.

        Raises Cancelled or LeaseLost, which ends the upload. While the database is away it goes on: for as long as
        the lease that it has.
        """
        try:
            self._lease.keep(stage=Stage.UPLOADING, sent=sent, total=total, patience=0)
        except SQLAlchemyError as error:
            if not is_db_down(error):
                raise

    # Points of no return

    def commit(
        self,
        name: str,
        fn: Callable[..., Receipt],
        *args: Any,
        find: Callable[..., Receipt | NotPublished | Unknown] | None = None,
        last: bool = False,
    ) -> Receipt:
        """`fn(*args, begin_commit=…)`'s receipt. `fn` calls `begin_commit()` at the last moment that is still safe;
        with the seconds that the answer may take, where those are more than usual. `last`: with the receipt it is
        published, the platform is not asked anything more.

        When an earlier commit was begun and left no answer, `find(*args)` is asked first; without a `find`
        OutcomeUnknown is raised.
        """
        if name not in self._answers:
            if self._commit_in_doubt == name:
                self._find(name, find, args)
            else:
                self._try_commit(name, fn, args, last)
        return Receipt(**self._answers[name])

    def _try_commit(self, name: str, fn: Callable[..., Receipt], args: tuple[Any, ...], last: bool) -> None:
        self._lease.keep()
        try:
            receipt = fn(
                *args, begin_commit=lambda response_seconds=RESPONSE_SECONDS: self._begin_commit(name, response_seconds)
            )
        except PlatformError as error:
            if self._commit_in_doubt == name and error.definitely_not_applied:
                self._clear_commit()
            if self._commit_in_doubt == name:
                self._answer_lost(error.detail)
            raise
        self._record_receipt(name, receipt, last)

    def _begin_commit(self, name: str, response_seconds: float) -> None:
        """Only with our fence and an unexpired lease; a cancel and a receipt by another worker raise the fence."""
        deadline, until = lease_term(commit_lease(response_seconds))

        def write() -> None:
            with transaction():
                self._lease.write(
                    Publication.lease_until > clock.now(),
                    commit_in_doubt=name,
                    in_doubt_until=until,
                    not_found_count=0,
                    lease_until=until,
                    wake_at=until + AFTER_DEADLINE,
                    stage=Stage.SENT,
                    sent=None,
                    total=None,
                )
                state_machine.note(self.publication_id, "commit_started", status=Status.PUBLISHING, name=name)
                touch(self.publication_id)

        # Set before: where the database's answer is lost, the row may be changed all the same.
        self._commit_in_doubt, self._in_doubt_until = name, until
        try:
            retry_while_db_down(write, _BEGIN_COMMIT_SECONDS)
        except SQLAlchemyError as error:
            if is_db_down(error):  # nothing has been sent: this clears it
                raise OwnOutage("internal", "база данных не отвечает") from error
            raise
        self._lease.extend_to(deadline)

    def _clear_commit(self, event: str = "") -> None:
        self._write(event, self._commit_in_doubt, commit_in_doubt=None, in_doubt_until=None, not_found_count=0)
        self._commit_in_doubt = self._in_doubt_until = None

    def _answer_lost(self, detail: str) -> NoReturn:
        """This process sends no longer; only what the kernel holds may still arrive. Then the platform can be asked."""
        over = clock.now() + timedelta(milliseconds=UNACKNOWLEDGED_MS)
        self._write("answer_lost", detail=detail, in_doubt_until=over)
        raise ResumeAt(over + AFTER_DEADLINE, Stage.CHECKING)

    @durable
    def _write(self, event: str = "", name: str | None = None, detail: str | None = None, **values: Any) -> None:
        """Into the row; with `event`, also a line of its history."""
        self._lease.write(**values)
        if event:
            state_machine.note(self.publication_id, event, status=Status.PUBLISHING, name=name, detail=detail)

    def _find(self, name: str, find: Callable[..., Any] | None, args: tuple[Any, ...]) -> None:
        if find is None:
            raise OutcomeUnknown
        over = self._in_doubt_until + AFTER_DEADLINE
        if clock.now() < over:
            raise ResumeAt(over, Stage.CHECKING)
        self._lease.renew(stage=Stage.CHECKING)
        found = find(*args)
        if isinstance(found, Receipt):
            self._record_receipt(name, found)
        elif not isinstance(found, NotPublished):
            raise OutcomeUnknown
        elif self._not_found_count + 1 < _REQUIRED_ABSENT_ANSWERS:
            self._write(not_found_count=self._not_found_count + 1)
            raise ResumeAt(clock.now() + CONFIRM_ABSENT_AFTER, Stage.CHECKING)
        else:
            self._clear_commit("not_found")
            # Sent again, but as a failed try: a platform that never takes it must come to an end.
            raise Unavailable("ответ потерян, клипа на площадке нет", definitely_not_applied=True)

    def _record_receipt(self, name: str, receipt: Receipt, last: bool = False) -> None:
        answer = asdict(receipt)
        receipts.record(self._lease, name, receipt, self._seal(name, answer), last)
        self._commit_in_doubt = self._in_doubt_until = None
        self._answers[name] = answer

    # Waiting

    def wait(self, name: str, fn: Callable[..., Any], *args: Any, every: float, until: float) -> Any:
        """`fn(*args)`'s first answer that is not None (JSON). Asks at once, at FIRST_POLLS, then every `every` seconds.

        In between the worker is free. After `until` seconds OutcomeUnknown is raised.
        """
        if name in self._answers:
            return self._answers[name]
        self._lease.keep(stage=Stage.PROCESSING)
        now, limited_until = clock.now(), None
        try:
            answer = fn(*args)
        except Unavailable:
            answer = None
        except RateLimited as limited:
            answer, limited_until = None, limited.until
        if answer is not None:
            self._store(name, answer)
            return answer
        since = datetime.fromisoformat(self.step(f"{name}{SINCE}", now.isoformat))
        if now - since > timedelta(seconds=until):
            raise OutcomeUnknown("площадка не закончила обработку вовремя")
        again = clock.now() + _poll_pause(clock.now() - since, every)
        if limited_until:
            raise ResumeAt(max(again, limited_until), Stage.WAITING)
        raise ResumeAt(again, Stage.PROCESSING)

    def ask_user(self, text: str, link: str, label: str, how: str = "") -> NoReturn:
        """`how`: what the user has to do, where the platform has the file already."""
        raise AskUser(text, link, label, how)

    # Storage of answers

    def age(self, name: str) -> float:
        """Seconds since the step was stored; 0 if it was not done, or only now."""
        return (clock.now() - self._stored_at[name]).total_seconds() if name in self._stored_at else 0.0

    def _load(self) -> dict[str, Any]:
        with reading():
            rows = db.session.execute(
                select(PublicationStep.name, PublicationStep.sealed_answer, PublicationStep.finished_at).where(
                    PublicationStep.publication_id == self.publication_id
                )
            ).all()
        self._stored_at = {name: at for name, _, at in rows}
        sealed_for = partial(step_sealed_for, self.publication_id)
        return {name: json.loads(self._vault.open(sealed, sealed_for(name))) for name, sealed, _ in rows}

    def _store(self, name: str, answer: Any) -> None:
        self._store_sealed(name, self._seal(name, answer))
        self._answers[name] = answer

    @durable
    def _store_sealed(self, name: str, sealed: bytes) -> None:
        self._lease.write(lease_until=Publication.lease_until)
        state_machine.store_step(self.publication_id, name, sealed, "step", Status.PUBLISHING)

    def _seal(self, name: str, answer: Any) -> bytes:
        return self._vault.seal(json.dumps(answer).encode(), step_sealed_for(self.publication_id, name))
