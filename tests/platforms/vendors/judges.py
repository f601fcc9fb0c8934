"""Which platform has which judge."""

from tests.platforms.vendors import SHARED, Judge, google, max_api, telegram, vk

JUDGES: dict[str, Judge] = {"youtube": google.judge, "telegram": telegram.judge, "vk": vk.judge, "max": max_api.judge}
# What a judge reads of `../shared/schemas`.
NEEDS = {"telegram": telegram.FILE, "vk": "vk/schema.json", "max": max_api.FILE}
# Deviations that stay, by platform: a regex on the line, and its reason.
DEVIATIONS = {
    "vk": {
        r"wall\.get: parameter owner_id: unknown$": "documented, and left out (dev.vk.com/ru/method/wall.get)",
        r"error error: 'inner_type' is required$": "the documented errors have none (dev.vk.com/ru/reference/errors)",
    },
    "max": {
        r"GET /max/me: answer : .*\('name' was unexpected\)": "0.0.32 has it",
        r"body : 'link' is a required property$": "a message that answers none has none (dev.max.ru/docs-api)",
        r"answer [\w.]+body: 'link' is a required property$": "required, and described nowhere",
    },
}


def judge_of(platform: str) -> Judge | None:
    """None where nothing describes the platform, or its description is not there."""
    return JUDGES.get(platform) if platform not in NEEDS or (SHARED / NEEDS[platform]).exists() else None
