"""All platforms. A new one is a line here."""

from collections.abc import Mapping
from typing import Any

from app.config import Setting
from app.platforms.base import Adapter
from app.platforms.dzen import Dzen
from app.platforms.http.client import Http
from app.platforms.http.ssrf_guard import own_origins
from app.platforms.max.adapter import Max
from app.platforms.ok.adapter import OK
from app.platforms.rutube.adapter import Rutube
from app.platforms.telegram.adapter import Telegram
from app.platforms.tiktok.adapter import TikTok
from app.platforms.vk.adapter import VK
from app.platforms.youtube.adapter import YouTube

_ADAPTERS = (VK, Rutube, Dzen, Telegram, YouTube, TikTok, Max, OK)
ADAPTERS: dict[str, type[Adapter]] = {adapter.key: adapter for adapter in _ADAPTERS}


def settings() -> list[Setting]:
    return [setting for adapter in ADAPTERS.values() for setting in adapter.settings]


def reasons() -> dict[str, tuple[str, str]]:
    """Every reason that an adapter can give, with its two sentences: what is wrong, what to do."""
    return {key: texts for adapter in ADAPTERS.values() for key, texts in adapter.reasons.items()}


def adapter(key: str, config: Mapping[str, Any], http: Http | None = None) -> Adapter:
    http = http or Http()
    http.allow(own_origins(ADAPTERS[key].settings, config))
    return ADAPTERS[key](config, http)
