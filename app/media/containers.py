"""The containers a clip may come in: one table for the probe, the storage's links, the adapters and the pages."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Container:
    """`suffixes`: the first one is given to files that go out, the others only come in.

    `demuxer` is FFmpeg's name. Where one demuxer reads several containers, the longest of `brands` that the file's own
    brand (MP4's major brand, Matroska's document type) begins with decides; "" fits every file.
    """

    key: str
    content_type: str
    suffixes: tuple[str, ...]
    demuxer: str
    brands: tuple[str, ...] = ("",)

    @property
    def suffix(self) -> str:
        return self.suffixes[0]


# Types: https://www.iana.org/assignments/media-types/media-types.xhtml; those with x- are what browsers send.
# Brands: https://mp4ra.org/registered-types/brands
CONTAINERS = {
    container.key: container
    for container in (
        Container("mp4", "video/mp4", (".mp4", ".m4v"), "mov"),
        Container("mov", "video/quicktime", (".mov", ".qt"), "mov", ("qt",)),
        Container("3gp", "video/3gpp", (".3gp", ".3gpp"), "mov", ("3g",)),
        Container("3g2", "video/3gpp2", (".3g2", ".3gp2"), "mov", ("3g2",)),
        Container("mkv", "video/x-matroska", (".mkv",), "matroska"),
        Container("webm", "video/webm", (".webm",), "matroska", ("webm",)),
        Container("avi", "video/x-msvideo", (".avi",), "avi"),
        Container("ts", "video/mp2t", (".ts", ".m2ts", ".mts"), "mpegts"),
    )
}
# How files begin, by demuxer: one of the signatures, of which each (offset, bytes) must be there. What a browser checks
# before it sends anything; the probe looks closer.
SIGNATURES: dict[str, tuple[tuple[tuple[int, bytes], ...], ...]] = {
    # Files of before `ftyp` begin with another box.
    "mov": tuple(((4, box),) for box in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")),
    "matroska": (((0, b"\x1a\x45\xdf\xa3"),),),
    "avi": (((0, b"RIFF"), (8, b"AVI ")),),
    # Packets of 188 bytes, or of 192 with a time stamp before each.
    "mpegts": tuple(tuple((start + n * size, b"G") for n in range(3)) for start, size in ((0, 188), (4, 192))),
}
SIGNATURE_BYTES = max(
    offset + len(expected) for some in SIGNATURES.values() for signature in some for offset, expected in signature
)
SUFFIXES = tuple(suffix for container in CONTAINERS.values() for suffix in container.suffixes)
DEMUXERS = tuple(dict.fromkeys(container.demuxer for container in CONTAINERS.values()))
# For `<input type="file">`: operating systems have no type for some of the suffixes.
ACCEPT = ",".join(("video/*", *SUFFIXES))


def recognize(demuxer: str, brand: str) -> Container:
    """The container of a file that `demuxer` reads and whose brand is `brand`."""
    fitting = {
        prefix: container
        for container in CONTAINERS.values()
        if container.demuxer == demuxer
        for prefix in container.brands
        if brand.startswith(prefix)
    }
    return fitting[max(fitting, key=len)]


def begins_as_video(head: bytes) -> bool:
    """Whether a file may be one of these, by its first SIGNATURE_BYTES."""
    return any(
        all(head[offset : offset + len(expected)] == expected for offset, expected in signature)
        for some in SIGNATURES.values()
        for signature in some
    )


def suffix(content_type: str | None) -> str:
    """The suffix for a file of that type, with its dot; empty for a type that is not in the table."""
    return next((one.suffix for one in CONTAINERS.values() if one.content_type == content_type), "")


def signatures() -> list[list[tuple[int, str]]]:
    """SIGNATURES for a script: the bytes in hexadecimal."""
    return [
        [(offset, expected.hex()) for offset, expected in signature]
        for demuxer in DEMUXERS
        for signature in SIGNATURES[demuxer]
    ]
