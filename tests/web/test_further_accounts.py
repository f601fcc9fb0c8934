"""Accounts that one token leads to: several connected by one press, one by its address, and what VK refuses to list."""

import json
import re

import pytest

from app.db import commit, db
from app.models import AuditEvent, ConnectionStatus, PlatformConnection, Question
from app.platform_access import tokens
from app.platform_access.rate_limits import paced_adapter
from app.services import connections
from tests.connecting import settled
from tests.platforms import consent
from tests.publishing.conftest import at_work
from tests.questions import VK_TOKEN, ask_platforms, connect_vk
from tests.web.test_clips import HTMX

PAGE = "/settings/integrations"
GROUPS = "POST /vk-api/method/groups.get$"


@pytest.fixture
def second(sandbox):
    """Another community to which the demo's user may post."""
    sandbox.control("tokens", platform="vk", token="vk1.a.key-of-103", account="-103", scopes="wall")
    sandbox.control("rights", platform="vk", account="1", community=103, role="administrator")


@pytest.fixture
def choosing(web, owner, sandbox) -> str:
    return f"{PAGE}/{connect_vk(owner).id}"


def mine() -> dict[str, PlatformConnection]:
    db.session.expire_all()
    return {one.account_id: one for one in db.session.query(PlatformConnection)}


def test_several_are_connected_by_one_press(web, second, choosing):
    window = web.get(f"{choosing}/choose", headers=HTMX).text
    assert window.count('type="checkbox"') == 3 and " checked" not in window
    chosen = {"account": ["1", "-101", "-103"]}
    window = web.post(f"{choosing}/choose", data=chosen, headers=HTMX).text
    assert "Подключаем…" in window and VK_TOKEN not in window
    poll = re.search(r'hx-get="([^"]+/accounts)"', window)[1]
    assert web.get(poll, headers=HTMX).status_code == 204
    assert web.post(f"{choosing}/choose", data=chosen, headers=HTMX).status_code == 200, "a double click"
    ask_platforms()
    answer = web.get(poll, headers=HTMX)
    said = json.loads(answer.headers["HX-Trigger"])["toast"]["text"]
    assert said == "VK подключён: Вера Демидова, Везде — демо, Сообщество 103."
    assert answer.headers["HX-Trigger-After-Settle"] == "close-dialog"
    assert mine().keys() == {"1", "-101", "-103"}
    for one in mine().values():
        assert (one.status, tokens.open_token(one).access) == (ConnectionStatus.ACTIVE, VK_TOKEN)
    assert db.session.query(AuditEvent).filter_by(kind="connected").count() == 3
    assert answer.text.count("Добавить сообщества") == 1, "one button for one token"


def test_without_a_script(web, second, choosing):
    assert web.post(f"{choosing}/choose", data={"account": ["-101", "-103"]}).location == f"{choosing}/choose"
    assert web.get(f"{choosing}/choose").headers["Refresh"] == "1"
    ask_platforms()
    assert web.get(f"{choosing}/choose").location == PAGE
    assert "VK подключён" in web.get(PAGE).text
    assert mine().keys() == {"-101", "-103"}


def test_nothing_ticked_is_said(web, choosing):
    answer = web.post(f"{choosing}/choose", data={}, headers=HTMX)
    assert answer.status_code == 422
    assert "Отметьте, куда публиковать, или введите адрес." in answer.text
    assert web.post(f"{choosing}/choose", data={"account": "-102"}).status_code == 404


def test_a_refused_address_loses_nothing(web, second, choosing):
    """What was ticked and typed is still there, and nothing is connected yet."""
    chosen = {"account": ["1", "-103"], "community": "vezde_readonly"}
    web.post(f"{choosing}/choose", data=chosen, headers=HTMX)
    ask_platforms()
    window = web.get(f"{choosing}/accounts", headers=HTMX).text
    assert "В сообществе «Только читать» вам нельзя публиковать" in window
    assert 'value="vezde_readonly"' in window and 'aria-invalid="true"' in window
    assert re.findall(r'value="(-?\d+)" checked', window) == ["1", "-103"]
    assert [one.status for one in mine().values()] == [ConnectionStatus.CHOOSING]
    web.post(f"{choosing}/choose", data={"account": ["1"], "community": "@vezde_demo"}, headers=HTMX)
    ask_platforms()
    web.get(f"{choosing}/accounts", headers=HTMX)
    assert mine().keys() == {"1", "-101"}


@pytest.mark.parametrize(
    ("do", "says"),
    [("error:7", "права groups"), ("error:15", "права groups"), ("error:3", "отказался показать")],
)
def test_vk_refuses_to_list_and_an_address_leads_on(web, choosing, sandbox, do, says):
    """It is never taken for having no communities."""
    sandbox.trouble({"match": GROUPS, "do": do})
    web.post(f"{choosing}/ask")
    ask_platforms()
    window = web.get(f"{choosing}/choose").text
    assert says in window and "Моя страница" in window and "Адрес сообщества" in window
    web.post(f"{choosing}/choose", data={"community": "https://vk.com/vezde_demo"})
    ask_platforms()
    web.get(f"{choosing}/choose")
    assert mine().keys() == {"-101"}


def test_the_page_alone_says_why_it_is_alone(web, choosing, sandbox):
    sandbox.trouble({"match": GROUPS, "do": "error:7"})
    web.post(f"{choosing}/ask")
    ask_platforms()
    assert web.post(f"{choosing}/choose", data={"account": "1"}).location == PAGE
    for _ in range(2):
        assert "VK не показал сообщества: у токена нет права groups." in web.get(PAGE).text


def test_a_failure_to_list_leaves_the_address(web, choosing, sandbox):
    sandbox.trouble({"match": GROUPS, "do": "error:14"})
    web.post(f"{choosing}/ask")
    ask_platforms()
    window = web.get(f"{choosing}/choose").text
    assert "Спросить ещё раз" in window and "Адрес сообщества" in window
    web.post(f"{choosing}/choose", data={"community": "club101"})
    ask_platforms()
    assert mine().keys() == {"-101"}


def test_a_consent_leads_to_communities_too(web, owner, sandbox, second):
    """VK ID gives no right to list them: by the address, with the token of the page."""
    page_id = consent.connect(owner, "vk", "1").id
    commit()
    more = f"{PAGE}/{page_id}/more"
    assert f'formaction="{more}"' in web.get(PAGE).text
    window = web.get(more, headers=HTMX).text
    assert "Спрашиваем VK" in window
    ask_platforms()
    poll = re.search(r'hx-get="([^"]+/accounts\?more=1)"', window)[1]
    window = web.get(poll, headers=HTMX).text
    assert "нет права groups" in window and "Моя страница" not in window
    for address in ("vezde_demo", "club103"):
        web.post(f"{PAGE}/{page_id}/choose", data={"community": address, "more": "1"}, headers=HTMX)
        ask_platforms()
        assert "VK подключён" in json.loads(web.get(poll, headers=HTMX).headers["HX-Trigger"])["toast"]["text"]
        assert "Спрашиваем VK" in web.get(more, headers=HTMX).text, "it is asked anew"
        ask_platforms()
    assert mine().keys() == {"1", "-101", "-103"}
    assert {one.facts.get("through") for one in mine().values()} == {None, "1"}

    # A refresh token is good for one refresh.
    ids, used = [one.id for one in mine().values()], tokens.open_token(mine()["1"])
    fresh = [at_work(tokens.refresh, one, paced_adapter("vk"), used) for one in reversed(ids)]
    assert fresh[0] == fresh[1] == fresh[2] != used
    assert all(tokens.open_token(one) == fresh[0] for one in mine().values())

    # All have lost it: one new consent brings them back.
    for one in ids:
        at_work(tokens.require_reconnect, one, fresh[0])
    assert {one.status for one in mine().values()} == {ConnectionStatus.RECONNECT}
    consent.connect(owner, "vk", "1")
    assert {one.status for one in mine().values()} == {ConnectionStatus.ACTIVE}
    assert len({tokens.open_token(one).access for one in mine().values()}) == 1


def test_a_token_in_common_is_revoked_with_the_last(web, owner, sandbox, second):
    page = consent.connect(owner, "vk", "1")
    commit()
    web.post(f"{PAGE}/{page.id}/choose", data={"community": "vezde_demo", "more": "1"})
    ask_platforms()
    community = mine()["-101"]
    connections.disconnect(owner, page.id)
    commit()
    fresh = at_work(tokens.refresh, community.id, paced_adapter("vk"), tokens.open_token(community))
    db.session.rollback()
    assert tokens.open_token(mine()["-101"]) == fresh


def test_what_is_connected_is_not_offered_again(web, owner, second, choosing):
    web.post(f"{choosing}/choose", data={"account": "1"})
    web.get(f"{choosing}/more")
    ask_platforms()
    assert re.findall(r'name="account" value="(-?\d+)"', web.get(f"{choosing}/more").text) == ["-101", "-103"]
    sent = web.post(f"{choosing}/choose", data={"account": ["-101", "-103"], "more": "1"}).location
    assert web.get(sent).headers["Refresh"] == "1"
    ask_platforms()
    assert web.get(sent).location == PAGE
    web.get(f"{choosing}/more")
    ask_platforms()
    assert "не назвал" in web.get(f"{choosing}/more").text
    assert db.session.query(Question).filter_by(kind="share").count() == 1


def test_others_accounts_and_platforms_without_further_ones(web, choosing, user, sign_in, telegram, owner):
    stranger = sign_in(user())
    assert stranger.get(f"{choosing}/more").status_code == 404
    assert stranger.post(f"{choosing}/choose", data={"account": "1"}).status_code == 404
    there = f"{PAGE}/{telegram(owner).id}"
    assert web.get(f"{there}/more").status_code == 404
    assert web.post(f"{there}/ask").status_code == 404


def test_the_form_takes_an_address_and_keeps_the_token(web, owner, sandbox):
    """Only the address was wrong: the token is not typed again."""
    form = web.get(f"{PAGE}/vk/connect").text
    assert "Адрес сообщества" in form
    fields = {"token": VK_TOKEN, "community": "vezde_readonly"}
    refused = settled(web, web.post(f"{PAGE}/vk/connect", data=fields))
    assert refused.status_code == 422 and "нельзя публиковать" in refused.text
    assert "Токен сохранён" in refused.text and 'value="vezde_readonly"' in refused.text
    kept = re.search(r'name="kept" value="(\d+)"', refused.text)[1]
    again = web.post(f"{PAGE}/vk/connect", data={"kept": kept, "token": "", "community": "vezde_demo"})
    assert settled(web, again).location == PAGE
    assert mine().keys() == {"-101"}
