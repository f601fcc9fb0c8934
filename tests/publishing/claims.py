"""A worker's claim, in a transaction of its own as the engine's is."""

from app.db import transaction
from app.publishing import lease
from app.publishing.lease import Lease


def claim(publication_id: int) -> Lease | None:
    with transaction():
        return lease.acquire(publication_id, lambda _deadline: None)
