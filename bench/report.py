"""Writes docs/benchmarks.md: one section per bench, replaced when that bench runs again."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bench.harness import ROOT, Figure, machine

PAGE = ROOT / "docs" / "benchmarks.md"
HEAD = """# Замеры

`make bench` меряет всё, `make bench ARGS="upload tus"` — часть; раздел переписывается, когда его замер прошёл снова.
Каждое число стоит рядом с другим, измеренным в том же запуске на той же машине: сравнивайте отношения, а не скорости.
Тесты времени не меряют. Всё идёт через 127.0.0.1.
"""
TABLE = "| что | рядом с чем | у нас | рядом | отношение | надо | |\n| --- | --- | --- | --- | --- | --- | --- |"
MET = {True: "да", False: "**нет**", None: ""}


@dataclass(frozen=True)
class Section:
    """`skipped`: the reason, if something was not measured."""

    name: str
    title: str
    profile: str
    figures: Sequence[Figure]
    skipped: str


def text(section: Section) -> str:
    rows = [
        f"| {one.what} | {one.against} | {one.ours} | {one.beside} | {one.ratio} | {one.target} | {MET[one.met]} |"
        for one in section.figures
    ]
    parts = [
        f"## {section.title}",
        f"`{section.name}`, {date.today():%d.%m.%Y}. {machine()}.",
        *(["\n".join([TABLE, *rows])] if rows else []),
        *([f"Не измерено: {section.skipped}."] if section.skipped else []),
        *([section.profile.strip()] if section.profile else []),
    ]
    return "\n\n".join(parts) + "\n"


def write(sections: Sequence[Section], order: Sequence[str]) -> None:
    """Replaces the sections of the benches that ran."""
    sections_by_name = _existing() | {section.name: text(section) for section in sections}
    PAGE.write_text("\n".join([HEAD, *(sections_by_name[name] for name in order if name in sections_by_name)]))


def _existing() -> dict[str, str]:
    if not PAGE.exists():
        return {}
    sections = re.split(r"(?m)^(?=## )", PAGE.read_text())[1:]
    named = ((re.search(r"(?m)^`(\w+)`,", section), section) for section in sections)
    return {name[1]: section.rstrip() + "\n" for name, section in named if name}
