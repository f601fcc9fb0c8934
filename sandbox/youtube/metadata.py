"""What a new video's metadata may be, checked before its first byte: https://developers.google.com/youtube/v3/docs/videos"""

import re
from datetime import datetime
from typing import Any

from sandbox.youtube.errors import GoogleError

MAX_TITLE = 100
"""Characters."""
MAX_DESCRIPTION = 5000
"""Bytes of UTF-8."""
MAX_TAGS = 500
"""Characters, with a comma between two tags and quotation marks around a tag with a space."""
CATEGORIES = {"1", "2", "10", "15", "17", "19", "20", "22", "23", "24", "25", "26", "27", "28", "29"}
"""Those that a video can be given, by videoCategories.list."""
PRIVACY = ("public", "unlisted", "private")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")

WRITABLE: dict[str, dict[str, type]] = {
    "snippet": {
        "title": str,
        "description": str,
        "tags": list,
        "categoryId": str,
        "defaultLanguage": str,
        "defaultAudioLanguage": str,
    },
    "status": {
        "privacyStatus": str,
        "selfDeclaredMadeForKids": bool,
        "containsSyntheticMedia": bool,
        "license": str,
        "embeddable": bool,
        "publicStatsViewable": bool,
        "publishAt": str,
    },
    "paidProductPlacementDetails": {"hasPaidProductPlacement": bool},
}
READABLE = {
    *WRITABLE,
    *("id", "statistics", "processingDetails", "fileDetails", "contentDetails", "player", "recordingDetails"),
    *("liveStreamingDetails", "localizations", "suggestions", "topicDetails"),
}


def parts(text: str) -> list[str]:
    """The `part` parameter. Raises GoogleError."""
    names = [name for name in text.split(",") if name]
    if not names:
        raise GoogleError("missingRequiredParameter", "Required parameter: part")
    if unknown := [name for name in names if name not in READABLE]:
        raise GoogleError("unknownPart", f"'{unknown[0]}'")
    return names


def checked(body: Any, named: list[str]) -> dict[str, dict[str, Any]]:
    """The parts of the body that the `part` parameter names, with their defaults. Raises GoogleError."""
    if not isinstance(body, dict):
        raise GoogleError("parseError", "Parse Error")
    for name, value in body.items():
        if name in ("id", "kind", "etag"):
            continue
        if name not in WRITABLE or not isinstance(value, dict):
            raise GoogleError("badRequest", f'Invalid JSON payload received. Unknown name "{name}"')
        for inner, given in value.items():
            if inner not in WRITABLE[name]:
                raise GoogleError("badRequest", f"Invalid JSON payload received. Unknown name \"{inner}\" at '{name}'")
            if type(given) is not WRITABLE[name][inner]:
                raise GoogleError("badRequest", f"Invalid value at '{name}.{inner}'")
    taken = {name: dict(body.get(name, {})) for name in named if name in WRITABLE}
    _check_snippet(taken.setdefault("snippet", {}))
    _check_status(taken.setdefault("status", {}))
    return taken


def _check_snippet(snippet: dict[str, Any]) -> None:
    title = snippet.get("title", "")
    if not title.strip() or len(title) > MAX_TITLE or _holds_brackets(title):
        raise GoogleError("invalidTitle", "The request metadata specifies an invalid or empty video title.")
    description = snippet.setdefault("description", "")
    if len(description.encode()) > MAX_DESCRIPTION or _holds_brackets(description):
        raise GoogleError("invalidDescription", "The request metadata specifies an invalid video description.")
    tags = snippet.get("tags", [])
    if not all(isinstance(tag, str) and tag.strip() and not _holds_brackets(tag) for tag in tags):
        raise GoogleError("invalidTags", "The request metadata specifies invalid video keywords.")
    if sum(len(tag) + 2 * (" " in tag) for tag in tags) + max(len(tags) - 1, 0) > MAX_TAGS:
        raise GoogleError("invalidTags", "The request metadata specifies invalid video keywords.")
    if snippet.setdefault("categoryId", "22") not in CATEGORIES:
        raise GoogleError("invalidCategoryId", "The snippet.categoryId property specifies an invalid category ID.")
    for name in ("defaultLanguage", "defaultAudioLanguage"):
        if name in snippet and not LANGUAGE.fullmatch(snippet[name]):
            raise GoogleError("invalidVideoMetadata", f"snippet.{name} is no language")


def _check_status(status: dict[str, Any]) -> None:
    if status.setdefault("privacyStatus", "public") not in PRIVACY:
        raise GoogleError("badRequest", "Invalid value at 'status.privacyStatus'")
    if status.setdefault("license", "youtube") not in ("youtube", "creativeCommon"):
        raise GoogleError("invalidVideoMetadata", "The request metadata is invalid.")
    if "publishAt" in status and (status["privacyStatus"] != "private" or not _is_date(status["publishAt"])):
        raise GoogleError("invalidPublishAt", "The request metadata specifies an invalid scheduled publishing time.")


def _holds_brackets(text: str) -> bool:
    return "<" in text or ">" in text


def _is_date(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
