"""Lengths of texts in the units that platforms count in."""

import pytest

from app import platforms
from app.platforms.base import Limits
from app.platforms.text_units import TextUnit
from app.publishing import preflight


@pytest.mark.parametrize(
    ("unit", "text", "length"),
    [
        (TextUnit.CHARACTERS, "Закат 🎬", 7),
        (TextUnit.UTF16, "Закат 🎬", 8),
        (TextUnit.BYTES, "Закат 🎬", 15),
        (TextUnit.UTF16, "\ud83d", 1),
        (TextUnit.BYTES, "", 0),
    ],
)
def test_lengths(unit, text, length):
    assert unit.count(text) == length


def test_a_limit_is_in_its_platforms_unit(app):
    class Counter(platforms.ADAPTERS["rutube"]):
        @classmethod
        def limits(cls, config):
            return Limits(max_description=10, unit=TextUnit.BYTES)

    assert list(preflight.text_problems(Counter, app.config, "Закат", "Волга")) == []
    [problem] = preflight.text_problems(Counter, app.config, "Закат", "Волга!")
    assert problem.code == "description_too_long"
