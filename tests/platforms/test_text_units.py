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
    assert problem.text == "Описание занимает 11 байт из 10: русская буква занимает два. Сократите его."


def test_a_description_may_have_a_unit_of_its_own(app):
    class Mixed(platforms.ADAPTERS["rutube"]):
        @classmethod
        def limits(cls, config):
            return Limits(max_title=5, max_description=10, description_unit=TextUnit.BYTES, forbidden="<>")

    def codes(title, description):
        return [one.code for one in preflight.text_problems(Mixed, app.config, title, description)]

    assert codes("Закат", "Волга") == []
    assert codes("Закаты", "Волга!") == ["title_too_long", "description_too_many_bytes"]
    assert codes("5 > 3", "<b>") == ["title_forbidden_characters", "description_forbidden_characters"]
    assert [one.text for one in preflight.text_problems(Mixed, app.config, "5 > 3", "")] == [
        "В названии площадка не примет >: уберите или замените."
    ]
