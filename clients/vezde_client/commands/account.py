"""The login, and what it leads to: accounts, and sets of them."""

import getpass
import sys
from argparse import Namespace

from vezde_client import destinations, settings, words
from vezde_client.commands.parser import Commands, command
from vezde_client.commands.session import Session
from vezde_client.errors import Exit, WrongUsage
from vezde_client.output import table
from vezde_client.settings import Login


def add(commands: Commands) -> None:
    about = (
        "Входит по ключу API: он создаётся в «Настройки → API». Ключ спрашивается без показа на экране или читается\n"
        "из стандартного ввода. Вместо входа можно задать переменные VEZDE_URL и VEZDE_API_KEY."
    )
    parser = command(commands, "login", login, "войти по ключу API", about)
    parser.add_argument("--url", metavar="АДРЕС", help="адрес сервиса: https://vezde.example.ru")
    command(commands, "logout", logout, "забыть ключ на этой машине")
    command(commands, "connections", connections, "подключённые аккаунты и их настройки публикации")
    command(commands, "sets", sets, "наборы аккаунтов и ближайшие свободные слоты")


def login(session: Session, asked: Namespace) -> int:
    url = asked.url or settings.kept_url()
    if not url:
        raise WrongUsage("Назовите адрес сервиса: vezde login --url https://vezde.example.ru")
    url = settings.checked_url(url)
    if settings.is_exposed(url):
        session.output.notice("Внимание: адрес без https, ключ пойдёт по сети открытым.")
    key = _ask_for_key()
    me = session.api_of(Login(url, key)).me
    settings.save(Login(url, key))
    may = "читать и менять" if "write" in me["scopes"] else "только читать"
    session.output.show(me, [f"{me['name']}, ключ «{me['key']['name']}»: {may}. Пояс {me['timezone']}."])
    return Exit.OK


def _ask_for_key() -> str:
    key = (getpass.getpass("Ключ API: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise WrongUsage("Это не ключ API. Ключ начинается с vz_ и показывается один раз, когда создан.")
    return key


def logout(session: Session, asked: Namespace) -> int:
    existed = settings.forget()
    said = "Ключ на этой машине забыт. Отозвать его совсем можно в «Настройки → API»."
    session.output.show({"forgotten": existed}, [said if existed else "Входа и не было."])
    return Exit.OK


def connections(session: Session, asked: Namespace) -> int:
    found = destinations.connections(session.api)
    rows = [[one["id"], one["platform"], words.status(one["status"]), one["account"], _options(one)] for one in found]
    session.output.show({"items": found}, table(rows) or ["Аккаунтов ещё нет: подключите их в «Настройки»."])
    return Exit.OK


def _options(connection: dict) -> str:
    return ", ".join(f"{connection['platform']}.{one['name']}" for one in connection.get("options", []))


def sets(session: Session, asked: Namespace) -> int:
    found = list(session.api.pages("/sets"))
    for one in found:
        one["next_slots"] = session.api.get(f"/sets/{one['id']}/slots", count=3)["items"]
    rows = [
        [
            one["id"],
            one["name"],
            "аккаунты: " + (", ".join(map(str, one["connection_ids"])) or "нет"),
            "слоты: " + (", ".join(words.local(slot["at"], session.zone) for slot in one["next_slots"]) or "нет"),
        ]
        for one in found
    ]
    session.output.show({"items": found}, table(rows) or ["Наборов ещё нет."])
    return Exit.OK
