"""What pages and the HTTP API have in common: requests as units of work, large bodies, files, resumable uploads."""

from flask import request

API = "/api/"


def is_api() -> bool:
    """Whether the request is for the HTTP API, which knows keys and no sessions."""
    return request.path.startswith(API)
