"""What Rutube says of a video, and the marker of a publication in its description."""

from collections.abc import Mapping
from typing import Any

from app.platforms.base import PublishContext


def marker(context: PublishContext) -> str:
    return f"vezde:{context.marker}"


def has_marker(context: PublishContext, video: Mapping[str, Any]) -> bool:
    return marker(context) in str(video.get("description") or "")


def is_open(video: Mapping[str, Any]) -> bool:
    """A video without `is_hidden` is not known to be visible."""
    return video.get("is_hidden") in (False, 0) and not video.get("is_deleted")


def is_gone(video: Mapping[str, Any]) -> bool:
    """`is_deleted` is also true while Rutube downloads."""
    return bool(
        video.get("status") == "error" or (video.get("is_deleted") and reason(video) not in ("", "downloading_video"))
    )


def reason(video: Mapping[str, Any]) -> str:
    return str((video.get("action_reason") or {}).get("name") or "")
