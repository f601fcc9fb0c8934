"""Requests as bytes, whole or in part."""

FORM = "application/x-www-form-urlencoded"
PIECE = "application/offset+octet-stream"


def head(method: str, path: str, headers: dict | None = None, **more: object) -> bytes:
    lines = {"Host": "localhost", **(headers or {}), **{name.replace("_", "-"): value for name, value in more.items()}}
    return "".join(
        [f"{method} {path} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in lines.items())]
    ).encode()


def whole(*arguments, **more) -> bytes:
    return head(*arguments, **more) + b"\r\n"


def body(method: str, path: str, headers: dict | None = None, length: int = 100, **more: object) -> bytes:
    return whole(method, path, headers, Content_Length=length, **{"Content_Type": FORM, **more})
