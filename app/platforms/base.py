"""What every adapter is made of. Knows nothing of Flask, the database or RQ: tokens and pacing are handed in.

An adapter declares as class data what is common, and its methods hold only what is peculiar. All of them are called
with the token in hand and answer frozen dataclasses or raise `app.platforms.errors`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, ClassVar, Protocol

from app.config import Setting
from app.observability import redact
from app.platforms.errors import PlatformError, Reconnect, Unavailable
from app.platforms.http.client import Http


@dataclass(frozen=True)
class Token:
    """Secrets of one connection; never logged (no repr, and known to the log's redaction), stored only sealed."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        redact.hide(self.access, self.refresh, *self.extra.values())


@dataclass(frozen=True)
class Account:
    """Where clips go: a profile, a community, a channel. `facts` is what the adapter needs and anybody may read.

    `formerly`: the id that the same account had while the platform did not tell its real one. `limitation`: a key of
    the reasons' texts that says what cannot be reached with this token.
    """

    id: str
    name: str
    url: str | None = None
    avatar_url: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    previous_id: str | None = None
    limitation: str | None = None


@dataclass(frozen=True)
class OAuth:
    """How one connects by a consent page. Scopes are written as the platform wants them."""

    authorize_url: str
    token_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scope: str = ""
    # How the client shows who it is at the token address: RFC 7591's names.
    client_auth: str = "client_secret_post"
    pkce: bool = True


# The server's trouble or a wrong setting of this application, by RFC 6749 (4.1.2.1, 5.2) and RFC 8628 (3.5).
_NOT_OF_THE_TOKEN = {
    *("invalid_client", "server_error", "slow_down", "temporarily_unavailable"),
    *("unauthorized_client", "unsupported_grant_type"),
}


def refresh_refused(answer: Mapping[str, Any]) -> PlatformError:
    """What an error at the token address says of the refresh token."""
    code = answer["error"]
    said = str(answer.get("error_description") or code)
    of_the_token = isinstance(code, str) and code not in _NOT_OF_THE_TOKEN
    return Reconnect(said) if of_the_token else Unavailable(said)


@dataclass(frozen=True)
class ClipFile:
    """A clip as adapters see it. `open()` gives a stream from the start; sizes in bytes, duration in seconds."""

    open: Callable[[], BinaryIO]
    size: int
    sha256: str
    content_type: str
    extension: str  # ".mp4"
    duration: float
    width: int
    height: int
    video_codec: str
    audio_codec: str | None


@dataclass(frozen=True)
class Receipt:
    """Evidence of a publication: the platform's id and, where there is one, the link people can open."""

    id: str
    url: str | None = None


class NotPublished:
    """`find` looked, and the platform does not have the clip."""


class Unknown:
    """`find` could not tell."""


@dataclass(frozen=True)
class Stats:
    """Counts of one publication; None where the platform does not give the number."""

    views: int | None = None
    likes: int | None = None
    shares: int | None = None


COUNTS = ("views", "likes", "shares")


@dataclass(frozen=True)
class Counting:
    """How a platform is asked for counts, and what it does not tell.

    `never`: by count, the sentence that says why the platform gives no such number. `unknown`: what it means where a
    number that it does give is missing. `note`: what one should know of its numbers.
    """

    never: Mapping[str, str]
    unknown: str = "Платформа не показала это число."
    note: str = ""
    per_call: int = 1  # ids that one call takes
    needs_token: bool = True

    @property
    def gives(self) -> tuple[str, ...]:
        return tuple(count for count in COUNTS if count not in self.never)


def number(value: Any) -> int | None:
    """A count as it may be stored; None for what is not one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


@dataclass(frozen=True)
class FormField:
    """One field of the form by which a user connects."""

    name: str
    label: str
    help: str
    secret: bool = False
    placeholder: str = ""


@dataclass(frozen=True)
class Limits:
    """What fits, for the dialog's preflight. None: no limit known. Sources stand in the adapter.

    `max_text` is for title and description together, where they go out as one text.
    """

    max_bytes: int | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None
    max_title: int | None = None
    max_text: int | None = None
    max_description: int | None = None
    video_codecs: frozenset[str] | None = None
    audio_codecs: frozenset[str] | None = None
    containers: frozenset[str] | None = None
    vertical_or_square: bool = False


class PublishContext(Protocol):
    """What an adapter's `publish` is given; the engine's `app.publishing.context.Run` is it."""

    publication_id: int
    started_at: datetime  # no commit of this run is older
    marker: str
    title: str
    description: str
    account: Account
    token: Token
    clip: ClipFile

    def step(self, name: str, fn: Callable[..., Any], *args: Any) -> Any: ...
    def drop(self, *names: str) -> None: ...
    def progress(self, sent: int, total: int) -> None: ...
    def commit(
        self, name: str, fn: Callable[..., Receipt], *args: Any, find: Callable | None = None, last: bool = False
    ) -> Receipt: ...
    def wait(self, name: str, fn: Callable[..., Any], *args: Any, every: float, until: float) -> Any: ...
    def ask_user(self, text: str, link: str, label: str) -> Receipt: ...
    def answer(self, name: str) -> Any | None: ...
    def age(self, name: str) -> float: ...
    def link(self) -> str: ...
    def is_fetched(self) -> bool: ...


class Adapter(ABC):
    key: ClassVar[str]
    name: ClassVar[str]
    settings: ClassVar[Sequence[Setting]] = ()
    # How one connects: the fields of a form.
    form: ClassVar[Sequence[FormField]] = ()
    # Whether what `connect` takes may lead to more accounts: a worker asks for them with `accounts`.
    has_more_accounts: ClassVar[bool] = False
    # Reasons of its own: what is wrong, what to do.
    reasons: ClassVar[Mapping[str, tuple[str, str]]] = {}
    # What the steps, commits and waits of `publish` are called in the history that users read.
    steps: ClassVar[Mapping[str, str]] = {}

    def __init__(self, config: Mapping[str, Any], http: Http) -> None:
        self.config = config
        self.http = http

    @property
    def oauth(self) -> OAuth | None:
        """How one connects by a consent page; None where there is none or it is not set up."""
        return None

    @property
    def mode(self) -> str:
        """A sentence on how publishing works here, where there is more than one way."""
        return ""

    def unready(self) -> str:
        """A sentence that says why nothing can be published in this installation; empty where it can."""
        return ""

    @property
    def limits(self) -> Limits:
        return Limits()

    def count(self, text: str) -> int:
        """A text's length in the platform's own way of counting."""
        return len(text)

    def text(self, title: str, description: str) -> str:
        """The one text that goes out where a platform has no separate title."""
        return "\n\n".join(part for part in (title.strip(), description.strip()) if part)

    def connect(self, fields: Mapping[str, str]) -> tuple[list[Account], Token]:
        """Asks the platform about what the user typed into `form`; the accounts to choose from, and the token.

        Raises Refused (its params may name the `field`), Unavailable or RateLimited.
        """
        raise NotImplementedError(f"{self.key} has no form")

    def accounts(self, token: Token) -> tuple[list[Account], str | None]:
        """Further accounts of a token that `connect` has taken; a key of the reasons' texts, where the platform refuses
        to list them.
        """
        raise NotImplementedError(f"{self.key} has one account")

    def callback(self, arguments: Mapping[str, str]) -> Mapping[str, str]:
        """The callback's arguments as OAuth knows them, where a platform wraps them."""
        return arguments

    def token_params(self, arguments: Mapping[str, str]) -> Mapping[str, str]:
        """What else of the callback's arguments the token request needs."""
        return {}

    def accept(self, answer: Mapping[str, Any], arguments: Mapping[str, str]) -> tuple[list[Account], Token]:
        """The accounts and the token of a consent: `answer` is the token address's, `arguments` the callback's.

        Raises Refused where a right was withheld.
        """
        raise NotImplementedError(f"{self.key} has no consent page")

    def refresh(self, token: Token) -> Token:
        """A new token for one that has run out. Raises Reconnect where that cannot be."""
        raise Reconnect

    def revoke(self, token: Token) -> None:
        """Tells the platform that the token is no longer wanted; where it cannot be told, nothing is done."""

    def discard(self, context: PublishContext) -> None:
        """Removes what a publication that will not be left at the platform: drafts, hidden videos."""

    @abstractmethod
    def publish(self, context: PublishContext) -> Receipt:
        """Straight-line code made of the run's durable steps. May be entered many times for one publication."""

    @property
    def counting(self) -> Counting:
        return Counting(never=dict.fromkeys(COUNTS, "Платформа не сообщает чисел."))

    def stats(self, token: Token | None, account: Account, ids: Sequence[str]) -> Mapping[str, Stats]:
        """Counts by id, for at most `counting.per_call` ids. What the platform no longer has is left out.

        The token is None where `counting` needs none. Called only where `counting` gives a number.
        """
        raise NotImplementedError(f"{self.key} gives no numbers")

    def place(self, account: Account) -> str | None:
        """Where a person can look whether a clip is there."""
        return account.url
