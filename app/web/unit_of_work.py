"""Each request is one unit of work: what its view has changed is committed once, when the view returns.

A response is streamed after that. What a view raises, and a commit that fails, reach the error handlers uncommitted.
"""

from flask import Flask
from flask.typing import ResponseReturnValue

from app.db import commit, reads_only


class UnitOfWork(Flask):
    """A view that catches a Problem rolls back: `responses.blame` and `responses.refused` do."""

    def dispatch_request(self) -> ResponseReturnValue:
        response = self.make_response(super().dispatch_request())
        if not reads_only.get():
            commit()
        return response
