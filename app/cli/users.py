"""`flask users`: all users, their plans and passwords."""

import click

from app import clock, plans
from app.cli.group import Group
from app.services import plan_change, second_factor, sessions, users, withheld

group = Group(
    "users",
    help="Пользователи: список, тарифы, пароли.",
    not_found="Нет пользователя с почтой {email}. Все: flask users list",
)


@group.command("list")
def list_users() -> None:
    """Все пользователи: почта, тариф, имя."""
    for user in users.list_users():
        click.echo("\t".join([user.email, user.plan_key, user.name, *(["админ"] if user.is_admin else [])]))


@group.command()
@click.argument("email")
@click.option("--name", prompt="Имя", help="Имя пользователя.")
@click.option("--plan", default=plans.FREE.key, show_default=True, help="Тариф: " + ", ".join(plans.PLANS))
@click.password_option(prompt="Пароль", confirmation_prompt="Ещё раз", help="Пароль; без него спросим.")
def add(email: str, name: str, plan: str, password: str) -> None:
    """Добавить пользователя."""
    user = users.sign_up(email=email, password=password, name=name, timezone=clock.DEFAULT_ZONE)
    users.set_plan(user.email, plan)
    click.echo(f"{user.email}: добавлен, тариф {user.plan.title}")


@group.command()
@click.argument("email")
@click.argument("plan_key", metavar="PLAN")
@click.option("--preview", is_flag=True, help="Только показать, что не выйдет; ничего не менять.")
def plan(email: str, plan_key: str, preview: bool) -> None:
    """Сменить тариф: free, start, pro или business. Что запланировано на площадках не из него, отменяется."""
    user = users.by_email(email)
    if preview:
        lost = plan_change.preview(user, plan_key)
        click.echo(f"{user.email}: не выйдут запланированные публикации: {_counted(lost)}")
        return
    changed = plan_change.change(user, plan_key)
    click.echo(f"{user.email}: тариф {changed.user.plan.title}")
    if changed.cancelled:
        click.echo(f"Отменены запланированные публикации: {_counted(changed)}")
    if changed.returnable:
        click.echo(f"Пользователь может вернуть запланированные публикации: {changed.returnable}")


def _counted(change: plan_change.Change) -> str:
    return f"{change.count} ({withheld.listed(change.cancelled)})" if change.count else "0"


@group.command()
@click.argument("email")
def admin(email: str) -> None:
    """Сделать администратором."""
    user = users.make_admin(email)
    click.echo(f"{user.email}: администратор")


@group.command()
@click.argument("email")
@click.password_option(prompt="Новый пароль", confirmation_prompt="Ещё раз", help="Без него спросим.")
def password(email: str, password: str) -> None:
    """Задать новый пароль; все браузеры пользователя выйдут."""
    users.reset_password(email, password)
    click.echo(f"{email}: пароль изменён")


@group.command("no-second-factor")
@click.argument("email")
def no_second_factor(email: str) -> None:
    """Выключить вход с кодом, удалить ключи доступа (потерян телефон) и выйти во всех браузерах пользователя."""
    user = users.by_email(email)
    second_factor.remove(user)
    sessions.end_all(user)
    click.echo(f"{user.email}: вход с кодом выключен, ключей доступа нет")
