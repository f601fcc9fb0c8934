"""Rotating the vault's keys under a running installation, and what each process can open."""

import pytest

from app import platforms, vault
from app.db import commit, db
from app.models import PlatformConnection, Publication, PublicationStep, Revocation
from app.platform_access import tokens
from app.platforms.base import Token
from app.services import keys as vault_keys
from app.services import publications
from app.services.publications import Choice
from app.vault import CannotOpen, Vault
from tests.conftest import DEMO_BOT
from tests.publishing.conftest import row, settle


@pytest.fixture
def stored(app, user, telegram, ready_clip):
    """A token, a step under way and a revocation, all sealed with the first key."""
    owner = user()
    connection = telegram(owner)
    [made] = publications.publish(owner, ready_clip(owner).id, [Choice(connection.id, "Закат", "")])
    commit()
    here: Vault = app.extensions["vault"]
    step = PublicationStep(publication_id=made.id, name="create", sealed_answer=b"")
    step.sealed_answer = here.seal(b'"an upload url"', step.sealed_for)
    gone = Revocation(platform="vk", sealed_for="connection:99", expires_at=connection.created_at, sealed_token=b"")
    gone.sealed_token = here.seal(b"{}", "connection:99")
    db.session.add_all([step, gone])
    db.session.commit()
    return connection


def sealed_values() -> list[bytes]:
    db.session.rollback()
    return [
        *db.session.scalars(db.select(PlatformConnection.sealed_token)),
        *db.session.scalars(db.select(PublicationStep.sealed_answer)),
        *db.session.scalars(db.select(Revocation.sealed_token)),
    ]


def test_a_rotation(app, keys, stored, command):
    new_public, new_private = vault.generate()
    app.extensions["vault"] = Vault(new_public, f"{new_private},{keys[1]}")
    old_id, new_id = vault.key_id(keys[0]), vault.key_id(new_public)
    assert command("keys", "status").output == (
        f"{new_id}\t0\tнынешний, открывается здесь\n{old_id}\t3\tоткрывается здесь\n"
    )
    assert command("keys", "rotate").output == "Перезапечатано: 3.\n"
    assert {vault.sealed_with(sealed) for sealed in sealed_values()} == {new_id}
    assert command("keys", "rotate").output == "Перезапечатано: 0.\n"

    app.extensions["vault"] = Vault(new_public, new_private)
    connection = db.session.get(PlatformConnection, stored.id)
    assert tokens.open_token(connection).access == DEMO_BOT
    old = Vault(*keys)
    for sealed in sealed_values():
        with pytest.raises(CannotOpen):
            old.open(sealed, connection.sealed_for)


def test_a_publication_goes_on_over_a_rotation(app, keys, stored, sandbox):
    new_public, new_private = vault.generate()
    app.extensions["vault"] = Vault(new_public, f"{new_private},{keys[1]}")
    publication_id = db.session.query(Publication.id).scalar()
    assert settle(publication_id).status == "published", row(publication_id).detail


def test_a_token_that_a_worker_renews_meanwhile_is_not_overwritten(app, keys, stored):
    """The rotation has read the old value; a refresh stores a newer one before it writes."""
    from app.services.keys import _COLUMNS, _batches

    new_public, new_private = vault.generate()
    app.extensions["vault"] = here = Vault(new_public, f"{new_private},{keys[1]}")
    [[(row_id, sealed, bound_to)]] = list(_batches(_COLUMNS[0]))
    connection = db.session.get(PlatformConnection, row_id)
    tokens.seal_token(connection, Token("renewed-token"))
    db.session.commit()
    stale = here.seal(here.open(sealed, bound_to), bound_to)
    changed = db.session.execute(
        db.update(PlatformConnection)
        .where(PlatformConnection.id == row_id, PlatformConnection.sealed_token == sealed)
        .values(sealed_token=stale)
    )
    db.session.commit()
    assert changed.rowcount == 0
    for _ in vault_keys.rotate():
        db.session.commit()
    assert tokens.open_token(db.session.get(PlatformConnection, connection.id)).access == "renewed-token"


def test_without_the_old_key_nothing_is_lost(app, keys, stored, command):
    before = sealed_values()
    app.extensions["vault"] = Vault(*vault.generate())
    result = command("keys", "rotate")
    assert result.exit_code == 1
    assert "Не открылось: 3" in result.output
    assert sealed_values() == before


def test_without_private_keys_it_names_the_remedy(app, keys, stored, command):
    app.extensions["vault"] = Vault(keys[0])
    result = command("keys", "rotate")
    assert result.exit_code == 1
    assert "VAULT_PRIVATE_KEY=новый,старый" in result.output


def test_a_new_pair_fits_the_settings(command):
    lines = dict(line.split("=", 1) for line in command("keys", "new").output.splitlines())
    pair = Vault(lines["VAULT_PUBLIC_KEY"], lines["VAULT_PRIVATE_KEY"])
    assert pair.open(pair.seal(b"x", "row"), "row") == b"x"


def test_a_stolen_database_and_the_webs_environment_open_nothing(app, keys, stored, environment):
    """Both hold the public key, the session's secret and every ciphertext."""
    from app import config

    stolen = {name: value for name, value in environment.items() if name != "VAULT_PRIVATE_KEY"}
    settings = config.load(stolen, platforms.settings())
    thief = Vault(settings["VAULT_PUBLIC_KEY"], settings["VAULT_PRIVATE_KEY"])
    assert not thief.can_open
    for sealed in sealed_values():
        for bound_to in (stored.sealed_for, "connection:99"):
            with pytest.raises(CannotOpen):
                thief.open(sealed, bound_to)
        assert DEMO_BOT.encode() not in sealed


def test_a_ciphertext_in_another_row_opens_nothing(app, stored, user, telegram):
    other = telegram(user(), chat_id=-1001000000002)
    other.sealed_token = stored.sealed_token
    with pytest.raises(CannotOpen):
        tokens.open_token(other)


@pytest.mark.parametrize(("role", "private", "code"), [("web", False, 0), ("web", True, 1), ("worker", True, 0)])
def test_the_doctor_shows_what_a_process_can_open(app, keys, stored, command, role, private, code):
    app.config["PUBLIC_URL"], app.config["LOCAL_HOSTS"] = "https://vezde.example", ()
    app.config["NOTIFY_BOT_NAME"] = ""
    app.extensions["vault"] = Vault(keys[0], keys[1] if private else "")
    import os

    if private:
        os.environ["VAULT_PRIVATE_KEY"] = keys[1]
    try:
        result = command("doctor", "--role", role)
    finally:
        os.environ.pop("VAULT_PRIVATE_KEY", None)
    assert result.exit_code == code, result.output
    shown = "Хранимый токен этот процесс " + ("открывает" if private else "открыть не может")
    assert shown in result.output
    assert ("✗" in result.output) is bool(code)
    assert keys[1] not in result.output
    assert DEMO_BOT not in result.output
