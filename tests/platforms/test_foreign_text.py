"""What a platform says is stored and shown: it is clean, whichever adapter took it."""

import pytest

from app.observability import redact
from app.platforms.base import Account, Token
from app.platforms.errors import PlatformError, Reconnect, Refused, Unavailable
from app.platforms.foreign_text import MAX_CHARACTERS, clean, clean_inside

SECRET = "an-opaque-token-of-Rutube"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("one\r\ntwo\ttwo\u2028three", "one two two three"),
        ("a\0b\x1b[31m\x9bc", "ab[31mc"),
        ("abc\u202eexe.\u2066x\u200b\ufeff", "abcexe.x"),
        ("half \ud800 pair", "half  pair"),
        ("👩\u200d💻 stays", "👩\u200d💻 stays"),
        (None, "None"),
    ],
)
def test_without_control_characters(said, shown):
    assert clean(said) == shown


def test_cut_after_the_secrets_are_hidden():
    with redact.hidden(SECRET):
        said = clean("x" * (MAX_CHARACTERS - 10) + SECRET)
    assert said.endswith(redact.HIDDEN) or redact.HIDDEN[:5] in said
    assert SECRET[:10] not in said
    assert len(clean("x" * 10**6)) == MAX_CHARACTERS


def test_a_secret_that_is_broken_up_by_invisible_characters():
    with redact.hidden(SECRET):
        assert clean(f"{SECRET[:9]}\u200b{SECRET[9:]}") == redact.HIDDEN


@pytest.mark.parametrize("kind", [Reconnect, Unavailable, lambda detail: Refused("refused", detail, bot=detail)])
def test_every_error_of_a_platform_is_clean(kind):
    token = Token(SECRET)
    error: PlatformError = kind(f"bad {token.access}\n")
    assert error.detail == f"bad {redact.HIDDEN}"
    assert SECRET not in f"{error} {error.params}"


def test_an_account_is_clean():
    token = Token(SECRET)
    account = Account("1", f"\u202e{token.access}", facts={"about": {"of": [token.access, 5]}})
    assert account.name == redact.HIDDEN
    assert account.facts == {"about": {"of": [redact.HIDDEN, 5]}}


def test_what_is_nested_deep_becomes_a_text():
    deep = "end"
    for _ in range(100):
        deep = [deep]
    assert SECRET not in str(clean_inside(deep))
    assert str(clean_inside(deep)).count("[") < 110


@pytest.mark.parametrize("seconds", ["soon", -5, [1], {"a": 1}, float("inf")])
def test_a_token_response_of_an_unexpected_shape(seconds):
    with pytest.raises(Unavailable):
        Token.of({"access_token": SECRET, "expires_in": seconds})


@pytest.mark.parametrize("access", [None, "", 5, ["x"]])
def test_a_response_without_a_token(access):
    with pytest.raises(Unavailable):
        Token.of({"access_token": access})
