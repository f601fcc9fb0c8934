"""Where an MP4's boxes lie, which FFmpeg does not tell. ISO/IEC 14496-12, 4.2: a size, a name, then the content."""

from pathlib import Path

# A file in fragments has two boxes for each: the answer is there long before.
_MOST_BOXES = 10_000


def layout(path: Path) -> tuple[bool | None, bool]:
    """Whether the index (`moov`) lies before the media, None where one of them is not there; whether the file is in
    fragments.
    """
    first: dict[bytes, int] = {}
    with path.open("rb") as file:
        end, position = file.seek(0, 2), 0
        for _ in range(_MOST_BOXES):
            file.seek(position)
            head = file.read(16)
            if len(head) < 8:
                break
            first.setdefault(head[4:8], position)
            size = int.from_bytes(head[:4])
            if size == 1:
                size = int.from_bytes(head[8:16])
            elif size == 0:  # up to the end of the file
                size = end - position
            if size < 8 or {b"moof", b"mdat", b"moov"} <= first.keys():
                break
            position += size
    moov, mdat = first.get(b"moov"), first.get(b"mdat")
    in_front = None if moov is None or mdat is None else moov < mdat
    return in_front, b"moof" in first
