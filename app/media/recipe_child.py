"""The child that makes a rendition: reads the clip, writes one file, says on stdout how far it is.

`recipe_process` starts it in a process of its own. Each line is a number from 0 to 1; the last one is JSON: `{}`, or
the reason why nothing was made.
"""

import json
import os
import resource
import sys
from pathlib import Path

from app.media.recipes.recipe import Recipe, RecipeFailed
from app.process import landlock, syscall_filter
from app.process.lifetime import die_with_parent, write_no_core_files

NICENESS = 10
# What it may take beyond the loaded libraries. Packets are copied in a few MB; 4K with 10 bits is decoded by some
# threads and encoded by others, each of which holds pictures.
COPY_MEMORY_BYTES = 256 << 20
ENCODE_MEMORY_BYTES = 2 << 30
# Of all processors together: twelve hours of video take less.
CPU_SECONDS = 8 * 3600


def main(source: str, target: str, recipe_json: str, parent: str, most_bytes: str) -> None:
    die_with_parent(int(parent))
    recipe = Recipe.from_json(recipe_json)
    _load(recipe)
    limit_this_process(Path(source), Path(target), int(most_bytes), is_copy=recipe.video is None)
    from app.media.recipes.make import make

    ended = {}
    try:
        make(Path(source), Path(target), recipe, lambda part: _say(f"{part:.3f}"))
    except RecipeFailed as failed:
        ended = {"reason": failed.reason, "detail": failed.detail[:300]}
    _say(json.dumps(ended))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _load(recipe: Recipe) -> None:
    """Before the limits: the libraries do not count."""
    import av  # noqa: F401

    from app.media.recipes import make, remux, silence  # noqa: F401

    if recipe.video is not None:
        from app.media.recipes import encode  # noqa: F401


def limit_this_process(source: Path, target: Path, most_bytes: int, *, is_copy: bool) -> None:
    """As the probe's child, but that it may write the one file, up to `most_bytes`, and start threads."""
    loaded = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    memory = COPY_MEMORY_BYTES if is_copy else ENCODE_MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (loaded + memory,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes,) * 2)
    write_no_core_files()
    os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), NICENESS))
    sys.dont_write_bytecode = True
    app = Path(__file__).parents[1]
    libraries = {Path(sys.modules[name].__file__).parent for name in ("os", "av")}
    landlock.read_only([source, app, *libraries], but=target)
    syscall_filter.compute_only(makes_files=True)
