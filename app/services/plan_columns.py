"""What the columns of a plan's table mean: recognized by their names, or chosen by the user.

A meaning is a text: one of Meaning, or «option», platform and name of a publication option, joined by colons.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from app import platforms
from app.models import fold
from app.platforms.options import Option
from app.problems import Problem
from app.services import asked_options


class Meaning(StrEnum):
    NOTHING = ""
    FILE = "file"
    TITLE = "title"
    TEXT = "text"
    WHEN = "when"
    TIME = "time"
    WHERE = "where"
    # It is called as if it were an option of a platform, which has none of that name.
    UNKNOWN_OPTION = "unknown-option"


# In the order in which a written table has them. A time of its own is only read.
LABELS = {
    Meaning.FILE: "Файл",
    Meaning.TITLE: "Название",
    Meaning.TEXT: "Текст",
    Meaning.WHEN: "Когда",
    Meaning.TIME: "Время, отдельно от даты",
    Meaning.WHERE: "Куда",
}
ERRORS = "Ошибка"  # of a table with what could not be imported; it can be sent again as it is

_NEEDED = (Meaning.FILE, Meaning.WHEN, Meaning.WHERE)
_NAMES = {
    Meaning.FILE: "файл|имя файла|название файла|клип|видео|ролик|file|filename|file name|clip|video",
    Meaning.TITLE: "название|заголовок|название клипа|имя|title|name|headline",
    Meaning.TEXT: "текст|описание|подпись|текст поста|text|description|caption",
    Meaning.WHEN: "когда|дата|дата и время|дата публикации|срок|when|date|datetime|date and time|publish at|due",
    Meaning.TIME: "время|время публикации|time",
    Meaning.WHERE: "куда|где|аккаунт|аккаунты|набор|площадка|площадки|канал|каналы"
    "|where|account|accounts|set|platform|platforms",
}
_BY_NAME = {name: meaning for meaning, names in _NAMES.items() for name in names.split("|")}
_OPTION = re.compile(r"([^:]+?)\s*:\s*(.+)")


def is_name(head: str) -> bool:
    """Whether a column that is called so is recognized."""
    return recognize(head) != Meaning.NOTHING or _plain(head) == fold(ERRORS)


def recognize_all(head: Sequence[str]) -> list[str]:
    """Of each column. What no other is called exactly may be the beginning of a name: «Название ролика»."""
    found = [str(recognize(name)) for name in head]
    for place, name in enumerate(head):
        words = _plain(name).split()
        begins = (" ".join(words[:count]) for count in range(len(words) - 1, 0, -1))
        meaning = next((_BY_NAME[one] for one in begins if one in _BY_NAME), Meaning.NOTHING)
        if found[place] == Meaning.NOTHING and meaning not in found:
            found[place] = str(meaning)
    return found


def recognize(head: str) -> str:
    plain = _plain(head)
    if plain in _BY_NAME:
        return _BY_NAME[plain]
    parts = _OPTION.fullmatch(plain)
    platform = platform_called(parts[1]) if parts else None
    if platform is None:
        return Meaning.NOTHING
    labels = {_plain(one.label): one.name for one in asked_options.offered(platform)}
    return option_meaning(platform, labels[parts[2]]) if parts[2] in labels else Meaning.UNKNOWN_OPTION


def platform_called(name: str) -> str | None:
    """The key of the platform of that name, however people write it."""
    called = _plain(name)
    for key, adapter in platforms.ADAPTERS.items():
        if called in (fold(adapter.name), key, *map(_plain, adapter.other_names)):
            return key
    return None


def option_meaning(platform: str, name: str) -> str:
    return f"option:{platform}:{name}"


def options() -> dict[str, tuple[str, Option]]:
    """By meaning: each option of each platform, as its column is called, and its declaration."""
    return {
        option_meaning(key, one.name): (f"{adapter.name}: {one.label}", one)
        for key, adapter in platforms.ADAPTERS.items()
        for one in asked_options.offered(key)
    }


def choices() -> dict[str, str]:
    """Every meaning that a user can choose, with its words."""
    return {Meaning.NOTHING: "Не использовать", **LABELS, **{key: label for key, (label, _) in options().items()}}


def chosen(given: Mapping[int, str], before: Sequence[str]) -> list[str]:
    """By column what the user has chosen; what is no choice leaves it as it was."""
    known = choices()
    return [given[place] if given.get(place) in known else meaning for place, meaning in enumerate(before)]


def check(meanings: Sequence[str]) -> None:
    """Raises Problem unless each that is needed is there, and none is there twice."""
    words = choices()
    twice = {one for one in meanings if one in words and one != Meaning.NOTHING and meanings.count(one) > 1}
    if twice:
        raise Problem("import_column_twice", "columns", names=_listed(words[one] for one in words if one in twice))
    missing = [LABELS[one] for one in _NEEDED if one not in meanings]
    if missing:
        raise Problem("import_column_missing", "columns", names=_listed(missing))


def _listed(names) -> str:
    return ", ".join(f"«{name}»" for name in names)


def _plain(name: str) -> str:
    return " ".join(fold(name).replace("_", " ").split()).strip("*.: ")
