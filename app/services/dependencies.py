"""Whether what an installation depends on works: its own parts, its processes and the platforms' hosts."""

import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from flask import current_app

from app import mail, platforms
from app.config import optional_web_address, web_address
from app.services import heartbeats, readiness

CONNECT_SECONDS = 3
ADVICE = {
    "database": "База не отвечает: проверьте DATABASE_URL, затем flask db upgrade.",
    "redis": "Redis не отвечает: проверьте REDIS_URL. Публикации ждут в базе и пойдут, когда он вернётся.",
    "storage": "Хранилище клипов не принимает файлы: проверьте STORAGE_URL, права и место.",
}
WORKS = {"database": "База отвечает.", "redis": "Redis отвечает.", "storage": "Хранилище клипов принимает файлы."}


def parts() -> dict[str, bool]:
    """A sentence for each of its own parts, and whether it works."""
    return {WORKS[name] if works else ADVICE[name]: works for name, works in readiness.state().items()}


def missing_processes() -> list[str]:
    """Kinds of background processes without a recent heartbeat."""
    return [kind for kind, number in heartbeats.count().items() if number == 0]


def unreachable_hosts() -> list[str]:
    """Names of settings with a host that takes no connection from here within CONNECT_SECONDS."""
    addresses = {
        setting.name: current_app.config[setting.name]
        for setting in platforms.settings()
        if setting.parse in (web_address, optional_web_address) and current_app.config[setting.name]
    }
    with ThreadPoolExecutor(max_workers=len(addresses) or 1) as pool:
        reachable = pool.map(_is_reachable, addresses.values())
        return [name for name, reached in zip(addresses, reachable, strict=True) if not reached]


def sends_mail() -> bool:
    return mail.is_set_up()


def _is_reachable(address: str) -> bool:
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname, port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
