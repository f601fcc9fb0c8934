import pytest

from app.problems import Problem
from app.services import password_rules, throttle


def refusal(password: str) -> str | None:
    try:
        password_rules.check(password, "password", email="marina.k@studio-volga.ru", name="Марина Котова")
    except Problem as problem:
        assert problem.field == "password" and problem.text
        return problem.code
    return None


@pytest.mark.parametrize(
    "password", ["password", "PASSWORD", "12345678", "qwertyuiop", "iloveyou", "1qaz2wsx", "aaaaaaaa"]
)
def test_common_passwords_are_refused(app, password):
    assert refusal(password) == "password_common"


@pytest.mark.parametrize(
    "password",
    ["vezde2026", "Vezde-Vezde!", "marina.k1", "MARINA12345678", "котова-2026", "studio-volga.ru", "volga123"],
)
def test_words_of_the_context_are_refused(app, password):
    assert refusal(password) == "password_of_context"


@pytest.mark.parametrize("password", ["lodka-i-sneg", "Марина любит синий чай", "vezde-solnce-i-veter"])
def test_a_passphrase_is_taken(app, password):
    assert refusal(password) is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:a::b", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:1:2:3", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_limits_count_by_what_a_client_cannot_leave(address, network):
    assert throttle.network_of(address) == network
