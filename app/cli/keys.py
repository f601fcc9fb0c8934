"""`flask keys`: the keys that seal tokens."""

import click
from flask import current_app

from app import vault
from app.cli.group import Group
from app.db import commit
from app.services import keys

group = Group("keys", help="Ключи, которыми запечатаны токены.")

NO_FILE = "Файл VAULT_PRIVATE_KEY_FILE не прочесть или в нём не ключ: запустите команду там, где он есть."


def hold_private_keys() -> None:
    """An operator's command opens what a worker does."""
    try:
        keys.hold_private_keys()
    except (OSError, ValueError, IndexError):
        raise click.ClickException(NO_FILE) from None


@group.command("new")
def new_keys() -> None:
    """Новая пара ключей. Закрытый нужен только работникам."""
    public_key, private_key = vault.generate()
    click.echo(f"VAULT_PUBLIC_KEY={public_key}\nVAULT_PRIVATE_KEY={private_key}")


@group.command("status")
def keys_status() -> None:
    """Сколько значений каким ключом запечатано и что открывает этот процесс."""
    hold_private_keys()
    here = current_app.extensions["vault"]
    for key_id, count in keys.status().items():
        notes = ["нынешний"] * (key_id == here.key_id)
        notes.append("открывается здесь" if key_id in here.private_key_ids else "здесь не открыть")
        click.echo(f"{key_id}\t{count}\t{', '.join(notes)}")


@group.command("rotate")
def rotate_keys() -> None:
    """Перезапечатать всё нынешним открытым ключом. Нужны закрытые ключи, старый и новый, через запятую."""
    hold_private_keys()
    if not current_app.extensions["vault"].can_open:
        raise click.ClickException("Нет закрытых ключей. Задайте VAULT_PRIVATE_KEY=новый,старый и повторите.")
    sealed = lost = 0
    for more_sealed, more_lost in keys.rotate():
        commit()
        sealed, lost = sealed + more_sealed, lost + more_lost
    click.echo(f"Перезапечатано: {sealed}.")
    if lost:
        raise click.ClickException(
            f"Не открылось: {lost}. Добавьте их ключ в VAULT_PRIVATE_KEY (flask keys status) и повторите."
        )
