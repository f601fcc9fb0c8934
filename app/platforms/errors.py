"""What a platform's response means here: the type of an error decides what happens next."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from app import clock
from app.platforms.foreign_text import clean, clean_inside

# Bounds of the wait that a platform asks for: it may be a mistake, or our clock may be wrong.
SHORTEST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(hours=1)


class PlatformError(Exception):
    """`reason` is a key of the reasons' texts, which `params` fill; `detail` is the platform's message, or
    our own: Russian that begins with a small letter, so that it is not shown as the platform's. Never a name out of our
    code. Both are stored and shown: they are cleaned here, of secrets too.

    `definitely_not_applied`: the call that raised it published nothing, so a commit that was begun for it is void.
    """

    def __init__(self, reason: str, detail: str = "", *, definitely_not_applied: bool = True, **params: str) -> None:
        detail = clean(detail)
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.definitely_not_applied = definitely_not_applied
        self.params = {name: clean(param) for name, param in params.items()}


class Refused(PlatformError):
    """Final until the user changes something."""


class Rejected(Refused):
    """The platform has checked what it took and will not show it: certain, even after a commit."""


class Reconnect(PlatformError):
    """The token is no longer good: the account has to be connected again."""

    def __init__(self, detail: str = "") -> None:
        super().__init__("reconnect", detail)


class TokenExpired(PlatformError):
    """A refresh may mend it."""

    def __init__(self, detail: str = "") -> None:
        super().__init__("reconnect", detail)


class RateLimited(PlatformError):
    """Not before `until` (UTC), which is brought between SHORTEST_WAIT and LONGEST_WAIT from now.

    `definitely_not_applied=False`: the response is not the platform's own, so the call may have been done.
    """

    def __init__(self, until: datetime, detail: str = "", *, definitely_not_applied: bool = True) -> None:
        super().__init__("rate_limited", detail, definitely_not_applied=definitely_not_applied)
        now = clock.now()
        self.until = min(max(until, now + SHORTEST_WAIT), now + LONGEST_WAIT)


class QuotaSpent(PlatformError):
    """The platform takes no more of this installation today; it does again from `until` (UTC) on."""

    def __init__(self, until: datetime, detail: str = "") -> None:
        super().__init__("quota_spent", detail)
        self.until = until


class Paced(RateLimited):
    """It is this application that waits; the platform was not asked."""


class OwnOutage(PlatformError):
    """Something of ours is away (the clip storage, the database): the tries meant for the platform stay."""


class Stale(PlatformError):
    """What earlier steps made there is no longer good: begin again, as a failed try. Only before a commit."""


class UploadRefused(Stale):
    """An upload's address has not taken the file: the address, the file or the platform may be at fault."""


class Undone(Stale):
    """The platform took it all and says for certain that nothing came of it: begin again, even after a commit."""


class AccountMoved(PlatformError):
    """The platform knows the account under other facts now; with them the same call will do.

    `url`: the account's new address, where that has changed. What was published there is at `url`/<its id>.
    """

    def __init__(self, facts: Mapping[str, Any], url: str | None = None) -> None:
        super().__init__("account_moved")
        self.facts = clean_inside(facts)
        self.url = url and clean(url)


class Unavailable(PlatformError):
    """Worth a retry. The platform may have received the request and done it, unless `definitely_not_applied`."""

    def __init__(self, detail: str = "", *, definitely_not_applied: bool = False, reason: str = "unavailable") -> None:
        super().__init__(reason, detail, definitely_not_applied=definitely_not_applied)


class NotTaken(Unavailable):
    """The file was sent and not taken: the file or the platform may be at fault."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, definitely_not_applied=True)


class Untrusted(Unavailable):
    """The certificate of the platform's host could not be verified: nothing was sent. Mostly a root is missing here,
    which the operator mends, so that asking again within moments is of no use.
    """

    def __init__(self) -> None:
        super().__init__(
            "сертификат площадки не удалось проверить", definitely_not_applied=True, reason="untrusted_certificate"
        )


class Incident(Unavailable):
    """The platform refuses what it should take, from everybody: nothing of the clip or the account is at fault. It may
    last for days, so it is tried again after long pauses, and no try is used.
    """

    def __init__(self, detail: str = "", *, reason: str) -> None:
        super().__init__(detail, definitely_not_applied=True, reason=reason)


class OutcomeUnknown(PlatformError):
    """The clip may be there or not, and the platform cannot be asked."""

    def __init__(self, detail: str = "") -> None:
        super().__init__("unknown", detail, definitely_not_applied=False)
