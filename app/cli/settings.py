"""`flask settings`: the table of all settings, for docs/operations.md."""

from pathlib import Path

import click

from app import config, platforms
from app.cli.group import Group

group = Group("settings", help="Настройки: таблица для документации.")

BEGIN, END = "<!-- настройки: пишет flask settings write -->", "<!-- конец настроек -->"


@group.command()
def table() -> None:
    """Показать таблицу."""
    click.echo(settings_table())


@group.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def write(path: Path) -> None:
    """Записать таблицу в документ PATH между её отметками."""
    path.write_text(with_table(path.read_text()))


def settings_table() -> str:
    """Markdown: each setting, what it defaults to, what it is."""
    rows = [f"| {' | '.join(_row(setting))} |" for setting in (*config.CORE, *platforms.settings())]
    return "\n".join(["| настройка | по умолчанию | что это |", "| --- | --- | --- |", *rows])


def with_table(document: str) -> str:
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{settings_table()}\n\n{END}{after}"


def _row(setting: config.Setting) -> tuple[str, str, str]:
    default = "нужна" if setting.default is None else f"`{setting.default}`" if setting.default else "—"
    secret = " *Секрет.*" if setting.secret else ""
    return f"`{setting.name}`", default, f"{setting.help.removesuffix('…')}.{secret}"
