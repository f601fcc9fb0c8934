"""Idempotency-Key: a POST that comes twice is done once, and answered twice alike."""

import hashlib
import json
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, request

from app.api.access import current_user
from app.api.errors import ApiProblem
from app.models import IdempotentRequest
from app.services import idempotency

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
_KEY = re.compile("[!-~]([ -~]{0,253}[!-~])?")
_KEPT_HEADERS = ("Content-Type", "Location")


def key_of_request() -> str | None:
    """No parameter of the specification: a program that tries values would try the same key with other bodies, which is
    refused by its nature. What is said of it stands in the description.
    """
    key = request.headers.get(HEADER)
    if key is not None and not _KEY.fullmatch(key):
        raise ApiProblem("idempotency_key_malformed", 422, field=HEADER)
    return key


def replayable(view: Callable[..., Response]) -> Callable[..., Response]:
    """The answer is stored in the transaction of the change, which `UnitOfWork` commits. Refusals roll it back and are
    not stored: a request that was refused is looked at anew.
    """

    @wraps(view)
    def once(**values: Any) -> Response:
        key = key_of_request()
        if key is None:
            return view(**values)
        fingerprint = fingerprint_of(request.get_data(cache=True))
        if earlier := find(key, fingerprint):
            return answer_again(earlier)
        response = view(**values)
        if response.status_code < 300:
            store(key, fingerprint, response)
        return response

    return once


def fingerprint_of(body: bytes) -> str:
    """Of all that makes the request what it is. Of a large file `body` is what is declared of it."""
    asked = (request.method, request.full_path, request.mimetype, hashlib.sha256(body).hexdigest())
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def find(key: str, fingerprint: str) -> IdempotentRequest | None:
    try:
        return idempotency.find(current_user(), key, fingerprint)
    except idempotency.UnderWay:
        raise under_way() from None


def under_way() -> ApiProblem:
    return ApiProblem("idempotency_under_way", 409, {"Retry-After": "1"})


def answer_again(earlier: IdempotentRequest) -> Response:
    response = Response(idempotency.body_of(earlier), earlier.http_status)
    response.headers.update(earlier.headers)
    response.headers[REPLAYED] = "true"
    return response


def store(key: str, fingerprint: str, response: Response) -> None:
    kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    body = response.get_data(as_text=True)
    idempotency.finish(current_user(), key, fingerprint, response.status_code, kept, body)
