"""The address of the service and the key: of the environment, or as `vezde login` has kept them."""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from vezde_client.errors import Unauthorized, WrongUsage

URL, KEY = "VEZDE_URL", "VEZDE_API_KEY"


@dataclass(frozen=True)
class Login:
    url: str
    key: str


def config_file() -> Path:
    return _folder("XDG_CONFIG_HOME", ".config") / "login.json"


def state_folder() -> Path:
    return _folder("XDG_STATE_HOME", ".local/state")


def _folder(variable: str, usual: str) -> Path:
    given = os.environ.get(variable, "")
    return (Path(given) if Path(given).is_absolute() else Path.home() / usual) / "vezde"


def load() -> Login:
    """A key that is kept is only for the address that it is kept with."""
    url, key = os.environ.get(URL, "").strip(), os.environ.get(KEY, "").strip()
    kept = _kept()
    if key and not url and kept is None:
        raise WrongUsage(f"Задайте {URL}: адрес сервиса, к которому подходит {KEY}.")
    if key:
        return Login(checked_url(url) if url else kept.url, key)
    if kept is None or (url and checked_url(url) != kept.url):
        raise Unauthorized(f"Вход не выполнен. Выполните vezde login или задайте {URL} и {KEY}.")
    return kept


def kept_url() -> str | None:
    kept = _kept()
    return kept.url if kept else None


def _kept() -> Login | None:
    try:
        found = json.loads(config_file().read_text())
        return Login(found["url"], found["key"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise WrongUsage(f"Файл {config_file()} испорчен. Выполните vezde login заново.") from None


def save(login: Login) -> None:
    write_private(config_file(), json.dumps({"url": login.url, "key": login.key}))


def forget() -> bool:
    """Whether there was something to forget."""
    existed = config_file().exists()
    config_file().unlink(missing_ok=True)
    return existed


def checked_url(text: str) -> str:
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise WrongUsage("Адрес сервиса — вида https://vezde.example.ru")
    if parts.username or parts.password:
        raise WrongUsage("Адрес сервиса — без имени и пароля: ключ передаётся отдельно.")
    return text.strip().rstrip("/").removesuffix("/api/v1")


def is_exposed(url: str) -> bool:
    """Whether the key would cross a network in the clear."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost")


def write_private(path: Path, text: str) -> None:
    """At once or not at all, and for this user only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # 0600
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)
