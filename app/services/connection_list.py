"""The accounts of a user, in the order in which every page shows them."""

from sqlalchemy import select

from app import platforms
from app.db import db
from app.models import ConnectionStatus, PlatformConnection, User


def all_of(user: User) -> list[PlatformConnection]:
    """By platform as the page «Интеграции» lists them, then by name: renewing an account does not move it."""
    places = {key: place for place, key in enumerate(platforms.ADAPTERS)}
    mine = db.session.scalars(select(PlatformConnection).where(PlatformConnection.user_id == user.id))
    return sorted(mine, key=lambda one: (places.get(one.platform, len(places)), one.account_name.casefold(), one.id))


def usable(user: User) -> list[PlatformConnection]:
    """Those at which it is known where they publish."""
    return [one for one in all_of(user) if one.status != ConnectionStatus.CHOOSING]
