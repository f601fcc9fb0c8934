"""Checks of this process and its dependencies, each with a sentence as its finding."""

import os
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass

import tzdata
from flask import current_app
from redis.connection import parse_url
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.db import db
from app.models import PlatformConnection
from app.platform_access import tokens
from app.services import dependencies
from app.vault import CannotOpen, Vault

# Commands of the Procfile, and whether such a process opens tokens: only workers do.
ROLES = {"web": False, "scheduler": False, "release": False, "worker": True}

VAULT_KEY = "VAULT_PRIVATE_KEY"
_PROBE = b"doctor's probe"


@dataclass(frozen=True)
class Finding:
    """`good` is None where nothing is judged."""

    text: str
    good: bool | None = None


Check = Callable[[str | None], Finding]


def examine(role: str | None = None) -> list[Finding]:
    """`role`, a key of ROLES, is what the process should be: it decides whether it should open tokens."""
    return [*(check(role) for check in CHECKS), *_dependencies()]


def public_key(_role: str | None) -> Finding:
    return Finding(f"Открытый ключ {_vault().key_id}: токены запечатываются им.", True)


def private_keys(role: str | None) -> Finding:
    held = ", ".join(_vault().private_key_ids)
    if held:
        return Finding(f"Закрытые ключи в этом процессе: {held}.", _should(role, opens=True))
    return Finding("Закрытых ключей в этом процессе нет.", _should(role, opens=False))


def environment(role: str | None) -> Finding:
    """Any program that reads this process' environment finds the key."""
    if os.environ.get(VAULT_KEY):
        return Finding(f"{VAULT_KEY} есть в окружении процесса.", _should(role, opens=True))
    return Finding(f"{VAULT_KEY} в окружении процесса нет.", _should(role, opens=False))


def sealing(role: str | None) -> Finding:
    """A trial: a value is sealed here and then opened, or not."""
    here = _vault()
    try:
        opened = here.open(here.seal(_PROBE, "doctor"), "doctor") == _PROBE
    except CannotOpen:
        opened = False
    if opened:
        return Finding("Проба: запечатанное этот процесс открывает.", _should(role, opens=True))
    return Finding("Проба: запечатать процесс может, открыть — нет.", _should(role, opens=False))


def stored_token(role: str | None) -> Finding:
    """The same with a token that is really stored; nothing of it is shown."""
    try:
        connection = db.session.scalar(select(PlatformConnection).where(PlatformConnection.sealed_token.is_not(None)))
    except SQLAlchemyError as error:
        return Finding(f"База не отвечает ({type(error).__name__}): проверьте DATABASE_URL и миграции.", False)
    if connection is None:
        return Finding("Хранимых токенов ещё нет.")
    try:
        tokens.open_token(connection)
    except CannotOpen:
        return Finding("Хранимый токен этот процесс открыть не может.", _should(role, opens=False))
    return Finding("Хранимый токен этот процесс открывает.", _should(role, opens=True))


def public_address(_role: str | None) -> Finding:
    url, demo = current_app.config["PUBLIC_URL"], current_app.config["DEMO"]
    if url.startswith("https://"):
        return Finding(f"PUBLIC_URL={url}: cookie и HSTS только по https.", True)
    return Finding(f"PUBLIC_URL={url}: без https cookie можно подслушать.", None if demo else False)


def local_hosts(_role: str | None) -> Finding:
    hosts, demo = current_app.config["LOCAL_HOSTS"], current_app.config["DEMO"]
    if not hosts:
        return Finding("LOCAL_HOSTS пуст: по чужим адресам во внутреннюю сеть не ходим.", True)
    return Finding(f"LOCAL_HOSTS разрешает: {', '.join(hosts)}. В бою он пуст.", None if demo else False)


def redis_password(_role: str | None) -> Finding:
    given = parse_url(current_app.config["REDIS_URL"])
    if "path" in given:
        return Finding("Redis — сокет этой машины: его берегут права на файл.", True)
    if given.get("password"):
        return Finding("У Redis есть пароль.", True)
    text = "REDIS_URL без пароля: кто дотянется до Redis, остановит публикации. Задайте пароль или пользователя ACL."
    return Finding(text, None if current_app.config["DEMO"] else False)


def demo(_role: str | None) -> Finding:
    if current_app.config["DEMO"]:
        return Finding("DEMO включён: пароли демо-пользователей всем известны, тариф меняется кнопкой.")
    return Finding("DEMO выключен.", True)


def time_zones(_role: str | None) -> Finding:
    if zoneinfo.TZPATH:
        return Finding(f"Часовые пояса: данные системы ({', '.join(zoneinfo.TZPATH)}), они могли устареть.", False)
    return Finding(f"Часовые пояса: пакет tzdata {tzdata.IANA_VERSION}, данные системы не читаются.", True)


CHECKS: tuple[Check, ...] = (
    public_key,
    private_keys,
    environment,
    sealing,
    stored_token,
    public_address,
    local_hosts,
    redis_password,
    demo,
    time_zones,
)


def _dependencies() -> list[Finding]:
    """What it depends on, each with what to do where it does not work."""
    parts = dependencies.parts()
    found = [Finding(text, works) for text, works in parts.items()]
    if dependencies.ADVICE["database"] not in parts:
        found.append(_processes())
    unreachable = ", ".join(dependencies.unreachable_hosts())
    if unreachable:
        found.append(Finding(f"Отсюда не открыть соединение: {unreachable}. Проверьте адреса, сеть и прокси.", False))
    else:
        found.append(Finding("Хосты платформ принимают соединения.", True))
    if dependencies.sends_mail():
        found.append(Finding("Почта настроена.", True))
    else:
        found.append(Finding("SMTP_URL пуст: писем не будет, останется колокольчик."))
    return found


def _processes() -> Finding:
    """Not judged: at a release they have not begun yet."""
    missing = ", ".join(dependencies.missing_processes())
    if missing:
        return Finding(f"Не слышно процессов: {missing}. Запустите их по Procfile.")
    return Finding("Работники, расписание и тики на месте.", True)


def _vault() -> Vault:
    return current_app.extensions["vault"]


def _should(role: str | None, *, opens: bool) -> bool | None:
    return None if role is None else ROLES[role] == opens
