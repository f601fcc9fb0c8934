"""«Вебхуки» in the settings, with and without scripts."""

import re

import pytest

from app.models import DeliveryState, WebhookState
from app.services import webhook_history, webhooks
from app.webhooks import payloads
from tests.edges import committed
from tests.receivers import deliver, read_events, receiver_at_home, status
from tests.services.test_webhooks import happens, hook, rows

PUBLIC = "https://93.184.215.14/hook"
HTMX = {"HX-Request": "true"}
FORM = {"hook-url": PUBLIC, "hook-name": "Ферма", "which": "some", "kind": ["clip.ready", "clip.failed"]}


@pytest.fixture
def receiver(app):
    with receiver_at_home() as receiver:
        read_events()
        yield receiver


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "dialog"])
def test_the_secret_is_shown_once(web, headers):
    assert "Вебхуков пока нет" in web.get("/settings/webhooks").text
    form = web.get("/settings/webhooks/new", headers=headers).text
    assert all(kind in form for kind in payloads.KINDS)
    made = web.post("/settings/webhooks/new", data=FORM, headers=headers)
    [secret] = re.findall(r"whsec_[\w+/=]+", made.text)
    assert made.status_code == 200 and "больше мы его не покажем" in made.text
    assert made.headers.get("HX-Trigger-After-Settle") == ("reload-page" if headers else None)
    page = web.get("/settings/webhooks").text
    assert "Ферма" in page and PUBLIC in page and "Клип готов; Клип не подошёл" in page and secret not in page
    renewed = web.post(f"/settings/webhooks/{hook().id}/secret", headers=headers).text
    assert "ещё сутки" in renewed and secret not in renewed and "whsec_" in renewed


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"hook-url": "http://93.184.215.14/"}, "https://"),
        ({"hook-url": "https://127.0.0.1/"}, "закрытую сеть"),
        ({"hook-url": ""}, "Напишите адрес"),
        ({"kind": []}, "хотя бы одно"),
        ({"kind": ["session.new_device"]}, "Такого события нет"),
        ({"hook-name": "ф" * 61}, "длиннее 60"),
    ],
)
def test_what_is_typed_stays(web, changed, sentence):
    typed = {**FORM, **changed}
    answer = web.post("/settings/webhooks/new", data=typed)
    assert answer.status_code == 422 and sentence in answer.text
    assert f'value="{typed["hook-url"]}"' in answer.text and f'value="{typed["hook-name"]}"' in answer.text
    assert ('value="clip.ready" checked' in answer.text) == ("clip.ready" in typed["kind"])


def test_changing_switching_and_deleting(web):
    web.post("/settings/webhooks/new", data=FORM)
    path = f"/settings/webhooks/{hook().id}"
    assert 'value="clip.ready" checked' in web.get(f"{path}/edit").text
    assert web.post(f"{path}/edit", data={**FORM, "hook-name": "", "which": "all"}).status_code == 303
    assert (hook().name, hook().kinds) == ("93.184.215.14", None)
    web.post(f"{path}/off")
    assert hook().state == WebhookState.OFF and "Выключен" in web.get("/settings/webhooks").text
    web.post(f"{path}/on")
    assert hook().state == WebhookState.ACTIVE
    assert "история доставок удалится" in web.get(f"{path}/delete").text
    assert web.post(f"{path}/delete").status_code == 303
    assert "Вебхуков пока нет" in web.get("/settings/webhooks").text
    security = web.get("/settings/security").text
    assert "Добавлен вебхук" in security and "Удалён вебхук" in security


def test_the_history(web, owner, receiver):
    webhook = committed(webhooks.create(owner, receiver.url, "Ферма"))[0]
    path = f"/settings/webhooks/{webhook.id}"
    assert "Пока ничего не отправляли" in web.get(path).text
    assert "every 2s" in web.post(f"{path}/test", headers=HTMX).text
    deliver()
    assert "Доставлено" in web.get(f"{path}/changes", headers=HTMX).text
    receiver.answer = status(500, b"<b>no</b>")
    happens(owner)
    deliver()
    page = web.get(path).text
    assert "Ответ 500" in page and "&lt;b&gt;no&lt;/b&gt;" in page and "Отправить сейчас" in page
    assert "не принял ни одного" in page
    web.post(f"{path}/deliveries/{rows()[1].id}/skip")
    assert rows()[1].state == DeliveryState.FAILED and "Вы решили не отправлять" in web.get(path).text
    answer = web.post(f"{path}/deliveries/{rows()[1].id}/resend")
    assert answer.status_code == 303 and rows()[1].urgent
    deliver()
    assert "every 2s" not in web.get(path).text
    web.post(f"{path}/off")
    for _ in range(webhook_history.MAX_URGENT):
        web.post(f"{path}/test")
    refused = web.post(f"{path}/test", headers=HTMX)
    assert refused.status_code == 409 and len(rows()) == 2 + webhook_history.MAX_URGENT
