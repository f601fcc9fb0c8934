"""The vault's keys: which of them seal what is stored, and sealing all of it anew with the present one."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from flask import current_app
from sqlalchemy import select, update

from app import vault
from app.db import db, end_reading
from app.models import PlatformConnection, PublicationStep, Revocation
from app.vault import CannotOpen, Vault

BATCH = 200

# Every column that holds sealed values; `sealed_for` of the same row is what its value is bound to.
_COLUMNS = (PlatformConnection.sealed_token, PublicationStep.sealed_answer, Revocation.sealed_token)


@dataclass(frozen=True)
class KeyUse:
    """How many stored values one key seals. `present`: new ones are sealed with it; `opens`: this process can open."""

    key_id: str
    count: int
    present: bool
    opens: bool


@dataclass(frozen=True)
class Rotation:
    """Of one batch. `lost` could not be opened: their key is not among the private ones, or they are damaged."""

    sealed: int
    lost: int


def new() -> tuple[str, str]:
    """Public and private key, as the settings take them."""
    return vault.generate()


def status() -> list[KeyUse]:
    """Every key that is in use or could be, the present one first."""
    here = _vault()
    values = chain.from_iterable(batch for column in _COLUMNS for batch in _batches(column))
    counts = Counter(vault.sealed_with(sealed) for _, sealed, _ in values)
    known = dict.fromkeys([here.key_id, *here.private_key_ids, *counts])
    return [KeyUse(one, counts[one], one == here.key_id, one in here.private_key_ids) for one in known]


def rotate() -> Iterator[Rotation]:
    """Seals with the present public key whatever another one seals. Needs the private keys, old and new.

    The caller commits after each batch. Workers may go on: a value is replaced only while it is still the one that was
    opened. Can be interrupted and begun again.
    """
    here = _vault()
    for column in _COLUMNS:
        for batch in _batches(column):
            fresh, lost = [], 0
            for row_id, sealed, bound_to in batch:
                if vault.sealed_with(sealed) == here.key_id:
                    continue
                try:
                    fresh.append((row_id, sealed, here.seal(here.open(sealed, bound_to), bound_to)))
                except CannotOpen:
                    lost += 1
            yield Rotation(sum(_replace(column, *one) for one in fresh), lost)


def _replace(column, row_id: int, sealed: bytes, fresh: bytes) -> int:
    model = column.class_
    replaced = update(model).where(model.id == row_id, column == sealed).values({column.key: fresh})
    return db.session.execute(replaced).rowcount


def _vault() -> Vault:
    return current_app.extensions["vault"]


def _batches(column) -> Iterator[list[tuple[int, bytes, str]]]:
    """Id, sealed value and what it is bound to, of every row; no transaction is open between batches."""
    model, after = column.class_, 0
    while True:
        rows = db.session.scalars(
            select(model).where(model.id > after, column.is_not(None)).order_by(model.id).limit(BATCH)
        ).all()
        batch = [(row.id, getattr(row, column.key), row.sealed_for) for row in rows]
        end_reading()
        if not batch:
            return
        yield batch
        after = batch[-1][0]
