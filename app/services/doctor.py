"""Checks of this process and of what it depends on, each with a sentence as its finding."""

import os
import ssl
import zoneinfo
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from urllib.parse import urlsplit

import tzdata
from flask import current_app
from redis.connection import parse_url
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app import mail, platforms
from app.config import optional_web_address, web_address
from app.db import db
from app.models import PlatformConnection
from app.outgoing import trust
from app.outgoing.connections import connect
from app.outgoing.deadline import Deadline
from app.platform_access import tokens
from app.platforms.errors import PlatformError, Reconnect
from app.process import landlock, syscall_filter
from app.process.secret_variable import holders
from app.services import authorities, heartbeats, inbox, readiness, telegram_chats, telegram_updates
from app.services.finding import Finding
from app.storage import StorageUnavailable
from app.storage.inbox import inbox as current_inbox
from app.vault import CannotOpen, Vault

# Commands of the Procfile, and whether such a process opens tokens: only workers do.
ROLES = {"web": False, "scheduler": False, "release": False, "worker": True}

VAULT_KEY, BOT_TOKEN = "VAULT_PRIVATE_KEY", "NOTIFY_BOT_TOKEN"
CONNECT_SECONDS = 3
_MOST_FOLDERS = 10
_PROBE = b"doctor's probe"

# Of each part: the sentence where it works, and where it does not.
PARTS = {
    "database": ("База отвечает.", "База не отвечает: проверьте DATABASE_URL, затем flask db upgrade."),
    "redis": (
        "Redis отвечает.",
        "Redis не отвечает: проверьте REDIS_URL. Публикации ждут в базе и пойдут, когда он вернётся.",
    ),
    "storage": (
        "Хранилище клипов принимает файлы.",
        "Хранилище клипов не принимает файлы: проверьте STORAGE_URL, права и место.",
    ),
}


def examine(role: str | None = None) -> list[Finding]:
    """`role`, a key of ROLES, is what the process should be: it decides whether it should open tokens."""
    return [*_keys(role), _stored_token(role), *_settings(), *_probe_walls(), *_dependencies(role)]


def _keys(role: str | None) -> Iterator[Finding]:
    here: Vault = current_app.extensions["vault"]
    yield Finding(f"Открытый ключ {here.key_id}: токены запечатываются им.", True)
    held = ", ".join(here.private_key_ids)
    yield _opens(role, held, f"Закрытые ключи в этом процессе: {held}.", "Закрытых ключей в этом процессе нет.")
    # Any program that reads this process' environment finds the key.
    present, absent = f"{VAULT_KEY} есть в окружении процесса.", f"{VAULT_KEY} в окружении процесса нет."
    yield _opens(role, os.environ.get(VAULT_KEY), present, absent)
    yield from _keys_within_reach(role)
    try:
        opened = here.open(here.seal(_PROBE, "doctor"), "doctor") == _PROBE
    except CannotOpen:
        opened = False
    good, bad = "Проба: запечатанное этот процесс открывает.", "Проба: запечатать процесс может, открыть — нет."
    yield _opens(role, opened, good, bad)


def _keys_within_reach(role: str | None) -> Iterator[Finding]:
    """What the process itself does not hold, and could read: nothing that matters for one that opens tokens anyway."""
    unfit = None if role is None or ROLES[role] else False
    if above := [pid for pid in holders(VAULT_KEY) if pid != os.getpid()]:
        pids = ", ".join(map(str, above))
        advice = "этот процесс прочтёт его там. Запускайте из окружения, в котором ключа нет."
        yield Finding(f"{VAULT_KEY} есть в окружении того, кто запустил процесс ({pids}): {advice}", unfit)
    else:
        yield Finding(f"Кто запустил процесс, {VAULT_KEY} в окружении не держит.", None if role is None else True)
    if (file := current_app.config["VAULT_PRIVATE_KEY_FILE"]) and os.access(file, os.R_OK):
        # Under `make run` all processes are one user's.
        text = f"Файл закрытого ключа ({file}) этому процессу доступен: отдайте его только работникам."
        yield Finding(text, None if current_app.config["DEMO"] else unfit)


def _stored_token(role: str | None) -> Finding:
    """The same with a token that is really stored; nothing of it is shown."""
    try:
        connection = db.session.scalar(select(PlatformConnection).where(PlatformConnection.sealed_token.is_not(None)))
    except SQLAlchemyError as error:
        return Finding(f"База не отвечает ({type(error).__name__}): проверьте DATABASE_URL и миграции.", False)
    if connection is None:
        return Finding("Хранимых токенов ещё нет.")
    try:
        opened = tokens.open_token(connection) is not None
    except CannotOpen:
        opened = False
    good, bad = "Хранимый токен этот процесс открывает.", "Хранимый токен этот процесс открыть не может."
    return _opens(role, opened, good, bad)


def _opens(role: str | None, opens: object, yes: str, no: str) -> Finding:
    """Whether the process opens tokens, and whether one of this role should."""
    return Finding(yes if opens else no, None if role is None else ROLES[role] == bool(opens))


def _settings() -> Iterator[Finding]:
    url, hosts, demo = (current_app.config[name] for name in ("PUBLIC_URL", "LOCAL_HOSTS", "DEMO"))
    if url.startswith("https://"):
        yield Finding(f"PUBLIC_URL={url}: cookie и HSTS только по https.", True)
    else:
        yield Finding(f"PUBLIC_URL={url}: без https cookie можно подслушать.", None if demo else False)
    if hosts:
        yield Finding(f"LOCAL_HOSTS разрешает: {', '.join(hosts)}. В бою он пуст.", None if demo else False)
    else:
        yield Finding("LOCAL_HOSTS пуст: по чужим адресам во внутреннюю сеть не ходим.", True)
    yield redis_password()
    if demo:
        yield Finding("DEMO включён: пароли демо-пользователей всем известны, тариф меняется кнопкой.")
    else:
        yield Finding("DEMO выключен.", True)
    if zoneinfo.TZPATH:
        yield Finding(f"Часовые пояса: данные системы ({', '.join(zoneinfo.TZPATH)}), они могли устареть.", False)
    else:
        yield Finding(f"Часовые пояса: пакет tzdata {tzdata.IANA_VERSION}, данные системы не читаются.", True)


def _probe_walls() -> Iterator[Finding]:
    """Of the process that reads clips. Workers run on this machine or on one like it."""
    if version := landlock.version():
        yield Finding(f"Landlock {version}: разбор клипа видит только сам клип и библиотеки.", True)
    else:
        yield Finding("В этом ядре нет Landlock: разбор клипа может прочесть и другие файлы этого пользователя.")
    if syscall_filter.is_supported():
        yield Finding("seccomp: у разбора клипа нет ни сети, ни новых процессов.", True)
    else:
        yield Finding("Фильтра seccomp для этой машины нет: сеть и процессы у разбора клипа не отняты.")


def redis_password() -> Finding:
    given = parse_url(current_app.config["REDIS_URL"])
    if "path" in given:
        return Finding("Redis — сокет этой машины: его берегут права на файл.", True)
    if given.get("password"):
        return Finding("У Redis есть пароль.", True)
    text = "REDIS_URL без пароля: кто дотянется до Redis, остановит публикации. Задайте пароль или пользователя ACL."
    return Finding(text, None if current_app.config["DEMO"] else False)


def _dependencies(role: str | None) -> Iterator[Finding]:
    state = readiness.state()
    for name, works in state.items():
        text, advice = PARTS[name]
        yield Finding(text if works else advice, works)
    if state["database"]:
        # Not judged without all of them: at a release they have not begun yet.
        if missing := ", ".join(kind for kind, number in heartbeats.count().items() if number == 0):
            yield Finding(f"Не слышно процессов: {missing}. Запустите их по Procfile.")
        else:
            yield Finding("Работники, расписание и тики на месте.", True)
    yield from authorities.examine()
    hosts = reach_hosts()
    if unreachable := ", ".join(name for name, found in hosts.items() if found == Reach.NONE):
        yield Finding(f"Отсюда не открыть соединение: {unreachable}. Проверьте адреса, сеть и прокси.", False)
    else:
        yield Finding("Хосты площадок принимают соединения.", True)
    yield from _untrusted(hosts)
    yield from _inbox()
    yield from _notify_bot(role, may_ask=state["database"])
    if mail.is_set_up():
        yield Finding("Почта настроена.", True)
    else:
        yield Finding("SMTP_URL пуст: писем не будет, останется колокольчик.")


def _inbox() -> Iterator[Finding]:
    """Nothing where none is set up."""
    source = current_inbox()
    if source is None:
        return
    try:
        source.check()
        unknown = inbox.unknown_folders(source.entries())
    except (StorageUnavailable, OSError) as error:
        yield Finding(f"INBOX_URL не открывается: {error}. Проверьте адрес, ключи и права.", False)
        return
    yield Finding("INBOX_URL: папка для клипов открывается.", True)
    if unknown:
        shown = ", ".join(unknown[:_MOST_FOLDERS])
        yield Finding(f"INBOX_URL: папки без пользователя, из них ничего не берём: {shown}.")


_POLL_PROBLEMS = {
    "conflict": "сообщения этого бота читает и другая программа, или у него задан вебхук: дайте «Везде» своего бота",
    "token": "Telegram не принимает токен: проверьте NOTIFY_BOT_TOKEN",
    "away": "Telegram не отвечает: проверьте TELEGRAM_API_URL, сеть и TELEGRAM_PROXY_URL",
}


def _notify_bot(role: str | None, *, may_ask: bool) -> Iterator[Finding]:
    """Nothing where the installation has none. Only who may have the token asks Telegram about it. `may_ask`: the
    database, how the poll fares.
    """
    name = telegram_chats.bot_name()
    opens = bool(role and ROLES[role])
    if os.environ.get(BOT_TOKEN) and not opens:
        yield Finding(
            f"{BOT_TOKEN} есть в окружении процесса: он нужен только worker.", None if role is None else False
        )
    if not name:
        if opens and current_app.config[BOT_TOKEN]:
            yield Finding(f"{BOT_TOKEN} есть, а NOTIFY_BOT_NAME пуст: назовите бота, без имени он не работает.", False)
        return
    if opens:
        yield _bot_itself(name)
    if may_ask and (problem := telegram_updates.problem()):
        yield Finding(f"Бот @{name} не читает сообщения: {_POLL_PROBLEMS[problem]}.", False)


def _bot_itself(name: str) -> Finding:
    try:
        token = telegram_chats.bot_token()
        if not token:
            return Finding(f"NOTIFY_BOT_NAME={name}, а токена нет: задайте {BOT_TOKEN} процессу worker.", False)
        found = telegram_chats.bot().username()
    except OSError as error:
        return Finding(f"NOTIFY_BOT_TOKEN_FILE не прочесть: {error.strerror}.", False)
    except Reconnect:
        return Finding(f"Telegram не принимает {BOT_TOKEN}: возьмите токен у @BotFather, команда /token.", False)
    except PlatformError as error:
        return Finding(f"О боте @{name} не спросить Telegram: {error.detail or error.reason}.", False)
    if found.lower() != name.lower():
        return Finding(f"{BOT_TOKEN} — от бота @{found}, а NOTIFY_BOT_NAME={name}: ссылки ведут не к нему.", False)
    return Finding(f"Бот @{name} отвечает.", True)


def _untrusted(hosts: Mapping[str, "Reach"]) -> Iterator[Finding]:
    """Wrong where the platform is used."""
    for adapter in platforms.ADAPTERS.values():
        names = [one.name for one in adapter.settings if hosts.get(one.name) == Reach.UNTRUSTED]
        if names:
            advice = "Если это не подмена, назовите корневой сертификат в EXTRA_CA_FILE."
            text = f"Сертификат не удалось проверить: {', '.join(names)}. {advice}"
            yield Finding(text, False if authorities.is_used(adapter.key) else None)


class Reach(StrEnum):
    OPEN = "open"
    NONE = "none"
    UNTRUSTED = "untrusted"  # its certificate cannot be verified


def reach_hosts() -> dict[str, Reach]:
    """By the name of a platform's setting, whether its host takes a connection from here within CONNECT_SECONDS."""
    addresses = {
        setting.name: current_app.config[setting.name]
        for setting in platforms.settings()
        if setting.parse in (web_address, optional_web_address) and current_app.config[setting.name]
    }
    with ThreadPoolExecutor(max_workers=len(addresses) or 1) as pool:
        return dict(zip(addresses, pool.map(_reach, addresses.values()), strict=True))


def _reach(address: str) -> Reach:
    parts = urlsplit(address)
    is_https = parts.scheme == "https"
    try:
        with Deadline(CONNECT_SECONDS), connect(parts.hostname, parts.port or (443 if is_https else 80)) as connection:
            if is_https:
                trust.client_context().wrap_socket(connection, server_hostname=parts.hostname).close()
    except ssl.SSLCertVerificationError:
        return Reach.UNTRUSTED
    except (OSError, UnicodeError):
        return Reach.NONE
    return Reach.OPEN
