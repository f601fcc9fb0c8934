"""The account of a connection, as adapters are given it."""

from sqlalchemy import case, literal, update

from app.db import db, transaction
from app.models import PlatformConnection, Publication, Status, touch
from app.platforms.base import Account
from app.platforms.errors import AccountMoved


def account_of(row: PlatformConnection) -> Account:
    return Account(row.account_id, row.account_name, row.account_url, row.avatar_url, row.facts)


def move(connection_id: int, moved: AccountMoved) -> Account | None:
    """Stores the account as the platform has it now; None where it has been disconnected."""
    with transaction():
        connection = db.session.get(PlatformConnection, connection_id, with_for_update=True)
        if connection is None:
            return None
        connection.facts = {**connection.facts, **moved.facts}
        if moved.url and moved.url != connection.account_url:
            _move_links(connection_id, moved.url)
            connection.account_url = moved.url
        return account_of(connection)


def _move_links(connection_id: int, url: str) -> None:
    """The old address may belong to another account now."""
    there = (Publication.status == Status.PUBLISHED) & Publication.external_id.is_not(None)
    at_account = Publication.url == Publication.account_url
    to_clip = literal(f"{url}/") + Publication.external_id
    link = case((there, to_clip), (at_account, literal(url)), else_=Publication.url)
    moved = update(Publication).filter_by(connection_id=connection_id).values(url=link, account_url=url)
    changed = moved.returning(Publication.id).execution_options(synchronize_session=False)
    for publication_id in db.session.scalars(changed).all():
        touch(publication_id)
