import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.multipart import BadMultipart, parts

BOUNDARY = "sand"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"
# Bytes that resemble the start of a boundary are the difficult case.
DATA = st.lists(st.sampled_from([b"\r\n", b"--", b"\r\n--sand", b"sand", b"\r", b"\n", b"-", b"x" * 9])).map(b"".join)


class Trickle(io.BytesIO):
    """Returns a few bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__(data)
        self.step = step

    def read(self, size: int = -1) -> bytes:
        return super().read(self.step)


def encode(fields: list[tuple[str, bytes]]) -> bytes:
    body = b""
    for name, data in fields:
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + data + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


@given(
    st.lists(st.tuples(st.sampled_from(["a", "имя"]), DATA.filter(lambda data: b"\r\n--sand" not in data + b"\r\n"))),
    st.integers(1, 40),
)
def test_encoded_parts_are_parsed_unchanged(fields, step):
    stream = Trickle(encode(fields), step)
    assert [(part.name, part.bytes()) for part in parts(stream, TYPE)] == fields
    assert stream.read() == b""


def test_unread_parts_are_skipped():
    assert [part.name for part in parts(io.BytesIO(encode([("a", b"1"), ("b", b"2")])), TYPE)] == ["a", "b"]


def test_files_have_names_and_types():
    body = b'--sand\r\nContent-Disposition: form-data; name="video"; filename="\xd0\xba.mp4"\r\n'
    body += b"content-type: video/mp4\r\n\r\nxyz\r\n--sand--"
    [(name, filename, kind)] = [(one.name, one.filename, one.content_type) for one in parts(io.BytesIO(body), TYPE)]
    assert (name, filename, kind) == ("video", "к.mp4", "video/mp4")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (encode([("a", b"1")]), "multipart/form-data"),
        (encode([("a", b"1")]), "text/plain; boundary=sand"),
        (encode([("a", b"1")])[:-10], TYPE),
        (b"", TYPE),
        (b"--sand\r\nContent-Type: text/plain\r\n\r\nx\r\n--sand--", TYPE),
        (b"--sand?\r\n\r\nx\r\n--sand--", TYPE),
        (b"--sand\r\n" + b"x" * 20_000 + b"\r\n\r\n\r\n--sand--", TYPE),
        (encode([("a", bytes(2_000_000))]), TYPE),
    ],
    ids=[
        "no boundary",
        "other type",
        "cut off",
        "empty",
        "no name",
        "odd boundary",
        "long head",
        "long field",
    ],
)
def test_invalid_multipart_is_refused(body, content_type):
    with pytest.raises(BadMultipart):
        for part in parts(io.BytesIO(body), content_type):
            part.text()
