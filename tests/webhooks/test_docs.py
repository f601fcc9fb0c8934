"""docs/webhooks.md says what is sent, and its receiver works."""

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from app import clock
from app.models import PING, Event
from app.webhooks import payloads, signatures
from app.webhooks.payloads import KINDS

DOCS = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()


def blocks(language: str) -> str:
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", DOCS, re.S))


def examples() -> list[dict]:
    decoder, left, found = json.JSONDecoder(), blocks("json").strip(), []
    while left:
        example, end = decoder.raw_decode(left)
        found.append(example)
        left = left[end:].strip()
    return found


def test_every_kind_has_a_line_and_an_example():
    assert [one["type"] for one in examples()] == [*KINDS, PING]
    assert re.findall(r"^\| `([\w.]+)` \|", DOCS, re.M)[-len(KINDS) - 1 :] == [*KINDS, PING]


@pytest.mark.parametrize("example", examples()[:-1], ids=lambda one: one["type"])
def test_an_example_is_what_is_sent(app, example):
    data = dict(example["data"])
    subjects = {name: data.pop(name, None) for name in ("publication_id", "clip_id", "connection_id")}
    if data.get("due_at"):
        data["due_at"] = datetime.fromisoformat(data["due_at"]).isoformat()
    detail = data.pop("detail", None)
    if example["type"] in ("clip.held", "clip.not_published"):
        data["why"] = detail
    at = datetime.fromisoformat(example["timestamp"])
    assert payloads.of(Event(kind=example["type"], data=data, at=at, **subjects)) == example


def test_the_receiver_takes_what_is_signed_and_nothing_else(monkeypatch):
    secret, made = signatures.new_secret(), {"__name__": "receiver"}
    monkeypatch.setenv("VEZDE_SECRET", secret)
    exec(compile(blocks("python"), "docs/webhooks.md", "exec"), made)
    client, body = made["app"].test_client(), payloads.encoded(examples()[0])
    headers = signatures.headers([signatures.new_secret(), secret], "msg_1", clock.now(), body)
    for _ in range(2):
        assert client.post("/hook", data=body, headers=headers).status_code == 204
    assert client.post("/hook", data=body + b" ", headers=headers).status_code == 400
    assert made["seen"] == {"msg_1"}
