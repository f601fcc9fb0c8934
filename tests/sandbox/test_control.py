import pytest
import requests

from tests.sandbox.conftest import BOT, CHANNEL


def test_reset_restores_the_initial_state(sandbox, send):
    sandbox.reset()
    initial_options = sandbox.control("options")
    assert initial_options["rate_limits"] is initial_options["telegram_rate_limits"] is True
    send()
    sandbox.control("tokens", platform="telegram", token="77:second", username="second_bot")
    sandbox.control("options", telegram_max_mb=50)
    sandbox.control("revoke", platform="telegram", token=BOT)
    sandbox.trouble({"match": "x", "do": "garbage"})
    sandbox.reset()
    assert sandbox.posts == sandbox.drafts == sandbox.requests == []
    assert sandbox.control("trouble") == {"rules": []}
    assert sandbox.control("options") == initial_options
    assert requests.get(f"{sandbox.url}/telegram/bot77:second/getMe", timeout=10).status_code == 401
    assert send().json()["result"]["message_id"] == 1


def test_requests_are_logged_without_tokens(sandbox, send):
    send()
    requests.get(f"{sandbox.url}/telegram/bot110201543:wrong/getMe", timeout=10)
    requests.get(f"{sandbox.url}/telegram-web/vezde_demo", timeout=10)
    assert [(one["method"], one["path"], one["status"], one["trouble"]) for one in sandbox.requests] == [
        ("POST", "/telegram/bot<TOKEN>/sendVideo", 200, None),
        ("GET", "/telegram/bot<TOKEN>/getMe", 401, None),
        ("GET", "/telegram-web/vezde_demo", 200, None),
    ]


def test_options_are_named_flat_or_by_platform(sandbox):
    sandbox.control("options", telegram={"max_mb": 50})
    assert sandbox.control("options")["telegram_max_mb"] == 50
    assert sandbox.control("options", telegram_max_mb=20)["telegram_max_mb"] == 20


@pytest.mark.parametrize("changes", [{"telegram_max_mb": "50"}, {"rate_limits": 1}, {"speed": 9}])
def test_wrong_options_are_refused(sandbox, changes):
    with pytest.raises(ValueError, match='"error"'):
        sandbox.control("options", **changes)


def test_rate_limits_can_be_switched_off_for_one_platform(sandbox, send):
    sandbox.control("options", rate_limits=True, telegram_rate_limits=False)
    assert [send().status_code for _ in range(3)] == [200, 200, 200]


def test_stats_need_an_unambiguous_post(sandbox, send):
    sandbox.control("chats", id=-1002, title="Второй", rights={"110201543": {"status": "creator"}})
    send()
    send(chat_id=-1002)
    with pytest.raises(ValueError, match="2 posts"):
        sandbox.control("stats", platform="telegram", id="1", views=5)
    sandbox.control("stats", platform="telegram", id="1", account=CHANNEL, views=5)
    with pytest.raises(ValueError, match="0 posts"):
        sandbox.control("stats", platform="telegram", id="7", views=5)


@pytest.mark.parametrize(
    ("what", "command"),
    [
        ("tokens", {"platform": "telegram", "token": "no-colon", "username": "x"}),
        ("tokens", {"platform": "telegram", "token": "5:x"}),
        ("tokens", {"platform": "myspace", "token": "5:x"}),
        ("tokens", {"token": "5:x"}),
        ("expire", {"platform": "telegram", "token": BOT}),
        ("revoke", {"platform": "telegram", "token": "5:unknown"}),
        ("revoke", {"platform": "telegram"}),
        ("rights", {"platform": "telegram", "account": "@nowhere", "status": "left"}),
        ("rights", {"platform": "telegram", "account": CHANNEL}),
        ("chats", {"id": "@name", "title": "x"}),
        ("chats", {"id": -5}),
        ("chats", {"id": -5, "title": "x", "colour": "red"}),
        ("trouble", {"rule": []}),
    ],
)
def test_invalid_commands_return_the_reason(sandbox, what, command):
    with pytest.raises(ValueError, match='"error"'):
        sandbox.control(what, **command)


def test_commands_are_json(sandbox):
    assert requests.post(f"{sandbox.url}/control/trouble", data="rules", timeout=10).status_code == 400
    assert requests.post(f"{sandbox.url}/control/chats", data="rules", timeout=10).status_code == 400


def test_a_chat_that_is_changed_keeps_its_numbering(sandbox, send):
    send()
    admin = {"status": "administrator", "can_post_messages": True}
    sandbox.control("chats", id=CHANNEL, title="Новое имя", username="@novoe", rights={"110201543": admin})
    assert send(chat_id="@novoe").json()["result"]["message_id"] == 2
