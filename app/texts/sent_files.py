"""Russian for which file of a clip goes to a platform."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.media.recipes.plan import Change

# What is different in a copy that loses nothing, by `Change.kind`.
_LOSSLESS = {
    "container": "файл переложен в MP4",
    "index": "видео показывается, пока загружается",
    "silence": "добавлена беззвучная дорожка",
}


def sent(changes: Iterable["Change"], *, is_lossless: bool, is_over: bool) -> str:
    """One line at the publication: «Отправили копию без потерь: файл переложен в MP4»."""
    verb = "Отправили" if is_over else "Отправим"
    if not is_lossless:
        return f"{verb} файл, который подготовили по вашему выбору"
    parts = [_LOSSLESS[change.kind] for change in changes if change.kind in _LOSSLESS]
    return f"{verb} копию без потерь: {', '.join(parts)}" if parts else f"{verb} копию без потерь"
