"""The WSGI application of the tus bench: ours, and an endpoint that only writes a file."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import wsgi

BASELINE = "/bench/baseline"


def application(environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
    if environ["PATH_INFO"] != BASELINE:
        return wsgi.app(environ, start_response)
    block = int(environ["QUERY_STRING"] or shutil.COPY_BUFSIZE)
    with Path(os.environ["VAR_DIR"], "baseline").open("ab", buffering=0) as file:
        shutil.copyfileobj(environ["wsgi.input"], file, block)
    start_response("204 No Content", [])
    return []
