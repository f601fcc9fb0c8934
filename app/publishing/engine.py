"""One try at a publication: claim it, let its adapter go on, write down what became of it."""

from functools import partial

import structlog
from redis import RedisError

from app import clock
from app.db import is_db_down
from app.models import Publication, Stage, Status
from app.platform_access.lease_times import AFTER_DEADLINE
from app.platform_access.tokens import TokenReplaced, with_fresh_token
from app.platforms import errors
from app.platforms.base import Receipt
from app.publishing import context, incidents, outcomes, preparation, receipts
from app.publishing.lease import AskUser, Cancelled, Lease, LeaseLost, ResumeAt, SetDeadline, claim_publication
from app.vault import CannotOpen

log = structlog.get_logger(__name__)


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
        elif publication.awaits_file:
            preparation.wait(lease, publication)
        elif preparation.awaits_cover(publication):
            preparation.wait_for_cover(lease)
        else:
            _try(lease, publication)
    except Cancelled:
        log.info("cancelled while it was under way", publication=publication_id)
    except LeaseLost:
        log.warning("lost the lease", publication=publication_id, fence=lease.fence)
    return True


def _try(lease: Lease, publication: Publication) -> None:
    """Runs the adapter and turns every way in which that can end into a write of the row."""
    try:
        if publication.connection and incidents.stands_in_the_way(publication):
            outcomes.hold(lease, publication)
            return
        if publication.connection:
            receipt = with_fresh_token(publication.connection, partial(context.publish, lease, [publication]))
        else:
            receipt = _receipt_left(publication)
    except ResumeAt as resume:
        lease.release(resume.at, stage=resume.stage, outage_since=incidents.held_since(publication))
    except errors.RateLimited as limited:
        outcomes.wait_for_limit(lease, publication, limited)
    except errors.QuotaSpent as spent:
        outcomes.wait_for_quota(lease, publication, spent)
    except errors.AccountMoved as moved:
        outcomes.move_account(lease, publication, moved)
    except errors.Refused as error:
        outcomes.refuse(lease, publication, error)
    except (errors.Reconnect, errors.TokenExpired, errors.OutcomeUnknown) as error:
        outcomes.give_up(lease, publication, error)
    except AskUser as ask:
        incidents.succeeds(publication)
        asked = {"text": ask.text, "link": ask.link, "label": ask.label, "how": ask.how}
        outcomes.move(lease, Status.AWAITING_USER, ask=asked)
    except TokenReplaced:
        lease.release(clock.now(), stage=Stage.QUEUED)
    except errors.Stale as error:
        outcomes.begin_again(lease, publication, error)
    except errors.OwnOutage as outage:
        outcomes.wait_out(lease, publication, outage)
    except errors.Incident as incident:
        outcomes.wait_for_incident(lease, publication, incident)
    except errors.Unavailable as error:
        outcomes.retry(lease, publication, error)
    except LeaseLost:
        raise
    except Exception as error:
        # A fault of ours: logged for the operator, and for the user the same as a platform that did not work.
        log.exception("publishing failed", publication=publication.id)
        # Something of ours is away. A token that cannot be opened: this worker may lack the key for it.
        if isinstance(error, (RedisError, CannotOpen)) or is_db_down(error):
            outcomes.wait_out(lease, publication, errors.OwnOutage("internal"))
        else:
            outcomes.retry(lease, publication, errors.PlatformError("internal"))
    else:
        if not lease.settled:
            outcomes.move(lease, Status.PUBLISHED, **receipts.as_published(receipt))
        incidents.succeeds(publication)


def _receipt_left(publication: Publication) -> Receipt:
    """The account was disconnected after the point of no return, and the platform cannot be asked any more.

    The receipt that is there counts. Without one, the process that sent the clip may still get it, until its deadline.
    """
    if publication.has_receipt:
        return Receipt(publication.external_id, publication.url)
    over = publication.in_doubt_until + AFTER_DEADLINE
    if clock.now() < over:
        raise ResumeAt(over, Stage.CHECKING)
    raise errors.OutcomeUnknown("аккаунт отключён, спросить площадку нечем")
