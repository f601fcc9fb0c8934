"""The signed link by which a platform fetches a clip: one file, one publication, for a while, and not once it settled.

Never a bucket's presigned link: that could not be ended.
"""

import re

from flask import current_app
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app import containers
from app.extensions import db
from app.models import Clip, Publication, Status

MAX_AGE_SECONDS = 24 * 3600
_EXTENSION = re.compile(rf"({'|'.join(map(re.escape, containers.SUFFIXES))})$")


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="platform-fetches-clip")


def signed_link(publication: Publication) -> str:
    signed = _signer().dumps([publication.id, publication.clip_id])
    return f"{current_app.config['PUBLIC_URL']}/fetch/{signed}{publication.clip.extension}"


def clip_for(signed: str) -> Clip | None:
    """The clip that the link is for, while its publication is under way. The link ends with the file's extension."""
    try:
        publication_id, clip_id = _signer().loads(_EXTENSION.sub("", signed), max_age=MAX_AGE_SECONDS)
    except (BadSignature, ValueError):
        return None
    publication = db.session.scalars(
        select(Publication)
        .where(
            Publication.id == publication_id,
            Publication.clip_id == clip_id,
            Publication.status == Status.PUBLISHING,
        )
        .options(joinedload(Publication.clip))
    ).first()
    return publication.clip if publication else None
