"""The vault's keys: which of them seal what is stored, and sealing all of it anew with the present one."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from flask import current_app
from sqlalchemy import select, update

from app import vault
from app.db import db
from app.models import PlatformConnection, PublicationStep, Question, Revocation
from app.vault import CannotOpen, Vault

BATCH = 200

# Every column that holds sealed values. Each of their rows tells by `sealed_for` what its value is bound to.
_COLUMNS = (
    PlatformConnection.sealed_token,
    PublicationStep.sealed_answer,
    Question.sealed_payload,
    Revocation.sealed_token,
)


@dataclass(frozen=True)
class KeyUse:
    """How many stored values one key seals. `present`: new ones are sealed with it; `opens`: this process can open."""

    key_id: str
    count: int
    present: bool
    opens: bool


@dataclass(frozen=True)
class Rotation:
    """`lost` could not be opened: their key is not among the private ones, or they are damaged."""

    sealed: int
    lost: int


def new() -> tuple[str, str]:
    """Public and private key, as the settings take them."""
    return vault.generate()


def status() -> list[KeyUse]:
    """Every key that is in use or could be, the present one first."""
    here = _vault()
    counts = Counter(vault.sealed_with(sealed) for column in _COLUMNS for _, sealed, _ in _values(column))
    known = dict.fromkeys([here.key_id, *here.private_key_ids, *counts])
    return [KeyUse(one, counts[one], one == here.key_id, one in here.private_key_ids) for one in known]


def rotate() -> Rotation:
    """Seals with the present public key whatever another one seals. Needs the private keys, old and new.

    Workers may go on: a value is replaced only while it is still the one that was opened. Can be broken off and begun
    again.
    """
    here, sealed_anew, lost = _vault(), 0, 0
    for column in _COLUMNS:
        for row_id, sealed, bound_to in _values(column):
            if vault.sealed_with(sealed) == here.key_id:
                continue
            try:
                fresh = here.seal(here.open(sealed, bound_to), bound_to)
            except CannotOpen:
                lost += 1
                continue
            model = column.class_
            changed = db.session.execute(
                update(model).where(model.id == row_id, column == sealed).values({column.key: fresh})
            )
            db.session.commit()
            sealed_anew += changed.rowcount
    return Rotation(sealed_anew, lost)


def _vault() -> Vault:
    return current_app.extensions["vault"]


def _values(column) -> Iterator[tuple[int, bytes, str]]:
    """Id, sealed value and what it is bound to, of every row; in short transactions, so that nobody waits."""
    model, after = column.class_, 0
    while True:
        rows = db.session.scalars(
            select(model).where(model.id > after, column.is_not(None)).order_by(model.id).limit(BATCH)
        ).all()
        found = [(row.id, getattr(row, column.key), row.sealed_for) for row in rows]
        db.session.rollback()
        if not found:
            return
        yield from found
        after = found[-1][0]
