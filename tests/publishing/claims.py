"""A worker's claim, in a transaction of its own as the engine's is."""

from app.db import transaction
from app.publishing import lease
from app.publishing.lease import Held


def claim(publication_id: int) -> Held | None:
    with transaction():
        return lease.claim(publication_id, lambda _deadline: None)
