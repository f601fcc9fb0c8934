"""Before work horses are forked: a publish of a row that is not there.

SQLAlchemy builds a statement's SQL at its first use, and a work horse, which lives for one publication, would build all
of them anew: more than half of a small clip's processor time. What the parent has built, its children have.
"""

from contextlib import suppress

from flask import current_app

from app import clock, vault
from app.db import db, reading, transaction
from app.models import Publication, Stage, User, touch
from app.platforms import ADAPTERS
from app.platforms.base import Account, ClipFile, Receipt, Token
from app.platforms.http.timeouts import RESPONSE_SECONDS
from app.publishing import claims, dispatch, engine, receipts, state_machine
from app.publishing.context import PublishContext
from app.publishing.fetch_links import FetchLink
from app.publishing.lease import Lease, LeaseLost, acquire, expire_leases_of_dead_workers
from app.vault import Vault

_NOBODY = 0


def rehearse() -> None:
    """Asks everything that a publish asks, and writes nothing. Raises what the database raises."""
    public_key, private_key = vault.generate()
    own = Vault(public_key, private_key)
    own.open(own.seal(b"", ""), "")  # OpenSSL looks its algorithms up at the first use
    lease = Lease(_NOBODY, 0, lambda _seconds: None)
    for part in (_take, _upload, _settle):
        with suppress(LeaseLost):
            part(lease)
    expire_leases_of_dead_workers()
    dispatch.requeue_unstarted(_NOBODY, clock.now())
    for last in (True, False):
        receipts.record(lease, "", Receipt(""), b"", last)


def _take(lease: Lease) -> None:
    with reading():
        claims._read(Publication.id == _NOBODY)
        db.session.get(User, _NOBODY)
    with transaction():
        acquire(_NOBODY, lease.set_deadline, Publication.fence == 0)
        claims._start(lease, Publication(id=_NOBODY))


def _upload(lease: Lease) -> None:
    row = Publication(id=_NOBODY, started_at=clock.now(), title="", description="", not_found_count=0)
    row.platform, row.options = next(iter(ADAPTERS)), {}
    clip = ClipFile(lambda: None, 0, "", "", "", 0, 0, 0, "", None)
    context = PublishContext(
        lease, row, clip, Account("", ""), Token(""), current_app.extensions["vault"], FetchLink(row)
    )
    with suppress(LeaseLost):
        lease.renew(stage=Stage.UPLOADING, sent=0, total=0)
    context._begin_commit("", RESPONSE_SECONDS)


def _settle(lease: Lease) -> None:
    with transaction():
        touch(_NOBODY)
        state_machine.erase_steps(_NOBODY)
    engine._publish(lease, Receipt(""))
