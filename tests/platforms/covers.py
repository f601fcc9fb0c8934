"""A clip's cover, chosen and made before the clip is sent."""

import hashlib

from app.services import covers
from app.storage import storage
from tests import pictures
from tests.edges import committed


def choose(owner, clip, at_ms: int) -> None:
    committed(covers.choose_moment(owner, clip.id, at_ms))
    pictures.make_all()


def sent(key: str) -> str:
    """The hash that an emulator shows of it."""
    with storage().open(key) as file:
        return hashlib.sha256(file.read()).hexdigest()
