"""Sentences name the next step and the settings' numbers, and refer to nothing that is not shown."""

import re
from dataclasses import dataclass
from datetime import timedelta

import pytest

from app import clock, texts
from app.models import Status


@dataclass
class _Retrying:
    status: str = Status.PUBLISHING
    stage: str = "retry"
    attempt: int = 2
    wake_at: object = None


@pytest.mark.parametrize(("pauses", "most"), [((1, 2), 2), ((1, 2, 3), 3), ((5,) * 7, 7), ((1,), 2)])
def test_a_retry_is_one_of_as_many_as_the_setting_has(app, pauses: tuple[int, ...], most: int):
    app.config["RETRY_SECONDS"] = pauses
    now = clock.now()
    shown = texts.progress(_Retrying(wake_at=now + timedelta(seconds=30)), now)
    assert shown == f"повтор через 30 с (2 из {most})"


def test_a_reason_refers_to_an_answer_only_where_one_is_shown(app):
    assert texts.sentence("refused") == "Площадка отказала. Исправьте клип или текст и повторите."
    assert texts.reason("refused", detail="Bad Request")[1] == "Прочитайте её ответ ниже, исправьте и повторите."
    for key in texts.REASONS:
        assert not re.search(r"ниже|выше|по ссылке|рядом", texts.sentence(key)), key


def test_no_reason_leaves_a_gap_where_its_parameter_is_unknown(app):
    assert texts.sentence("telegram_rights").endswith("Добавьте бота администратором канала с правом публикации.")
    assert not [key for key in texts.REASONS if "  " in texts.sentence(key)]


def test_an_outage_of_the_platform_asks_nothing_of_the_user(app):
    assert texts.sentence("unavailable").endswith("с вашей стороны ничего менять не нужно.")


@pytest.mark.parametrize(
    ("reason", "detail", "label"),
    [
        ("refused", "так нельзя", "Ответ площадки"),
        ("unavailable", "Internal Server Error", "Ответ площадки"),
        ("unavailable", "HTTP 502", "Ответ площадки"),
        ("unavailable", "соединение оборвалось", "Что случилось"),
        ("unknown", "площадка не закончила обработку вовремя", "Что случилось"),
        (None, "ответ не пришёл вовремя", "Что случилось"),
    ],
)
def test_what_we_noticed_is_not_passed_off_as_the_platforms_words(reason: str | None, detail: str, label: str):
    assert texts.detail_label(detail, reason) == label
