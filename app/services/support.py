"""What an operator can do for a user, by a publication's number."""

from app.db import db
from app.models import Publication, User
from app.problems import NotFound
from app.services import publications, retries


def find(publication_id: int) -> Publication:
    """A publication of any user. Raises NotFound."""
    publication = db.session.get(Publication, publication_id)
    if publication is None:
        raise NotFound
    return publication


def owner(publication: Publication) -> User:
    return db.session.get(User, publication.user_id)


def retry(publication_id: int) -> Publication:
    """As its user would. Raises NotFound, Problem."""
    return retries.retry(owner(find(publication_id)), publication_id)


def cancel(publication_id: int) -> Publication:
    """As its user would: not once the platform may have the clip. Raises NotFound, Problem."""
    return publications.cancel(owner(find(publication_id)), publication_id)
