"""Posts on a wall: the one that holds a video, and its comments."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from app.platforms.base import NotPublished, PublishContext, Unknown
from app.platforms.errors import RateLimited, Reconnect, Refused, Unavailable
from app.platforms.vk.api import RouteUnknown, VkApi

# https://dev.vk.com/ru/method/wall.get
WALL_PAGE = 100
WALL_PAGES = 10
# VK dates posts by its own clock; ours may be wrong.
CLOCKS_DIFFER = timedelta(days=1)
# Seconds for closing the comments of a post, where VK is away: it is published already.
_CLOSING_SECONDS = 600
# https://dev.vk.com/ru/reference/objects/attachments-wall; `short_video` is the type that a clip has as a video.
_VIDEO_ATTACHMENTS = ("video", "clip", "short_video")

Video = Mapping[str, Any]  # with `owner_id` and `video_id`
Post = Mapping[str, Any]


def find_post(api: VkApi, context: PublishContext, video: Video) -> Post | NotPublished | Unknown:
    """The post that holds the video; Unknown where the bound is reached before the publication began."""
    since = (context.started_at - CLOCKS_DIFFER).timestamp()
    offset = 0
    for _ in range(WALL_PAGES):
        page = {"owner_id": video["owner_id"], "count": WALL_PAGE, "offset": offset}
        posts = api.items("wall.get", context.token.access, **page)
        if found := next((post for post in posts if _holds(post, video)), None):
            return found
        # The newest come first, except for a pinned one.
        if not posts or any(post.get("date", since) < since for post in posts if not post.get("is_pinned")):
            return NotPublished()
        offset += len(posts)
    return Unknown()


def close_comments(api: VkApi, context: PublishContext, video: Video) -> str:
    """Of the post that VK has made with a clip, whose comments are its own. Returns a remark."""
    try:
        post = find_post(api, context, video)
        if isinstance(post, Mapping):
            ids = {"owner_id": video["owner_id"], "post_id": post["id"]}
            api.method("wall.closeComments", context.token.access, **ids)
    except (Refused, Reconnect, RouteUnknown):
        return "vk_comments_open"
    except (Unavailable, RateLimited):
        if context.age("confirmed") > _CLOSING_SECONDS:
            return "vk_comments_open"
        raise
    return ""


def _holds(post: Post, video: Video) -> bool:
    shown = (attached.get(kind) or {} for attached in post.get("attachments") or [] for kind in _VIDEO_ATTACHMENTS)
    return any((one.get("owner_id"), one.get("id")) == (video["owner_id"], video["video_id"]) for one in shown)
