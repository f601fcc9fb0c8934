"""docs/asvs.md names each requirement once, and tests that exist."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "docs/asvs.md").read_text()
LEVELS_1_AND_2 = 252  # of 345, counted in the published table of 5.0.0
STATES = {"держится", "не относится", "вне нас"}


def _rows() -> list[list[str]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines() if line[:1] == "|"]
    return [row for row in cells if re.match(r"\d", row[0])]


def test_each_requirement_stands_once():
    numbers = Counter(number for row in _rows() for number in row[0].split())
    assert len(numbers) == LEVELS_1_AND_2
    assert not [number for number, times in numbers.items() if times > 1]


def test_each_has_a_state_and_a_place():
    for number, state, place in _rows():
        assert state in STATES and place, number


def test_what_is_named_exists():
    named = set(re.findall(r"`((?:tests|docs)/[^`]+)`", TABLE))
    assert named
    assert not [path for path in named if not (ROOT / path).exists()]


def test_the_sections_that_are_named_exist():
    sections = set(re.findall(r"`docs/security.md`, «([^»]+)»", TABLE))
    assert sections
    assert not [section for section in sections if f"## {section}\n" not in (ROOT / "docs/security.md").read_text()]
