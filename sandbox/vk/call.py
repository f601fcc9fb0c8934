"""A method's call: the token and the parameters, as strict as VK reads them."""

import re
from dataclasses import dataclass
from typing import NoReturn

from sandbox.state import Token
from sandbox.vk.errors import Refusal


@dataclass(frozen=True)
class Call:
    token: Token
    params: dict[str, str]

    @property
    def owner(self) -> int:
        """Who calls: a user, or with a negative number a community."""
        return int(self.token.account)

    def text(self, name: str, limit: int | None = None) -> str:
        """Empty where it is not given."""
        text = self.params.get(name, "")
        if limit is not None and len(text) > limit:
            wrong(f"{name} should be less or equal to {limit} letters")
        return text

    def number(self, name: str, default: int | None = None) -> int:
        """Raises Refusal where there is neither a number nor a default."""
        text = self.params.get(name, "")
        if not text and default is not None:
            return default
        if not re.fullmatch(r"-?\d{1,18}", text):
            wrong(f"{name} is undefined" if not text else f"{name} not integer")
        return int(text)

    def flag(self, name: str) -> bool:
        """0 or 1; vk_api's users say True and False."""
        text = self.params.get(name, "").lower()
        if text not in ("", "0", "1", "false", "true"):
            wrong(f"{name} should be 0 or 1")
        return text in ("1", "true")


def wrong(why: str) -> NoReturn:
    raise Refusal(100, why)
