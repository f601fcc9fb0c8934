from collections.abc import Callable

import pytest
from flask import Flask

from app.models import Scope, User
from app.services import api_keys
from tests.api.client import Program
from tests.edges import committed


@pytest.fixture
def program(app: Flask) -> Callable[..., Program]:
    """A program with a new key of the user's: `program(user, Scope.READ)`."""

    def make(user: User, scope: str = Scope.WRITE, days: int | None = None) -> Program:
        return Program(app, committed(api_keys.create(user, "Ферма", scope, days)).secret)

    return make


@pytest.fixture
def api(program: Callable[..., Program], owner: User) -> Program:
    """A program of `owner` that may write."""
    return program(owner)
