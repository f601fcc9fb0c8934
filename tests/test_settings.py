"""Every setting is in .env.example, with its comment and its default, and the other way round."""

from pathlib import Path

import pytest

from app import config, platforms

EXAMPLE = Path(__file__).parent.parent / ".env.example"


def settings() -> list[config.Setting]:
    return [*config.CORE, *platforms.settings()]


def test_env_example_is_what_the_code_declares():
    lines = [f"# {setting.help}\n{setting.name}={setting.default or ''}\n" for setting in settings()]
    assert EXAMPLE.read_text() == "\n".join(lines)


def test_all_errors_are_shown_at_once():
    with pytest.raises(config.BadSettings) as error:
        config.load({"PORT": "http", "DATABASE_URL": "mysql://x", "SECRET_KEY": "short"}, platforms.settings())
    for name in ("PORT", "DATABASE_URL", "SECRET_KEY", "REDIS_URL", "VAULT_PUBLIC_KEY", "PUBLIC_URL"):
        assert name in str(error.value)
    assert "short" not in str(error.value)


@pytest.mark.parametrize("given", ["postgres://u:p@h/b", "postgresql://u:p@h/b"])
def test_addresses_of_a_paas_are_understood(given):
    assert config.database_address(given) == "postgresql+psycopg://u:p@h/b"
