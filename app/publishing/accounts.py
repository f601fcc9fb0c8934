"""The account of a connection, as an adapter wants to know it."""

from app.models import PlatformConnection
from app.platforms.base import Account


def account_of(connection: PlatformConnection) -> Account:
    return Account(
        connection.account_id,
        connection.account_name,
        connection.account_url,
        connection.avatar_url,
        connection.facts,
    )
