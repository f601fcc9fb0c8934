"""The vault's keys: which of them seal what is stored, and sealing all of it anew with the present one."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from flask import current_app
from sqlalchemy import select, update

from app import vault
from app.db import db, end_reading
from app.models import PlatformConnection, PublicationStep, Question, Revocation, Webhook
from app.vault import CannotOpen, Vault

BATCH = 200

# Every column that holds sealed values; `sealed_for` of the same row is what its value is bound to.
_COLUMNS = (
    PlatformConnection.sealed_token,
    PublicationStep.sealed_answer,
    Question.sealed_payload,
    Revocation.sealed_token,
    Webhook.sealed_secret,
    Webhook.sealed_previous,
)


def hold_private_keys(private_keys: str | None = None) -> None:
    """From now on this process opens tokens, by these keys, or by those of VAULT_PRIVATE_KEY_FILE where it is set.

    For workers and operators' commands. Raises OSError, and ValueError where a text is no key.
    """
    if not private_keys and (file := current_app.config["VAULT_PRIVATE_KEY_FILE"]):
        private_keys = vault.read_private_keys(Path(file))
    if private_keys:
        current_app.extensions["vault"] = Vault(current_app.config["VAULT_PUBLIC_KEY"], private_keys)


def status() -> dict[str, int]:
    """How many stored values each key seals, by key id: every key that is in use or could be, the present one first."""
    here: Vault = current_app.extensions["vault"]
    batches = (batch for column in _COLUMNS for batch in _batches(column))
    counts = Counter(vault.sealed_with(sealed) for batch in batches for _, sealed, _ in batch)
    return {key_id: counts[key_id] for key_id in (here.key_id, *here.private_key_ids, *counts)}


def rotate() -> Iterator[tuple[int, int]]:
    """Seals with the present public key whatever another one seals. Needs the private keys, old and new.

    Yields for each batch how many are sealed anew, and how many could not be opened: their key is not among the private
    ones, or they are damaged. The caller commits after each. Workers may go on: a value is replaced only while it is
    still the one that was opened. Can be interrupted and begun again.
    """
    here: Vault = current_app.extensions["vault"]
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
            yield sum(_replace(column, *one) for one in fresh), lost


def _replace(column, row_id: int, sealed: bytes, fresh: bytes) -> int:
    model = column.class_
    replaced = update(model).where(model.id == row_id, column == sealed).values({column.key: fresh})
    return db.session.execute(replaced).rowcount


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
