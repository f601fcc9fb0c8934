"""One try at a publication: claim it, let its adapter go on, write down what became of it."""

from datetime import timedelta

import structlog
from flask import current_app
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.db import db, is_db_down, reading, transaction
from app.models import ClipStatus, ConnectionStatus, Publication, Stage, Status, User
from app.platform_access.lease_times import AFTER_DEADLINE
from app.platform_access.tokens import TokenReplaced, with_fresh_token
from app.platforms.base import Account, Adapter, Receipt, Token
from app.platforms.errors import (
    AccountMoved,
    OutcomeUnknown,
    OwnOutage,
    PlatformError,
    RateLimited,
    Reconnect,
    Refused,
    Stale,
    TokenExpired,
    Unavailable,
)
from app.process.identity import is_running
from app.publishing import outcomes, state_machine
from app.publishing.context import AskUser, PublishContext, ResumeAt
from app.publishing.lease import Cancelled, Lease, LeaseLost, SetDeadline, acquire, read
from app.vault import CannotOpen

log = structlog.get_logger(__name__)

# A publication whose workers keep dying on it is given up; restarts of ours must not use this up.
MOST_CRASHES = 10


def advance(publication_id: int, set_deadline: SetDeadline = lambda _deadline: None) -> bool:
    """Does what can be done now; False if the row is not due or another worker holds it.

    `set_deadline` is called with the moment until which this process may live (clock.boottime()), which lies before
    the end of its lease.
    """
    claimed = claim_publication(publication_id, set_deadline)
    if claimed is None:
        return False
    lease, publication, obstacle = claimed
    try:
        if publication.status == Status.CANCELLED:
            outcomes.clean_up(lease, publication)
        elif obstacle:
            outcomes.give_up(lease, publication, obstacle)
        else:
            _try(lease, publication)
    except Cancelled:
        log.info("cancelled while it was under way", publication=publication_id)
    except LeaseLost:
        log.warning("lost the lease", publication=publication_id, fence=lease.fence)
    return True


def claim_publication(
    publication_id: int, set_deadline: SetDeadline
) -> tuple[Lease, Publication, Refused | None] | None:
    """Claims the row and, where nothing stands in the way, starts it.

    What takes time is done before: writers queue for SQLite's one lock, and then it holds for as long as one UPDATE.
    """
    with reading():
        publication = read(Publication.id == publication_id)
        if publication is None or _is_worked_on(publication):
            return None
        obstacle = _obstacle(publication)
    with transaction():
        lease = acquire(publication_id, set_deadline, Publication.fence == publication.fence)
        if lease and publication.status == Status.SCHEDULED and not obstacle:
            _start(lease, publication)
    return (lease, publication, obstacle) if lease else None


def _is_worked_on(publication: Publication) -> bool:
    """Whether its holder runs on this machine. Its lease has not run out then, even if the clock was set meanwhile: the
    kernel ends a process before its lease does (`kill_self_at`). A stopped one is ended as it goes on.
    """
    return bool(publication.lease_until and publication.holder) and is_running(publication.holder)


def _obstacle(publication: Publication) -> Refused | None:
    """What stands in the way of a publication whenever it is claimed."""
    # A lease that is still there has run out: its worker died.
    if publication.crashes + (publication.lease_until is not None) > MOST_CRASHES:
        return Refused("crashed")
    if publication.commit_in_doubt or publication.has_receipt:
        return None  # whatever has changed since, the clip may be public already: see it through
    if publication.connection is None:
        return Refused("disconnected")
    if publication.connection.status != ConnectionStatus.ACTIVE:
        return Refused("reconnect")
    if publication.clip is None or publication.clip.status != ClipStatus.READY:
        return Refused("clip_gone")
    if not db.session.get(User, publication.user_id).plan.allows(publication.platform):
        return Refused("plan")
    late = timedelta(minutes=current_app.config["LATE_MINUTES"])
    if publication.status == Status.SCHEDULED and clock.now() - publication.due_at > late:
        return Refused("missed")
    return None


def _start(lease: Lease, publication: Publication) -> None:
    now = clock.now()
    if not state_machine.move(publication.id, Status.PUBLISHING, *lease.where(), event="started", started_at=now):
        lease.lost()
    lease.fence += 1
    publication.started_at, publication.status = now, Status.PUBLISHING


def _try(lease: Lease, publication: Publication) -> None:
    """Runs the adapter and turns every way in which that can end into a write of the row."""
    try:
        receipt = _enter_adapter(lease, publication) if publication.connection else _receipt_left(publication)
    except ResumeAt as resume:
        lease.release(resume.at, values={"stage": resume.stage})
    except RateLimited as limited:
        outcomes.wait_for_limit(lease, publication, limited)
    except AccountMoved as moved:
        outcomes.move_account(lease, publication, moved)
    except (Reconnect, TokenExpired, Refused, OutcomeUnknown) as error:
        outcomes.give_up(lease, publication, error)
    except AskUser as ask:
        outcomes.move(lease, Status.AWAITING_USER, ask={"text": ask.text, "link": ask.link, "label": ask.label})
    except TokenReplaced:
        lease.release(clock.now(), values={"stage": Stage.QUEUED})
    except Stale as error:
        outcomes.begin_again(lease, publication, error)
    except OwnOutage as outage:
        outcomes.wait_out(lease, publication, outage)
    except Unavailable as error:
        outcomes.retry(lease, publication, error)
    except LeaseLost:
        raise
    except Exception as error:
        # A fault of ours: logged for the operator, and for the user the same as a platform that did not work.
        log.exception("publishing failed", publication=publication.id)
        if _is_outage(error):
            outcomes.wait_out(lease, publication, OwnOutage("internal"))
        else:
            outcomes.retry(lease, publication, PlatformError("internal"))
    else:
        if not lease.settled:
            outcomes.publish(lease, receipt)


def _is_outage(error: Exception) -> bool:
    """Whether something of ours is away. A token that cannot be opened: this worker may lack the key for it."""
    return isinstance(error, (RedisError, CannotOpen)) or (isinstance(error, SQLAlchemyError) and is_db_down(error))


def _enter_adapter(lease: Lease, publication: Publication) -> Receipt:
    unread = [publication]

    def enter(adapter: Adapter, account: Account, token: Token) -> Receipt:
        # What was begun or stored since must be known to a second entry.
        row = unread.pop() if unread else lease.load()
        return adapter.publish(PublishContext(lease, row, account, token))

    return with_fresh_token(publication.connection, enter)


def _receipt_left(publication: Publication) -> Receipt:
    """The account was disconnected after the point of no return, and the platform cannot be asked any more.

    The receipt that is there counts. Without one, the process that sent the clip may still get it, until its deadline.
    """
    if publication.has_receipt:
        return Receipt(publication.external_id, publication.url)
    over = publication.in_doubt_until + AFTER_DEADLINE
    if clock.now() < over:
        raise ResumeAt(over, Stage.CHECKING)
    raise OutcomeUnknown("аккаунт отключён, спросить платформу нечем")
