"""`flask storage`: the clips' files as a whole."""

import click
from flask import current_app

from app import config
from app.cli.group import Group
from app.services import storage_copy
from app.storage import StorageUnavailable, storage_at

group = Group("storage", help="Файлы клипов: копия в другое хранилище.")


@group.command()
@click.argument("url", metavar="URL")
def copy(url: str) -> None:
    """Скопировать все файлы клипов в другое хранилище: file:/папка или s3://бакет?endpoint=…

    Можно повторять: что уже скопировано, не пересылается. Ключи бакета — те же AWS_ACCESS_KEY_ID и
    AWS_SECRET_ACCESS_KEY.
    """
    try:
        target = storage_at(config.storage_address(url), current_app.config)
        copied = storage_copy.copy_to(target)
    except (ValueError, StorageUnavailable) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Скопировано файлов: {copied.new}, уже были: {copied.present}.")
    if copied.missing:
        raise click.ClickException(f"В хранилище нет файлов ({len(copied.missing)}): {', '.join(copied.missing[:10])}")
