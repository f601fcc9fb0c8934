"""Why a command does not succeed, and with which exit code it says so. Messages are Russian, for the terminal."""

from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    OK = 0
    REFUSED = 1  # «Везде» or a platform has refused
    USAGE = 2
    UNAUTHORIZED = 3
    UNAVAILABLE = 4  # the network, or the service for now: the same command may succeed later
    TIMED_OUT = 5  # --wait
    PARTIAL = 6  # some of several
    INTERRUPTED = 130


class ClientError(Exception):
    """`code` is the code of the API's refusal, or None; `problem` its whole body."""

    exit = Exit.REFUSED

    def __init__(self, message: str, code: str | None = None, problem: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message, self.code, self.problem = message, code, problem

    def as_dict(self) -> dict[str, Any]:
        return {**(self.problem or {}), "code": self.code, "detail": self.message}


class Refused(ClientError):
    """An answer that stays the same however often it is asked for."""

    def __init__(
        self, message: str, code: str | None = None, problem: dict[str, Any] | None = None, status: int | None = None
    ) -> None:
        super().__init__(message, code, problem)
        self.status = status


class WrongUsage(ClientError):
    exit = Exit.USAGE


class Unauthorized(ClientError):
    exit = Exit.UNAUTHORIZED


class Unavailable(ClientError):
    exit = Exit.UNAVAILABLE


class TimedOut(ClientError):
    exit = Exit.TIMED_OUT


def exit_of(errors: list[ClientError], successes: int) -> Exit:
    """Of a command that did several things."""
    if not errors:
        return Exit.OK
    kinds = {error.exit for error in errors}
    if successes or len(kinds) > 1:
        return Exit.PARTIAL
    return kinds.pop()
