"""What the page «Наборы» shows of each set: its accounts, its slots, what waits in them, and the best hours."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.models import AccountSet, PlatformConnection, Slot, User
from app.services import account_sets, connection_list, slots
from app.statistics import best_hours
from app.statistics.best_hours import BestHours, Post

FREE_SHOWN = 3


@dataclass(frozen=True)
class Overview:
    """`waiting`: how many clips wait in each slot, by its id. `free`: the next occurrences in which none does.

    `best`: hours at which the set has no slot yet.
    """

    account_set: AccountSet
    accounts: Sequence[PlatformConnection]
    waiting: Mapping[int, int]
    free: Sequence[datetime]
    best: BestHours

    @property
    def all_waiting(self) -> int:
        return sum(self.waiting.values())

    def slots_of(self, weekday: int) -> list[Slot]:
        return [one for one in self.account_set.slots if one.weekday == weekday]


def all_of(user: User) -> list[Overview]:
    sets, accounts = account_sets.all_of(user), connection_list.all_of(user)
    waiting = Counter(one.slot_id for one in slots.waiting_in(slot for one in sets for slot in one.slots))
    posts = best_hours.posts_of(user.id)
    return [_overview(user, one, accounts, waiting, posts) for one in sets]


def get(user: User, account_set_id: int) -> Overview:
    """Raises NotFound."""
    account_set = account_sets.get(user, account_set_id)
    waiting = Counter(one.slot_id for one in slots.waiting_in(account_set.slots))
    return _overview(user, account_set, connection_list.all_of(user), waiting, best_hours.posts_of(user.id))


def _overview(
    user: User,
    account_set: AccountSet,
    accounts: Sequence[PlatformConnection],
    waiting: Mapping[int, int],
    posts: Sequence[Post],
) -> Overview:
    members = set(account_set.connection_ids)
    return Overview(
        account_set=account_set,
        accounts=[one for one in accounts if one.id in members],
        waiting={one.id: waiting[one.id] for one in account_set.slots if one.id in waiting},
        free=[one.due_at for one in slots.free_of(user, account_set, FREE_SHOWN)],
        best=_best(user, account_set, posts),
    )


def _best(user: User, account_set: AccountSet, posts: Sequence[Post]) -> BestHours:
    found = best_hours.best_hours(posts, account_set.connection_ids, user.timezone)
    there = {(one.weekday, one.minute) for one in account_set.slots}
    return BestHours(found.posts, [one for one in found.hours if (one.weekday, one.hour * 60) not in there])
