"""A clip's file for a platform that downloads it itself, by a signed link."""

import structlog
from flask import Blueprint, Response, abort, current_app
from sqlalchemy.exc import SQLAlchemyError

from app.publishing import fetch_links
from app.serving import file_response
from app.web.access import public

blueprint = Blueprint("fetch", __name__, url_prefix="/fetch")
blueprint.after_request(file_response.forbid_execution)

log = structlog.get_logger(__name__)


@blueprint.get("/<signed>")
@public
def fetch(signed: str) -> Response:
    """No sign-in; Range and HEAD work; 404 once the publication has settled."""
    fetch = fetch_links.opened(signed)
    if fetch is None:
        abort(404)
    file, app = fetch.file, current_app._get_current_object()

    def sent(start: int, end: int) -> None:
        """The server is done with the response, and with the request's context."""
        try:
            with app.app_context():
                fetch_links.record(fetch, start, end)
        except SQLAlchemyError as error:
            log.warning("a fetch is not recorded", publication=fetch.publication_id, error=type(error).__name__)

    return file_response.send(file.storage_key, file.content_type, file.size, sent)
