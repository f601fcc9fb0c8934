"""What another process of this machine finds in one: its environment and its memory."""

import base64
from contextlib import suppress
from pathlib import Path


def holds(pid: int, private_key: str) -> bool:
    """Whether the key stands in the process's environment or anywhere in its memory, as text or as its bytes.

    Raises PermissionError where it cannot be read: only root reads a process that is not dumpable.
    """
    needles = private_key.encode(), base64.b64decode(private_key)
    if needles[0] in Path(f"/proc/{pid}/environ").read_bytes():
        return True
    places = [line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for span, rights, *_ in places:
            start, end = (int(part, 16) for part in span.split("-"))
            if rights.startswith("r") and start < 1 << 63:
                with suppress(OSError):  # the kernel's own pages
                    memory.seek(start)
                    content = memory.read(end - start)
                    if any(needle in content for needle in needles):
                        return True
    return False
