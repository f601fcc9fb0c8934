"""Makes a rendition: reads the clip, writes the file that a recipe names. For a process with limits of its own.

`source` is read, `target` written and read; nothing else is touched. Memory is bounded whatever the clip's size.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.media.recipes import index
from app.media.recipes.recipe import Recipe, RecipeFailed

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def make(source: Path, target: Path, recipe: Recipe, progress: Callable[[float], None]) -> None:
    """`progress` gets growing numbers, 1 when the file is complete. Raises RecipeFailed; then `target` is empty."""
    report = _growing(progress)
    with _failures(target):
        if recipe.video is not None:
            from app.media.recipes import encode  # here and below: FFmpeg is large, and moving boxes does without

            encode.encode(source, target, recipe, report)
        elif recipe.audio in ("silent", "aac") or not index.rewrite(source, target, recipe, report):
            from app.media.recipes import remux

            remux.remux(source, target, recipe, report)
        if not target.stat().st_size:
            raise RecipeFailed("recipe_failed", "nothing was written")
        progress(1.0)


def _growing(progress: Callable[[float], None]) -> Callable[[float], None]:
    """Called for each packet: passes on what is at least a hundredth more than before, and never the end."""
    last = -1

    def report(part: float) -> None:
        nonlocal last
        if (percent := min(99, int(part * 100))) > last:
            last = percent
            progress(percent / 100)

    return report


@contextmanager
def _failures(target: Path) -> Iterator[None]:
    """Whatever goes wrong is a RecipeFailed, and leaves no file that could pass for a rendition."""
    try:
        yield
    except BaseException as error:
        _empty(target)
        if isinstance(error, RecipeFailed) or not isinstance(error, Exception):
            raise
        raise RecipeFailed(_reason(error), f"{type(error).__name__}: {error}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return "recipe_too_heavy"
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return "recipe_no_room"
    # FFmpeg's errors, without loading it where it was not needed.
    names = {one.__name__ for one in type(error).__mro__}
    if "EncoderNotFoundError" in names or "UnknownCodecError" in names:
        return "recipe_no_encoder"
    return "recipe_unreadable" if "FFmpegError" in names else "recipe_failed"


def _empty(target: Path) -> None:
    """Emptied rather than removed: the process may have been allowed to write this file and no folder."""
    if target.exists():
        with target.open("wb"):
            pass
