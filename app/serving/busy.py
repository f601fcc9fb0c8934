"""Refusals that pass by themselves."""

from app.problems import Problem

RETRY_SECONDS = 5


class Busy(Problem):
    """Too much at once, of one user (429) or of all (503): a program tries again by itself."""

    def __init__(self, code: str, status: int, **params: object) -> None:
        super().__init__(code, **params)
        self.status = status
