"""Refusals of a request itself, whoever it is for."""

from app.problems import Problem

RETRY_SECONDS = 5


class Refusal(Problem):
    """With the status of HTTP that says what kind it is."""

    def __init__(self, code: str, status: int, **params: object) -> None:
        super().__init__(code, **params)
        self.status = status


class Busy(Refusal):
    """Too much at once, of one user (429) or of all (503): a program tries again by itself."""
