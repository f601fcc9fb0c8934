"""docs/asvs.md names each requirement once, and tests that exist."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "docs/asvs.md").read_text()
# How many requirements of levels 1 and 2 each section of the published table of 5.0.0 has: always its first ones.
SECTIONS = """
1.1:2 1.2:9 1.3:11 1.4:3 1.5:2
2.1:3 2.2:3 2.3:4 2.4:1
3.2:2 3.3:4 3.4:6 3.5:5 3.7:2
4.1:3 4.2:1 4.3:2 4.4:4
5.1:1 5.2:3 5.3:2 5.4:3
6.1:3 6.2:12 6.3:4 6.4:4 6.5:5 6.6:3 6.8:4
7.1:3 7.2:4 7.3:2 7.4:5 7.5:2 7.6:2
8.1:2 8.2:3 8.3:1 8.4:1
9.1:3 9.2:4
10.1:2 10.2:2 10.3:4 10.4:11 10.5:5 10.6:2 10.7:3
11.1:2 11.2:3 11.3:3 11.4:4 11.5:1 11.6:1
12.1:3 12.2:2 12.3:4
13.1:1 13.2:5 13.3:2 13.4:5
14.1:2 14.2:4 14.3:3
15.1:3 15.2:3 15.3:7
16.1:1 16.2:5 16.3:4 16.4:3 16.5:3
17.1:1 17.2:4 17.3:2
"""
LEVELS_1_AND_2 = {
    f"{section}.{number}"
    for section, count in (one.split(":") for one in SECTIONS.split())
    for number in range(1, int(count) + 1)
}
STATES = {"держится", "не относится", "вне нас"}


def _rows() -> list[list[str]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines() if line[:1] == "|"]
    return [row for row in cells if re.match(r"\d", row[0])]


def test_each_requirement_stands_once():
    numbers = Counter(number for row in _rows() for number in row[0].split())
    assert len(LEVELS_1_AND_2) == 253
    assert set(numbers) == LEVELS_1_AND_2
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
