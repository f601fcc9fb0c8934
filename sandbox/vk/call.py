"""A method call: the token and the parameters, parsed as strictly as VK does."""

import re
from dataclasses import dataclass
from typing import NoReturn

from sandbox.state import Token
from sandbox.vk.errors import ApiError


@dataclass(frozen=True)
class Call:
    token: Token
    params: dict[str, str]

    @property
    def owner(self) -> int:
        """Returns the caller: a user, or a community as a negative number."""
        return int(self.token.account)

    def text(self, name: str, limit: int | None = None) -> str:
        """Returns a parameter; empty if it is missing."""
        text = self.params.get(name, "")
        if limit is not None and len(text) > limit:
            raise_invalid(f"{name} should be less or equal to {limit} letters")
        return text

    def number(self, name: str, default: int | None = None) -> int:
        """Returns an integer parameter. Raises ApiError if it is invalid, or missing without a default."""
        text = self.params.get(name, "")
        if not text and default is not None:
            return default
        if not re.fullmatch(r"-?\d{1,18}", text):
            raise_invalid(f"{name} is undefined" if not text else f"{name} not integer")
        return int(text)

    def flag(self, name: str) -> bool:
        """Returns a parameter of 0 or 1; True and False are accepted because vk_api sends them."""
        text = self.params.get(name, "").lower()
        if text not in ("", "0", "1", "false", "true"):
            raise_invalid(f"{name} should be 0 or 1")
        return text in ("1", "true")


def raise_invalid(problem: str) -> NoReturn:
    raise ApiError(100, problem)
