"""What gunicorn serves while tus is measured: the application, and beside it an endpoint that only writes a file."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import wsgi

BARE = "/bench/bare"
BLOCK = 1 << 20


def application(environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
    if environ["PATH_INFO"] != BARE:
        return wsgi.app(environ, start_response)
    left = int(environ["CONTENT_LENGTH"])
    with Path(os.environ["VAR_DIR"], "bare").open("ab", buffering=0) as file:
        while left and (block := environ["wsgi.input"].read(min(BLOCK, left))):
            file.write(block)
            left -= len(block)
    start_response("204 No Content", [])
    return []
