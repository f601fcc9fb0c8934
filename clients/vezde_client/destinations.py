"""Where a clip goes: platforms, accounts or a set, as they are typed, and the options of each."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vezde_client.api import Api
from vezde_client.errors import WrongUsage

_TRUE, _FALSE = ("true", "yes", "on", "1", "да"), ("false", "no", "off", "0", "нет", "")


def connections(api: Api) -> list[dict[str, Any]]:
    return list(api.pages("/connections"))


def account_set(api: Api, named: str | int) -> dict[str, Any]:
    """By number or by name."""
    sets = list(api.pages("/sets"))
    wanted = str(named).strip()
    found = [one for one in sets if str(one["id"]) == wanted] or [
        one for one in sets if one["name"].casefold() == wanted.casefold()
    ]
    if found:
        return found[0]
    known = ", ".join(f"«{one['name']}»" for one in sets) or "наборов нет"
    raise WrongUsage(f"Набора «{wanted}» нет. Есть: {known}.")


def choose(known: Sequence[Mapping[str, Any]], wanted: Iterable[str | int]) -> list[dict[str, Any]]:
    """The accounts that «vk, telegram, 12» means, each once. A platform means its one account."""
    found: dict[int, dict[str, Any]] = {}
    for one in wanted:
        connection = _one(known, str(one).strip())
        found[connection["id"]] = connection
    return list(found.values())


def _one(known: Sequence[Mapping[str, Any]], wanted: str) -> dict[str, Any]:
    if wanted.isascii() and wanted.isdigit():
        matching = [one for one in known if one["id"] == int(wanted)]
    else:
        matching = [one for one in known if one["platform"] == wanted.lower()]
    if len(matching) == 1:
        return dict(matching[0])
    if matching:
        listed = ", ".join(f"{one['id']} («{one['account']}»)" for one in matching)
        raise WrongUsage(f"На площадке {wanted} несколько аккаунтов. Назовите номер: {listed}.")
    listed = ", ".join(f"{one['platform']} ({one['id']})" for one in known) or "ни одного"
    raise WrongUsage(f"Аккаунта «{wanted}» нет. Подключены: {listed}.")


def parse_options(typed: Iterable[str]) -> list[tuple[str, str, str]]:
    """Of «youtube.privacy=public»: where, name, value."""
    found = []
    for one in typed:
        where, dot, rest = one.partition(".")
        name, equals, value = rest.partition("=")
        if not (where and dot and name and equals):
            raise WrongUsage(f"Настройка «{one}» записана не так. Образец: youtube.privacy=public")
        found.append((where.strip().lower(), name.strip(), value))
    return found


def options_for(chosen: Sequence[Mapping[str, Any]], typed: Iterable[str]) -> dict[int, dict[str, Any]]:
    """By account. Raises WrongUsage where an option fits none of them."""
    made: dict[int, dict[str, Any]] = {one["id"]: {} for one in chosen}
    for where, name, value in parse_options(typed):
        fitting = [one for one in chosen if where in (one["platform"], str(one["id"]))]
        if not fitting:
            raise WrongUsage(f"Настройка {where}.{name}: среди выбранных нет «{where}».")
        for connection in fitting:
            made[connection["id"]][name] = _value(connection, name, value)
    return made


def _value(connection: Mapping[str, Any], name: str, value: str) -> str | bool:
    declared = {one["name"]: one for one in connection.get("options", [])}
    if name not in declared:
        known = ", ".join(declared) or "настроек нет"
        raise WrongUsage(f"У площадки {connection['platform']} нет настройки «{name}». Есть: {known}.")
    if declared[name]["kind"] != "checkbox":
        return value
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise WrongUsage(f"Настройка {connection['platform']}.{name}: true или false, а не «{value}».")
