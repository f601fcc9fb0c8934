"""Each request is one unit of work: what its view has changed is committed once, when the view returns.

A response is streamed after that. What a view raises, and a commit that fails, reach the error handlers uncommitted.
"""

from collections.abc import Callable

from flask import Flask, Response
from flask.typing import ResponseReturnValue

from app.db import commit, reads_only
from app.serving import is_api


class UnitOfWork(Flask):
    """A view that catches a Problem rolls back: `responses.blame` and `responses.refused` do.

    `api_error` makes the response of whatever is raised on the way of an API request, also where no route was found;
    pages have the handlers that are registered for them.
    """

    api_error: Callable[[Exception], Response] | None = None

    def dispatch_request(self) -> ResponseReturnValue:
        response = self.make_response(super().dispatch_request())
        if not reads_only.get():
            commit()
        return response

    def handle_user_exception(self, error: Exception) -> ResponseReturnValue:
        return self.api_error(error) if self.api_error and is_api() else super().handle_user_exception(error)

    def handle_exception(self, error: Exception) -> Response:
        """What is raised after the view, by a hook."""
        return self.api_error(error) if self.api_error and is_api() else super().handle_exception(error)
