"""Sentences name the next step and the settings' numbers, and refer to nothing that is not shown."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from jinja2 import Environment

from app import clock, plans, platforms, texts
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


# Of those who build it. A platform's own words (a token that a user pastes, a right's name) are theirs to know.
DEVELOPERS_WORDS = re.compile(
    r"платформ|\b(HTTP|API|OAuth|JSON|SQL|Redis|URL|URI|PUBLIC_URL|[A-Z]{2,}_[A-Z_]+|\w+(Error|Exception)|timeout"
    r"|таймаут\w*|эндпоинт\w*|бэкенд\w*|воркер\w*|вебхук\w*|х[еэ]ш\w*|скоуп\w*)\b",
    re.IGNORECASE,
)
# Read by those who run the installation, or write programs.
_OPERATORS = ("ops/", "rq_dashboard/")
_PROGRAMMERS = ("api/", "hooks/", "webhooks/")
_OF_PROGRAMS = re.compile(
    r"(\w+\.)?(api_|idempotency_|too_many_api_keys|webhook_|too_many_webhooks|hook_|field_|note_|too_many_hooks)"
)


def shown_texts() -> Iterator[tuple[str, str]]:
    """Every Russian sentence that a user may read: where it is, and the sentence."""
    for key, pair in texts.REASONS.items():
        yield key, " ".join(pair)
    for name in ("STATUSES", "STAGES", "EVENTS", "STEP_EVENTS", "SECURITY", "PROBLEMS", "NOTIFICATIONS"):
        for key, text in getattr(texts, name).items():
            yield f"{name}.{key}", re.sub(r"{\w+}", "", " ".join(text) if isinstance(text, tuple) else text)
    for key, adapter in platforms.ADAPTERS.items():
        yield key, " ".join(adapter.steps.values())
        for field in adapter.form:
            yield key, f"{field.label} {field.help}"
    for plan in plans.PLANS.values():
        yield plan.key, plan.summary
    folder = Path(texts.__file__).parent.parent / "templates"
    for file in folder.rglob("*.html"):
        name = str(file.relative_to(folder))
        if not name.startswith((*_OPERATORS, *_PROGRAMMERS)):
            for line, kind, text in Environment().lex(file.read_text()):
                if kind == "data" or kind == "string":
                    for one in re.findall(r"[^<>\"]*[а-яё][^<>\"]*", text):
                        yield f"{name}:{line}", one


def test_nobody_reads_developers_words(app):
    found = [(where, text) for where, text in shown_texts() if DEVELOPERS_WORDS.search(text)]
    assert [one for one in found if not _OF_PROGRAMS.match(one[0])] == []


def test_what_an_adapter_says_of_this_installation_has_none_either(app):
    configs = [app.config, {**app.config, "DZEN_API_URL": "", "PUBLIC_URL": "http://10.0.0.5", "LOCAL_HOSTS": ()}]
    for config, adapter in itertools.product(configs, platforms.ADAPTERS.values()):
        counting = adapter.counting(config)
        said = [
            adapter.mode(config),
            adapter.consent_asks(config),
            adapter.unready(config),
            counting.note,
            counting.unknown,
            *counting.never.values(),
        ]
        said += [step.text for step in adapter.guide(config, {})]
        assert [one for one in said if DEVELOPERS_WORDS.search(one)] == []
