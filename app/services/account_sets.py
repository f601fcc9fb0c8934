"""Where a user publishes: named sets of accounts, and what the last choice left out."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, select, update

from app.db import db
from app.models import AccountSet, AccountSetMember, PlatformConnection, User, lock_plan, lock_user
from app.problems import NotFound, Problem
from app.services import clips

MAX_SETS = 20
MAX_NAME = AccountSet.name.type.impl.length


def all_of(user: User) -> Sequence[AccountSet]:
    """As they are now: of two requests at once, one may have waited for the other since it read them."""
    mine = select(AccountSet).where(AccountSet.user_id == user.id).order_by(AccountSet.id)
    return db.session.scalars(mine.execution_options(populate_existing=True)).all()


def get(user: User, set_id: int) -> AccountSet:
    """Raises NotFound, for another user's set too."""
    for one in all_of(user):
        if one.id == set_id:
            return one
    raise NotFound


def save(user: User, name: str, connection_ids: Collection[int], set_id: int | None = None) -> AccountSet:
    """Of the user's own accounts: the set `set_id`, or else that of the name, or a new one.

    Raises NotFound, Problem at the field «set-name».
    """
    name = clips.one_line(name)
    if not name:
        raise Problem("set_name_missing", "set-name")
    if len(name) > MAX_NAME:
        raise Problem("set_name_too_long", "set-name", max=MAX_NAME)
    chosen = sorted(_left_out(user).keys() & set(connection_ids))
    if not chosen:
        raise Problem("set_empty", "set-name")
    lock_user(user.id)  # of two requests at once, both would see room for one more
    one = _to_save(user, name, set_id)
    one.name = name
    db.session.add(one)
    db.session.flush()
    db.session.execute(delete(AccountSetMember).where(AccountSetMember.account_set_id == one.id))
    db.session.add_all(AccountSetMember(account_set_id=one.id, connection_id=member) for member in chosen)
    db.session.flush()
    db.session.expire(one)
    return one


def _to_save(user: User, name: str, set_id: int | None) -> AccountSet:
    known = {one.name: one for one in all_of(user)}
    if set_id is None:
        if name not in known and len(known) >= MAX_SETS:
            raise Problem("too_many_sets", "set-name", max=MAX_SETS)
        return known.get(name) or AccountSet(user_id=user.id)
    one = get(user, set_id)
    if known.get(name, one) is not one:
        raise Problem("set_name_taken", "set-name")
    return one


def remove(user: User, set_id: int) -> None:
    """One without slots; with them: `slot_changes.remove_set`. Raises NotFound, Problem."""
    lock_plan(user.id)
    one = get(user, set_id)
    if one.slots:
        raise Problem("set_has_slots")
    db.session.execute(delete(AccountSetMember).where(AccountSetMember.account_set_id == one.id))
    db.session.execute(delete(AccountSet).where(AccountSet.id == one.id))


def remember_choice(user: User, offered: Collection[int], chosen: Collection[int]) -> None:
    """For the next time. Accounts that were not offered keep what is known of them."""
    known = _left_out(user)
    for left_out, ids in ((True, set(offered) - set(chosen)), (False, set(offered) & set(chosen))):
        if changed := [one for one in ids if known.get(one, left_out) != left_out]:
            db.session.execute(
                update(PlatformConnection).where(PlatformConnection.id.in_(changed)).values(left_out=left_out)
            )


def _left_out(user: User) -> dict[int, bool]:
    """By id, of the user's own accounts. Ids that a form names are compared in Python: they may be any number."""
    columns = select(PlatformConnection.id, PlatformConnection.left_out)
    return {row.id: row.left_out for row in db.session.execute(columns.where(PlatformConnection.user_id == user.id))}
