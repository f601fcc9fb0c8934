"""The signed link by which a platform fetches a clip: one file, one publication, for a while, and not once it settled.

Never a bucket's presigned link: that could not be ended, and would not show what has been fetched.
"""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from flask import current_app
from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer
from sqlalchemy import select, update
from sqlalchemy.orm import joinedload

from app.db import db, durable, reading, transaction
from app.media import containers
from app.models import Clip, Publication, Rendition, Status

log = structlog.get_logger(__name__)

MAX_AGE_SECONDS = 24 * 3600
_EXTENSION = re.compile(rf"({'|'.join(map(re.escape, containers.SUFFIXES))})$")


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="platform-fetches-clip")


def signed_link(publication: Publication, nonce: str = "") -> str:
    signed = _signer().dumps([publication.id, publication.clip_id, nonce])
    return f"{current_app.config['PUBLIC_URL']}/fetch/{signed}{publication.file.extension}"


@dataclass(frozen=True)
class Fetch:
    """What a link is for: the publication, the file that it sends, and which of the publication's links it is."""

    publication_id: int
    file: Clip | Rendition
    nonce: str


def opened(signed: str) -> Fetch | None:
    """None unless the publication is under way. The link ends with the file's extension."""
    try:
        publication_id, clip_id, *nonce = _signer().loads(_EXTENSION.sub("", signed), max_age=MAX_AGE_SECONDS)
    except SignatureExpired:
        return None
    except (BadSignature, ValueError):
        log.warning("a forged link", refusal="forged_link", to="fetch")
        return None
    publication = db.session.scalars(
        select(Publication)
        .filter_by(id=publication_id, clip_id=clip_id, status=Status.PUBLISHING)
        .options(joinedload(Publication.clip), joinedload(Publication.rendition))
    ).first()
    return Fetch(publication.id, publication.file, "".join(nonce)) if publication else None


# What has been fetched: a platform may take the file in several ranges, out of order, by several connections.


@durable
def new_link(publication: Publication) -> str:
    """A link by which nothing has been fetched yet."""
    nonce = secrets.token_hex(4)
    nothing = {"link": nonce, "ranges": []}
    db.session.execute(update(Publication).where(Publication.id == publication.id).values(fetched=nothing))
    return signed_link(publication, nonce)


def is_fetched(publication: Publication) -> bool:
    """Whether every byte of the file has been handed out by the newest link."""
    with reading():
        fetched = db.session.scalar(select(Publication.fetched).where(Publication.id == publication.id))
    return bool(fetched) and fetched["ranges"] == [[0, publication.file.size]]


def record(fetch: Fetch, start: int, end: int) -> None:
    """Bytes from `start` up to `end` have been handed out by this link."""
    with transaction():
        row = db.session.get(Publication, fetch.publication_id, with_for_update=True)
        if row and row.fetched and row.fetched["link"] == fetch.nonce:
            row.fetched = {"link": fetch.nonce, "ranges": _merged([*row.fetched["ranges"], [start, end]])}


def _merged(ranges: Iterable[list[int]]) -> list[list[int]]:
    merged: list[list[int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return merged
