"""Makes a rendition by FFmpeg's libraries in a child process with limits: see `probe`, for the same reasons."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from app.media.recipes.recipe import Recipe, RecipeFailed

_CHILD = f"""
import sys
sys.path.append({str(Path(__file__).parents[2])!r})
from app.media.recipe_child import main
main(*sys.argv[1:])
"""
# No progress for so long: it hangs.
STALL_SECONDS = 300.0
# How often the caller is asked whether to go on.
_TURN_SECONDS = 2.0
# Raised inside FFmpeg by what it reads: the same file would do it again.
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGSYS}


class RecipeCrashed(Exception):
    """The child ended without a word. Trying again may help."""


def make(source: Path, target: Path, recipe: Recipe, most_bytes: int, progress: Callable[[float], None]) -> None:
    """Writes the rendition to `target`, at most `most_bytes`. Raises RecipeFailed or RecipeCrashed.

    `progress` is called every few seconds at least, with 0 to 1; what it raises ends the child.
    """
    target.touch(mode=0o600)
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            [sys.executable, "-I", "-c", _CHILD]
            + [str(source), str(target), recipe.to_json(), str(os.getpid()), str(most_bytes)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            # Threads share two arenas: with one each they would reserve more than they may.
            env={"MALLOC_ARENA_MAX": "2"}
            | {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
            process_group=0,
        )
        try:
            said = _follow(child.stdout, progress)
            child.wait(STALL_SECONDS)
        except subprocess.TimeoutExpired:
            raise RecipeCrashed("the child does not end") from None
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            child.stdout.close()
        errors.seek(0)
        _check(child.returncode, said, errors.read()[-500:].decode(errors="replace"))


def _follow(output: IO[bytes], progress: Callable[[float], None]) -> dict[str, str] | None:
    """The child's last word; None where it ended without one."""
    part, moved = 0.0, time.monotonic()
    for line in _lines(output):
        if line.startswith(b"{"):
            return json.loads(line)
        if line:
            part, moved = float(line), time.monotonic()
        elif time.monotonic() - moved > STALL_SECONDS:
            raise RecipeCrashed(f"no progress for {STALL_SECONDS:.0f} s at {part:.0%}")
        progress(part)
    return None


def _lines(output: IO[bytes]) -> Iterator[bytes]:
    """As they come; an empty one each time that nothing came for a while."""
    rest = b""
    while True:
        if not select.select([output], [], [], _TURN_SECONDS)[0]:
            yield b""
            continue
        block = os.read(output.fileno(), 4096)
        if not block:
            return
        *lines, rest = (rest + block).split(b"\n")
        yield from lines


def _check(code: int, said: dict[str, str] | None, errors: str) -> None:
    if code == -signal.SIGXCPU:
        raise RecipeFailed("recipe_too_heavy", "out of processor time")
    if -code in _CRASHES:
        raise RecipeFailed("recipe_unreadable", f"signal {-code}")
    if said is None or code != 0:
        # A library that finds no memory may end the process instead of telling.
        if "MemoryError" in errors or "Cannot allocate memory" in errors:
            raise RecipeFailed("recipe_too_heavy", errors)
        raise RecipeCrashed(f"exit {code}: {errors}")
    if said:
        raise RecipeFailed(said["reason"], said["detail"])
