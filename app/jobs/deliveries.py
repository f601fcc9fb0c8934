"""Sending webhooks: many requests wait at once, and only the main thread uses the database."""

import time
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial

import structlog
from flask import current_app

from app.db import reading, retry_while_db_down, transaction
from app.services import webhook_deliveries
from app.services.webhook_deliveries import Claimed
from app.webhooks import addresses, sending
from app.webhooks.sending import Outcome

# Requests to receivers at once, all of one process: a thread waits without work, and only this one uses the database.
_REQUESTS_AT_ONCE = 16
_DELIVER_SECONDS = 60.0
_NEXT_LOOK_SECONDS = 0.25
_KEEP_OUTCOME_SECONDS = 20.0


def deliver_webhooks(_webhook_id: int) -> None:
    """Any wake-up serves all webhooks: the rows decide which is next. Ends when nothing may go and nothing is under
    way, or takes no more after _DELIVER_SECONDS.
    """
    began, local = time.monotonic(), addresses.local_origins(current_app.config)
    under_way: dict[Future[Outcome], Claimed] = {}
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as requests:
        while True:
            while len(under_way) < _REQUESTS_AT_ONCE and time.monotonic() - began < _DELIVER_SECONDS:
                claimed = _next_delivery(under_way.values())
                if claimed is None:
                    break
                under_way[requests.submit(_deliver, claimed, local)] = claimed
            if not under_way:
                return
            ended, _ = wait(under_way, _NEXT_LOOK_SECONDS, FIRST_COMPLETED)
            for request in ended:
                _settle_delivery(under_way.pop(request), request.result())


def _next_delivery(under_way: Collection[Claimed]) -> Claimed | None:
    with reading():
        turn = webhook_deliveries.next_turn(under_way)
    if turn is None:
        return None
    with transaction():
        return webhook_deliveries.claim_turn(*turn)


def _deliver(claimed: Claimed, local: Collection[str]) -> Outcome:
    with structlog.contextvars.bound_contextvars(webhook=claimed.webhook.id, delivery=claimed.delivery.id):
        return sending.send(claimed.message, local) if claimed.message else Outcome(0, error="internal")


def _settle_delivery(claimed: Claimed, outcome: Outcome) -> None:
    settle = transaction()(webhook_deliveries.settle)
    retry_while_db_down(partial(settle, claimed, outcome), _KEEP_OUTCOME_SECONDS)
