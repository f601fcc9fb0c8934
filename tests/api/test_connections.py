"""Accounts by the API: what can be chosen on one, as its platform has said."""

from dataclasses import replace

import pytest

from app import platforms
from app.db import commit
from app.platforms.base import Account, Token
from app.platforms.tiktok import choices
from app.services import connections
from tests.questions import ask_platforms, wait_for_failure
from tests.web.test_asked_options import CHOSEN, INFO, Asker


@pytest.fixture
def asker(toy, monkeypatch):
    platforms.ADAPTERS["toy"] = Asker
    monkeypatch.setattr(Asker, "said", choices.account_options(INFO))


@pytest.fixture
def account(owner, asker):
    made = connections.save(owner, "toy", [Account("1", "Игрушка")], Token("toy-token"))
    commit()
    return made


def test_what_the_platform_says_is_asked_for_and_held(api, owner, account, ready_clip, monkeypatch):
    address = f"/connections/{account.id}/options"
    first = api.get(address).json
    assert (first["state"], first["asked_at"], first["items"][0]["choices"]) == ("waiting", None, {})
    clip = ready_clip(owner, title="Закат")
    body = {"clip_id": clip.id, "to": [{"connection_id": account.id, "options": CHOSEN}]}
    assert api.post("/publications", body).json["code"] == "options_not_asked"
    ask_platforms()
    said = api.get(address).json
    assert (said["state"], said["account"], said["max_seconds"]) == ("answered", "Аня & море", 300)
    by_name = {one["name"]: one for one in said["items"]}
    assert list(by_name["privacy"]["choices"]) == INFO["privacy_level_options"]
    assert by_name["duet"]["off"].startswith("Дуэты выключены") and by_name["branded"]["only_if"] == {"ad": True}
    assert api.get(f"/connections/{account.id}").json["options"] == said["items"]

    monkeypatch.setattr(Asker, "said", replace(Asker.said, refusal="refused"))
    asked = api.post(address)
    assert (asked.status_code, asked.json["state"]) == (202, "waiting")
    ask_platforms()
    assert "Площадка отказала" in api.get(address).json["refusal"]
    assert api.post("/publications", body).json["code"] == "refused"
    wrong = {"clip_id": clip.id, "to": [{"connection_id": account.id, "options": {"privacy": "FRIENDS"}}]}
    assert api.post("/publications", wrong).json["code"] == "option_not_among_choices"

    monkeypatch.setattr(Asker, "said", None)
    api.post(address)
    wait_for_failure()
    failed = api.get(address).json
    assert (failed["state"], failed["reason"]) == ("failed", "unavailable") and failed["detail"]
    monkeypatch.setattr(Asker, "said", choices.account_options(INFO))
    api.post(address)
    ask_platforms()
    assert api.post("/publications", body).status_code == 201


@pytest.mark.parametrize(
    ("options", "code", "field"),
    [
        (None, "option_not_chosen", "options.privacy"),
        ({}, "option_not_chosen", "options.privacy"),
        ({"privacy": "FOLLOWER_OF_CREATOR"}, "option_not_among_choices", "options.privacy"),
        (CHOSEN | {"duet": True}, "option_off", "options.duet"),
        (CHOSEN | {"ad": True}, "tiktok_ad_unsaid", "options.ad"),
    ],
)
def test_a_rule_has_its_choice_too(api, owner, account, options, code, field):
    ask_platforms()
    rule = {"name": "Ферма", "connection_ids": [account.id]}
    given = [] if options is None else [{"connection_id": account.id, "options": options}]
    refused = api.post("/rules", rule | {"options": given})
    assert (refused.status_code, refused.json["code"], refused.json["field"]) == (409, code, field)
    given = [{"connection_id": account.id, "options": CHOSEN}]
    made = api.post("/rules", rule | {"options": given}).json
    assert made["options"][0]["options"]["privacy"] == CHOSEN["privacy"]
    wrong = [{"connection_id": account.id, "options": {"privacy": ""}}]
    assert api.patch(f"/rules/{made['id']}", {"options": wrong}).json["field"] == "options.privacy"


def test_a_platform_that_is_not_asked_says_what_is_declared(api, owner, telegram):
    one = telegram(owner)
    answer = api.post(f"/connections/{one.id}/options")
    assert (answer.status_code, answer.json["state"], answer.json["asked_at"]) == (202, "answered", None)
    assert api.get("/connections/999/options").status_code == 404
