"""Commands for operators: `flask users …`, `keys …`, `doctor`. Errors are a Russian sentence and exit code 1."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext

from app import clock, plans
from app.services import accounts, doctor, keys
from app.services.errors import NotFound, Problem

users = AppGroup("users", help="Пользователи: список, тарифы, пароли.")
vault_keys = AppGroup("keys", help="Ключи, которыми запечатаны токены.")


def register(app: Flask) -> None:
    app.cli.add_command(users)
    app.cli.add_command(vault_keys)
    app.cli.add_command(examine)


@contextmanager
def _plainly(email: str = "") -> Iterator[None]:
    """Services' refusals as a command tells them."""
    try:
        yield
    except NotFound:
        raise click.ClickException(f"Нет пользователя с почтой {email}. Все: flask users list") from None
    except Problem as problem:
        raise click.ClickException(problem.text) from None


@users.command("list")
def list_users() -> None:
    """Все пользователи: почта, тариф, имя."""
    for user in accounts.everybody():
        click.echo("\t".join([user.email, user.plan_key, user.name, *(["админ"] if user.is_admin else [])]))


@users.command()
@click.argument("email")
@click.option("--name", prompt="Имя", help="Имя пользователя.")
@click.option("--plan", default=plans.FREE.key, show_default=True, help="Тариф: " + ", ".join(plans.PLANS))
@click.password_option(prompt="Пароль", confirmation_prompt="Ещё раз", help="Пароль; без него спросим.")
def add(email: str, name: str, plan: str, password: str) -> None:
    """Добавить пользователя."""
    if plan not in plans.PLANS:
        raise click.ClickException(f"Нет тарифа «{plan}». Есть: {', '.join(plans.PLANS)}.")
    with _plainly(email):
        user = accounts.sign_up(email=email, password=password, name=name, timezone=clock.DEFAULT_ZONE)
        accounts.set_plan(user.email, plan)
    click.echo(f"{user.email}: добавлен, тариф {user.plan.title}")


@users.command()
@click.argument("email")
@click.argument("plan_key", metavar="PLAN")
def plan(email: str, plan_key: str) -> None:
    """Сменить тариф: free, start, pro или business."""
    with _plainly(email):
        user = accounts.set_plan(email, plan_key)
    click.echo(f"{user.email}: тариф {user.plan.title}")


@users.command()
@click.argument("email")
def admin(email: str) -> None:
    """Сделать администратором."""
    with _plainly(email):
        user = accounts.make_admin(email)
    click.echo(f"{user.email}: администратор")


@users.command()
@click.argument("email")
@click.password_option(prompt="Новый пароль", confirmation_prompt="Ещё раз", help="Без него спросим.")
def password(email: str, password: str) -> None:
    """Задать новый пароль; все браузеры пользователя выйдут."""
    with _plainly(email):
        accounts.reset_password(email, password)
    click.echo(f"{email}: пароль изменён")


@vault_keys.command("new")
def new_keys() -> None:
    """Новая пара ключей. Закрытый нужен только работникам."""
    public_key, private_key = keys.new()
    click.echo(f"VAULT_PUBLIC_KEY={public_key}\nVAULT_PRIVATE_KEY={private_key}")


@vault_keys.command("status")
def keys_status() -> None:
    """Сколько значений каким ключом запечатано и что открывает этот процесс."""
    for key in keys.status():
        notes = ["нынешний"] * key.present + ["открывается здесь" if key.opens else "здесь не открыть"]
        click.echo(f"{key.key_id}\t{key.count}\t{', '.join(notes)}")


@vault_keys.command("rotate")
def rotate_keys() -> None:
    """Перезапечатать всё нынешним открытым ключом. Нужны закрытые ключи, старый и новый, через запятую."""
    if not current_app.extensions["vault"].can_open:
        raise click.ClickException("Нет закрытых ключей. Задайте VAULT_PRIVATE_KEY=новый,старый и повторите.")
    done = keys.rotate()
    click.echo(f"Перезапечатано: {done.sealed}.")
    if done.lost:
        raise click.ClickException(
            f"Не открылось: {done.lost}. Добавьте их ключ в VAULT_PRIVATE_KEY (flask keys status) и повторите."
        )


@click.command("doctor")
@click.option("--role", type=click.Choice(list(doctor.ROLES)), help="Кем этот процесс должен быть.")
@with_appcontext
def examine(role: str | None) -> None:
    """Что у этого процесса есть и чего он не может. С --role код выхода 1, если это не так, как должно быть."""
    findings = doctor.examine(role)
    marks = {True: "✓", False: "✗", None: "·"}
    for finding in findings:
        click.echo(f"{marks[finding.good]} {finding.text}")
    if any(finding.good is False for finding in findings):
        raise click.exceptions.Exit(1)
