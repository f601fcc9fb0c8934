"""What a thief with a look at a process's memory finds in it (Linux: proc(5), /proc/PID/mem)."""

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path

_BLOCK = 8 << 20


def processes_below(pid: int) -> Iterator[int]:
    """`pid` and all that it and its children have started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*"):
        for child in (task / "children").read_text().split():
            yield from processes_below(int(child))


def name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def find(pid: int, secrets: Iterable[bytes]) -> dict[bytes, int]:
    """How often each secret stands in the writable memory of the process; those that do not are left out.

    Nothing once the process has ended.
    """
    found: dict[bytes, int] = {}
    secrets = list(secrets)
    overlap = max(map(len, secrets)) - 1
    try:
        areas = Path(f"/proc/{pid}/maps").read_text().splitlines()
        file = Path(f"/proc/{pid}/mem").open("rb", buffering=0)  # noqa: SIM115 - below
    except (FileNotFoundError, ProcessLookupError):
        return {}
    with file as memory:
        for line in areas:
            area, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in area.split("-"))
            tail = b""
            while start < end:
                try:
                    memory.seek(start)
                    block = memory.read(min(_BLOCK, end - start))
                except (OSError, ValueError):
                    break  # the kernel's own, or given back meanwhile
                if not block:
                    break
                joined = tail + block
                for secret in secrets:
                    count = joined.count(secret)
                    if count:
                        found[secret] = found.get(secret, 0) + count
                start, tail = start + len(block), block[-overlap:]
    return found


def holds(pid: int, private_key: str) -> bool:
    """Whether the key stands in the process's environment or anywhere in its memory, as text or as its bytes.

    Raises PermissionError where it cannot be read: only root reads a process that is not dumpable.
    """
    text = private_key.encode()
    return text in Path(f"/proc/{pid}/environ").read_bytes() or bool(find(pid, [text, base64.b64decode(text)]))
