"""`flask keys`: the keys that seal tokens."""

import click
from flask import current_app

from app.cli.group import Group
from app.db import commit
from app.services import keys

group = Group("keys", help="Ключи, которыми запечатаны токены.")


@group.command("new")
def new_keys() -> None:
    """Новая пара ключей. Закрытый нужен только работникам."""
    public_key, private_key = keys.new()
    click.echo(f"VAULT_PUBLIC_KEY={public_key}\nVAULT_PRIVATE_KEY={private_key}")


@group.command("status")
def keys_status() -> None:
    """Сколько значений каким ключом запечатано и что открывает этот процесс."""
    for key in keys.status():
        notes = ["нынешний"] * key.present + ["открывается здесь" if key.opens else "здесь не открыть"]
        click.echo(f"{key.key_id}\t{key.count}\t{', '.join(notes)}")


@group.command("rotate")
def rotate_keys() -> None:
    """Перезапечатать всё нынешним открытым ключом. Нужны закрытые ключи, старый и новый, через запятую."""
    if not current_app.extensions["vault"].can_open:
        raise click.ClickException("Нет закрытых ключей. Задайте VAULT_PRIVATE_KEY=новый,старый и повторите.")
    sealed = lost = 0
    for batch in keys.rotate():
        commit()
        sealed, lost = sealed + batch.sealed, lost + batch.lost
    click.echo(f"Перезапечатано: {sealed}.")
    if lost:
        raise click.ClickException(
            f"Не открылось: {lost}. Добавьте их ключ в VAULT_PRIVATE_KEY (flask keys status) и повторите."
        )
