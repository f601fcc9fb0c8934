"""Connecting by a consent page: our routes, Authlib, and the sandbox's consent pages."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin, urlsplit

import flask
import pytest
import requests

from app import clock
from app.db import commit, db
from app.models import ConnectionStatus, OAuthState, PlatformConnection, Status, User
from app.services import consents, publications
from app.services.publications import Choice
from app.web import responses
from tests.connecting import settled
from tests.edges import committed
from tests.publishing.conftest import read_stats, row, settle

CARDS = "/settings/integrations"


@pytest.fixture
def consent(app, user, sign_in, sandbox):
    """Goes through a platform's consent; returns our callback's path with its query."""
    owner = user(plan="business")
    browser = sign_in(owner)

    def begin(platform: str) -> str:
        answer = browser.post(f"{CARDS}/{platform}/consent")
        assert answer.status_code in (302, 303)
        return answer.headers["Location"]

    def press(address: str, button: str) -> str:
        """Presses a button of the consent page, as a browser does; returns where it leads."""
        visit = requests.Session()
        page = visit.get(address, timeout=10)
        assert page.status_code == 200, page.text
        form = re.search(r"<form[^>]*>.*?</form>", page.text, re.S)[0]
        action = re.search(r'action="([^"]*)"', form)
        fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', form))
        name, value = re.search(rf'<button[^>]*name="([^"]+)"[^>]*value="([^"]+)"[^>]*>\s*{button}', form).groups()
        target = urljoin(page.url, (action[1] if action and action[1] else page.url).replace("&amp;", "&"))
        answer = visit.post(target, data={**fields, name: value}, allow_redirects=False, timeout=10)
        assert answer.status_code in (302, 303), answer.text
        back = urlsplit(answer.headers["Location"])
        return f"{back.path}?{back.query}"

    def arrive(back: str, visitor=browser):
        """The page that the callback ends on, once workers have answered."""
        response = settled(visitor, visitor.get(back))
        return visitor.get(response.location) if response.location else response

    consent.arrive = arrive
    consent.owner, consent.browser, consent.begin, consent.press = owner, browser, begin, press
    return consent


@pytest.mark.parametrize("platform", ["vk", "dzen"])
def test_consent_connects_the_account(consent, platform):
    back = consent.press(consent.begin(platform), "Разрешить")
    page = consent.arrive(back)
    connection = db.session.query(PlatformConnection).one()
    assert connection.status == ConnectionStatus.ACTIVE
    assert connection.account_name in page.text
    assert connection.avatar_url in page.text.replace("&amp;", "&")
    assert connection.sealed_token


@pytest.mark.parametrize("platform", ["vk", "dzen", "ok"])
def test_what_is_asked_for(consent, platform):
    address = consent.begin(platform)
    assert "code_challenge_method=S256" in address
    assert {"vk": "scope=video+wall", "dzen": "zen%3Awrite", "ok": "scope=VALUABLE_ACCESS%3BLONG_"}[platform] in address
    assert "127.0.0.1" in address and "state=" in address


@pytest.mark.parametrize("platform", ["vk", "dzen", "ok"])
def test_a_refusal_connects_nothing(consent, platform):
    back = consent.press(consent.begin(platform), "Отказать")
    page = consent.arrive(back)
    assert "вы не дали доступ" in page.text
    assert db.session.query(PlatformConnection).count() == 0


@pytest.mark.parametrize("platform", ["vk", "dzen"])
def test_a_callback_works_once_and_only_in_its_own_browser(consent, app, platform):
    back = consent.press(consent.begin(platform), "Разрешить")
    other = app.test_client()
    consent.arrive(back, other)
    assert db.session.query(PlatformConnection).count() == 0
    consent.arrive(back)
    assert db.session.query(PlatformConnection).count() == 1
    page = consent.arrive(back)
    assert "Начните ещё раз" in page.text


def test_abandoned_consents_do_not_fill_the_cookie(consent, app):
    for number in range(30):
        state = consent.begin(("vk", "dzen")[number % 2])
    cookie = consent.browser.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert len(cookie.value) < 1000
    assert db.session.query(OAuthState).count() == consents.MAX_PER_USER
    consent.arrive(consent.press(state, "Разрешить"))
    assert db.session.query(PlatformConnection).count() == 1


def test_states_of_older_versions_in_the_cookie_are_deleted(consent, app):
    with consent.browser.session_transaction() as session:
        session |= {"_state_vk_abc": {"exp": 1.0}, "sealed_state_vk_abc": "x" * 500}
    consent.browser.get(CARDS)
    with consent.browser.session_transaction() as session:
        assert not [name for name in session if "_state_" in name]


def test_flashes_do_not_fill_the_cookie(consent, app):
    """A client that follows no redirect never sees them."""
    for _ in range(40):
        consent.browser.get(f"{CARDS}/vk/callback?state=x&code=y")
        with app.test_request_context():
            responses.flash("Ж" * 4000, "ok")
            assert len(flask.session["_flashes"][0][1]) == responses.FLASH_CHARACTERS
    with consent.browser.session_transaction() as session:
        assert len(session["_flashes"]) == responses.MOST_FLASHES
    assert "Начните ещё раз" in consent.browser.get(CARDS).text


def test_a_state_expires(consent):
    back = consent.press(consent.begin("vk"), "Разрешить")
    db.session.query(OAuthState).update({"expires_at": clock.now()})
    db.session.commit()
    assert "устарело" in consent.arrive(back).text
    committed(consents.sweep())
    assert db.session.query(OAuthState).count() == 0


def test_a_state_belongs_to_its_browser_its_user_and_its_platform(consent, user, sign_in):
    back = consent.press(consent.begin("vk"), "Разрешить")
    for other in (sign_in(consent.owner), sign_in(user(plan="business"))):
        assert "в другом браузере" in consent.arrive(back, other).text
    consent.arrive(back.replace("/vk/", "/dzen/"))
    assert db.session.query(PlatformConnection).count() == 0
    consent.arrive(back)
    assert db.session.query(PlatformConnection).count() == 1


def test_a_refusal_uses_the_state_up(consent):
    consent.arrive(consent.press(consent.begin("vk"), "Отказать"))
    assert db.session.query(OAuthState).count() == 0


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"], indirect=True)
def test_of_two_callbacks_at_once_one_gets_the_secret(app, user):
    owner = user()
    committed(consents.begin(owner, "vk", "browser", "state", "secret"))
    [stored] = db.session.query(OAuthState).all()
    assert b"secret" not in stored.sealed and "state" not in stored.state_hash
    sealed_for = stored.sealed_for
    user_id = owner.id
    db.session.commit()

    def take(_number: int) -> consents.SealedConsent | None:
        with app.app_context():
            return committed(consents.take(User(id=user_id), "vk", "browser", "state"))

    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(take, range(8)))
    [one] = [consent for consent in taken if consent]
    assert one.sealed_for == sealed_for
    assert app.extensions["vault"].open(*one) == b"secret"


@pytest.mark.parametrize(
    "payload",
    [
        {"endpoint": "x"},
        {"values": "x"},
        {"self": "x"},
        {"platform": "dzen"},
        {"_external": "1", "_scheme": "javascript", "_anchor": "x", "_method": "POST"},
        {"payload": "{}"},
    ],
)
def test_a_callback_stays_on_its_own_path_whatever_it_is_given(consent, payload):
    state = {"state": "s", "code": "a&b=c#d"}
    answer = consent.browser.get(f"{CARDS}/vk/callback", query_string={"payload": json.dumps(payload | state)})
    assert answer.headers["Location"] == CARDS, "refused: no consent has this state"
    answer = consent.browser.get(f"{CARDS}/vk/callback", query_string=payload | state, follow_redirects=True)
    assert (answer.status_code, answer.request.path) == (200, CARDS)


def test_vk_callback_as_one_json_payload(consent, sandbox):
    sandbox.control("options", vk_callback_payload=True)
    back = consent.press(consent.begin("vk"), "Разрешить")
    assert "payload=" in back
    consent.arrive(back)
    assert db.session.query(PlatformConnection).one().status == ConnectionStatus.ACTIVE


def test_rights_that_vk_withholds_are_named(consent, sandbox):
    sandbox.control("options", vk_scopes="video")
    back = consent.press(consent.begin("vk"), "Разрешить")
    page = consent.arrive(back)
    assert "не дал нужных прав: стена" in page.text, page.text
    assert db.session.query(PlatformConnection).count() == 0


def test_an_expired_token_is_refreshed_once_and_the_new_pair_is_kept(consent, sandbox, ready_clip):
    """VK rotates refresh tokens: the old one is good for one use."""
    consent.arrive(consent.press(consent.begin("vk"), "Разрешить"))
    connection = db.session.query(PlatformConnection).one()
    sealed = connection.sealed_token
    clip = ready_clip(consent.owner)
    for number in (1, 2):
        sandbox.control("expire", platform="vk", account=connection.account_id)
        [one] = publications.publish(consent.owner, clip.id, [Choice(connection.id, "Закат", "", again=True)])
        commit()
        assert settle(one.id).status == Status.PUBLISHED, (row(one.id).reason, row(one.id).detail)
        refreshes = [call for call in sandbox.requests if call["path"].startswith("/vk-id/oauth2/auth")]
        assert len(refreshes) == 1 + number, "one for the code, then one for each expiry"
    assert db.session.query(PlatformConnection).one().sealed_token != sealed


@pytest.mark.parametrize("platform", ["vk", "dzen"])
def test_free_plan_cannot_begin(app, user, sign_in, platform):
    browser = sign_in(user(plan="free"))
    browser.post(f"{CARDS}/{platform}/consent")
    page = browser.get(CARDS)
    assert "Доступно на тарифе" in page.text
    assert f"/{platform}/consent" not in page.text


def test_start_plan_has_vk_alone(app, user, sign_in):
    page = sign_in(user(plan="start")).get(CARDS).text
    assert "Подключить VK" in page
    for name in ("Rutube", "Дзен", "Telegram", "YouTube", "TikTok", "OK"):
        assert f"Подключить {name}" not in page


def test_an_unknown_platform_is_not_found(user, sign_in):
    assert sign_in(user()).post(f"{CARDS}/myspace/consent").status_code == 404


def test_counts_come_with_a_fresh_token(consent, sandbox, ready_clip):
    consent.arrive(consent.press(consent.begin("vk"), "Разрешить"))
    connection = db.session.query(PlatformConnection).one()
    [one] = publications.publish(consent.owner, ready_clip(consent.owner).id, [Choice(connection.id, "Закат", "")])
    commit()
    done = settle(one.id)
    sandbox.control("stats", platform="vk", id=done.external_id.rpartition("_")[2], views=12)
    sandbox.control("expire", platform="vk", account=connection.account_id)
    sealed = row(one.id).connection.sealed_token
    read_stats(one.id)
    assert (row(one.id).views, row(one.id).connection.status) == (12, ConnectionStatus.ACTIVE)
    assert row(one.id).connection.sealed_token != sealed
