"""Which clips a rule means, by a pattern of names; and the texts that it makes from a template."""

import re
from collections.abc import Mapping

from app import texts
from app.models import Clip, Rule
from app.models.types import fold
from app.problems import Problem
from app.services import clips

# What may stand in braces.
FIELDS = ("title", "text", "file", "date", "source")
_BRACES = re.compile(r"\{([^{}]*)\}")


def matches(rule: Rule, clip: Clip) -> bool:
    if rule.source and rule.source != clip.source:
        return False
    if rule.source_name and fold(rule.source_name) != fold(clip.source_name or ""):
        return False
    return not rule.name_pattern or any(is_like(rule.name_pattern, name) for name in (clip.title, clip.file_name))


def is_like(pattern: str, name: str) -> bool:
    """Whether the whole name is like the pattern: «*» stands for any text, «?» for one character.

    It goes back to the last star only: a regular expression of many stars would take for ever.
    """
    wanted, given = fold(pattern), fold(name)
    at = star = 0
    after_star = -1
    place = 0
    while place < len(given):
        if at < len(wanted) and wanted[at] == "*":
            after_star, star = at + 1, place
            at = after_star
        elif at < len(wanted) and wanted[at] in ("?", given[place]):
            at, place = at + 1, place + 1
        elif after_star >= 0:
            star += 1
            at, place = after_star, star
        else:
            return False
    return not wanted[at:].strip("*")


def check(template: str, field: str) -> None:
    """Raises Problem at the field where something in braces is not one of FIELDS, or a brace stands alone."""
    for name in _BRACES.findall(template):
        if name not in FIELDS:
            raise Problem("template_field_unknown", field, name=name, known=" ".join(f"{{{one}}}" for one in FIELDS))
    if re.search("[{}]", _BRACES.sub("", template)):
        raise Problem("template_brace_alone", field)


def values(clip: Clip, date: str) -> dict[str, str]:
    """What stands for the fields; `date`: the day on which it goes out."""
    source = clip.source_name or texts.SOURCES[clip.source]
    name = clips.title_from(clip.file_name)
    return {"title": clip.title, "text": clip.description, "file": name, "date": date, "source": source}


def fill(template: str, given: Mapping[str, str]) -> str:
    """In one pass: what is put in is not read as a template."""
    return _BRACES.sub(lambda found: given.get(found[1], found[0]), template)
