"""«В очередь»: a clip takes the next free slot of a set of accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.models import AccountSet, Publication, User, lock_plan
from app.problems import Problem
from app.services import account_sets, publications, slots
from app.services.publications import Choice


@dataclass(frozen=True)
class Offer:
    """A set with slots, and when a clip would go out that is put into its queue now."""

    account_set: AccountSet
    due_at: datetime


def offers(user: User) -> list[Offer]:
    """Sets in which there is a free slot, and an account."""
    sets = [one for one in account_sets.all_of(user) if one.slots and one.members]
    free = ((one, slots.free_of(user, one, 1)) for one in sets)
    return [Offer(account_set, found[0].due_at) for account_set, found in free if found]


def put(user: User, clip_id: int, account_set_id: int, choices: Sequence[Choice]) -> list[Publication]:
    """As `publications.publish`, at the next free occurrence: of two requests at once each gets its own.

    Raises NotFound, Problem.
    """
    lock_plan(user.id)
    free = slots.next_free(user, account_set_id, 1)
    if not free:
        raise Problem("no_free_slot")
    return publications.publish(user, clip_id, choices, free[0].due_at, free[0].slot_id)
