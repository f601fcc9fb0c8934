"""What a user decides for each post, as TikTok's audit of the form demands it.

https://developers.tiktok.com/doc/content-sharing-guidelines
"""

from collections.abc import Mapping
from typing import Any

from app.platforms import options
from app.platforms.options import AccountOptions, Checkbox, Notice, Select

SELF_ONLY = "SELF_ONLY"
_LEVELS = {
    "PUBLIC_TO_EVERYONE": "Все",
    "MUTUAL_FOLLOW_FRIENDS": "Друзья: вы подписаны друг на друга",
    "FOLLOWER_OF_CREATOR": "Подписчики",
    SELF_ONLY: "Только вы",
}
_BRANDED_IS_NOT_PRIVATE = "Платное партнёрство не бывает только для вас."

OPTIONS = (
    # Never chosen beforehand and never remembered.
    Select(name="privacy", label="Кто увидит", choices=_LEVELS, asked=True, required=True),
    Checkbox(name="comment", label="Комментарии"),
    Checkbox(name="duet", label="Дуэт"),
    Checkbox(name="stitch", label="Склейка"),
    Checkbox(
        name="ad",
        label="Реклама",
        help="Включите, если клип продвигает вас, другой бренд, товар или услугу за вознаграждение.",
    ),
    Checkbox(
        name="own_brand",
        label="Свой бренд",
        help="Вы продвигаете себя или свой бизнес. TikTok пометит клип как рекламный.",
        shown_when=("ad", True),
    ),
    Checkbox(
        name="branded",
        label="Платное партнёрство",
        help="Вы продвигаете чужой бренд. TikTok пометит клип как платное партнёрство.",
        shown_when=("ad", True),
        rules_out=("privacy", SELF_ONLY),
        rules_out_help=_BRANDED_IS_NOT_PRIVATE,
    ),
    Checkbox(
        name="synthetic",
        label="Создано нейросетью",
        help="Отметьте, если это можно принять за настоящих людей, места или события.",
    ),
)

_MUSIC = (
    "Подтверждением об использовании музыки",
    "https://www.tiktok.com/legal/page/global/music-usage-confirmation/en",
)
_BRANDED = ("Правилами о брендированном контенте", "https://www.tiktok.com/legal/page/global/bc-policy/en")
NOTICES = (
    Notice("Публикуя, вы соглашаетесь с {0} TikTok.", (_MUSIC,), shown_when=("branded", False)),
    Notice("Публикуя, вы соглашаетесь с {0} и {1} TikTok.", (_BRANDED, _MUSIC), shown_when=("branded", True)),
    Notice("После публикации TikTok ещё несколько минут обрабатывает клип, и только потом его видно в профиле."),
)

REASONS = {
    "tiktok_ad_unsaid": (
        "Реклама включена, но не сказано, чья она",
        "Отметьте «Свой бренд», «Платное партнёрство» или оба — либо выключите «Реклама».",
    ),
    "tiktok_branded_private": (
        "Платное партнёрство не бывает только для вас",
        "Выберите другой вариант в «Кто увидит» или снимите «Платное партнёрство».",
    ),
    "tiktok_too_many_posts": (
        "TikTok сейчас не принимает от этого аккаунта новых публикаций",
        "Попробуйте позже: обычно это проходит за день.",
    ),
}

# What the creator has switched off in TikTok.
_OFF = {
    "comment": ("comment_disabled", "Комментарии выключены в настройках вашего аккаунта TikTok."),
    "duet": ("duet_disabled", "Дуэты выключены в настройках вашего аккаунта TikTok."),
    "stitch": ("stitch_disabled", "Склейки выключены в настройках вашего аккаунта TikTok."),
}


def account_options(creator_info: Mapping[str, Any]) -> AccountOptions:
    """`creator_info`: `data` of /v2/post/publish/creator_info/query/. A refusal is added by `replace`."""
    levels = creator_info["privacy_level_options"]
    if not isinstance(levels, list):
        raise TypeError("privacy_level_options is a list")
    return AccountOptions(
        choices={"privacy": {level: _LEVELS.get(level, level) for level in levels}},
        off={name: why for name, (flag, why) in _OFF.items() if creator_info.get(flag)},
        max_seconds=creator_info.get("max_video_post_duration_sec"),
        name=creator_info.get("creator_nickname") or creator_info.get("creator_username") or "",
        avatar_url=creator_info.get("creator_avatar_url"),
    )


def check(values: Mapping[str, Any]) -> None:
    """For `Adapter.check_options`."""
    if values["ad"] and not (values["own_brand"] or values["branded"]):
        raise options.conflict("ad", "tiktok_ad_unsaid")
    if values["branded"] and values["privacy"] == SELF_ONLY:
        raise options.conflict("privacy", "tiktok_branded_private")
