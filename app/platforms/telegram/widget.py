"""The page `t.me/<channel>/<post>?embed=1`: the one place where a public channel's numbers are shown.

Read strictly: what is not clearly a number is unknown, never 0.
"""

import re
from html.parser import HTMLParser

from app.platforms.base import Stats
from app.platforms.errors import Unavailable

# The page of a post is a tenth of it.
MAX_BYTES = 256 << 10

_COUNT = re.compile(r"(\d{1,18})(?:\.(\d{1,6}))?([KM]?)", re.ASCII)
_FACTOR = {"": 1, "K": 1_000, "M": 1_000_000}
# https://html.spec.whatwg.org/#void-elements: they have no end tag.
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

_MESSAGE = "tgme_widget_message"
_VIEWS = "tgme_widget_message_views"
_REACTION = "tgme_reaction"
_GONE = "tgme_widget_message_error"


def read(html: str, post: str) -> Stats | None:
    """The counts of `post` («name/12»); None where there is no such post. Raises Unavailable for any other page."""
    page = _Page()
    page.feed(html)
    page.close()
    if page.post is None and page.gone:
        return None
    if page.post is None or page.post.lower() != post.lower():
        raise Unavailable("не похоже на виджет t.me")
    reactions = [count(text) for text in page.texts[_REACTION]]
    return Stats.of(
        views=count("".join(page.texts[_VIEWS])),
        likes=sum(reactions) if reactions and None not in reactions else None,
    )


def count(text: str) -> int | None:
    """«999», «1.2K», «3M» as a number."""
    match = _COUNT.fullmatch(text.strip())
    if match is None:
        return None
    whole, part, letter = match[1], match[2] or "", match[3]
    factor = _FACTOR[letter]
    if 10 ** len(part) > factor:
        return None
    return int(whole) * factor + int(part or 0) * factor // 10 ** len(part)


class _Page(HTMLParser):
    """Collects the post's name and the own text of each element that shows a count, without that of its children."""

    def __init__(self) -> None:
        super().__init__()
        self.post: str | None = None
        self.gone = False
        self.texts: dict[str, list[str]] = {_VIEWS: [], _REACTION: []}
        self._inside: str | None = None
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._inside:
            self._depth += tag not in _VOID
            return
        attributes = dict(attrs)
        classes = (attributes.get("class") or "").split()
        if _MESSAGE in classes and attributes.get("data-post"):
            self.post = attributes["data-post"]
        self.gone = self.gone or _GONE in classes
        self._inside = next((name for name in self.texts if name in classes), None)
        if self._inside:
            self._depth = 1
            self.texts[self._inside].append("")

    def handle_endtag(self, tag: str) -> None:
        if self._inside and tag not in _VOID:
            self._depth -= 1
            if self._depth == 0:
                self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside and self._depth == 1:
            self.texts[self._inside][-1] += data
