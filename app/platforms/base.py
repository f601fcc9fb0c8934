"""What every adapter is made of. Knows nothing of Flask, the database or RQ: tokens and pacing are handed in.

What is declared is class data, or a class method of the configuration: reading it builds no HTTP client. An instance is
built to call the platform; its methods get the token, return frozen dataclasses and raise `app.platforms.errors`.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, BinaryIO, ClassVar, Protocol

from app import clock
from app.config import Setting
from app.observability import redact
from app.platforms.errors import Reconnect, Unavailable
from app.platforms.foreign_text import clean_inside
from app.platforms.http.client import Http
from app.platforms.oauth import OAuth
from app.platforms.options import AccountOptions, Notice, Option
from app.platforms.quota import DailyQuota
from app.platforms.text_units import TextUnit

# Ten years, in seconds: more is a mistake.
_LONGEST_LIFETIME = 10 * 366 * 24 * 3600


@dataclass(frozen=True)
class Token:
    """Secrets of one connection; never logged (no repr, and redacted while it exists), stored only sealed."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        redact.hide_while_alive(self.secrets)

    def secrets(self) -> list[str | None]:
        return [self.access, self.refresh, *self.extra.values()]

    @classmethod
    def of(cls, response: Mapping[str, Any], lifetime: int = 0, **extra: str) -> "Token":
        """A token address's response. `lifetime`: seconds, where it names none; 0 for a token that does not expire.

        Raises Unavailable where it is no response of that shape.
        """
        access, refresh = response.get("access_token"), response.get("refresh_token")
        try:
            seconds = min(int(response.get("expires_in") or lifetime), _LONGEST_LIFETIME)
        except (TypeError, ValueError, OverflowError):
            seconds = -1
        if not isinstance(access, str) or not access or not isinstance(refresh, str | None) or seconds < 0:
            raise Unavailable("непонятный ответ с токеном")
        return cls(access, refresh, clock.now() + timedelta(seconds=seconds) if seconds else None, extra)


@dataclass(frozen=True)
class Account:
    """Where clips go: a profile, a community, a channel. `facts` is what the adapter needs and is no secret.

    `previous_id`: the id that the same account had while the platform did not give its real one. `limitation`: a key of
    the reasons' texts for what cannot be reached with this token. `is_own`: the user's page, beside communities. What
    the platform calls things is cleaned.
    """

    id: str
    name: str
    url: str | None = None
    avatar_url: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    previous_id: str | None = None
    limitation: str | None = None
    is_own: bool = False

    def __post_init__(self) -> None:
        for name in ("name", "url", "avatar_url", "facts"):
            object.__setattr__(self, name, clean_inside(getattr(self, name)))


@dataclass(frozen=True)
class ClipFile:
    """A clip as adapters see it. `open()` returns a stream from the start; sizes in bytes, duration in seconds."""

    open: Callable[[], BinaryIO]
    size: int
    content_type: str
    extension: str  # ".mp4"
    duration: float
    width: int
    height: int
    # JPEGs: the cover, or a frame where none was chosen, up to 2 MB; the same within 320 pixels and 200 kB.
    poster: Callable[[], bytes | None] = lambda: None
    thumbnail: Callable[[], bytes | None] = lambda: None
    has_chosen_cover: bool = False
    cover_ms: int | None = None  # the moment that was chosen


@dataclass(frozen=True)
class Receipt:
    """Proof of a publication: the platform's id and, where there is one, the public link.

    `remark`: a key of the reasons' texts for what the user should know of a clip that is published.
    """

    id: str
    url: str | None = None
    remark: str | None = None

    @classmethod
    def linked(cls, id: str, url: Any, otherwise: str) -> "Receipt":
        """`url` as the platform gave it; `otherwise` where that is no link."""
        return cls(id, url if isinstance(url, str) and url.startswith(("https://", "http://")) else otherwise)


class NotPublished:
    """`find`: the platform does not have the clip."""


class Unknown:
    """`find`: the platform may have the clip or not."""


@dataclass(frozen=True)
class Stats:
    """Counts of one publication; None where the platform does not give the number.

    `receipt`: the publication's own id and link, where the platform has told them only now.
    """

    views: int | None = None
    likes: int | None = None
    shares: int | None = None
    receipt: Receipt | None = None

    @classmethod
    def of(cls, **given: Any) -> "Stats":
        """As the platform gave them: what is not a count that can be stored is unknown."""
        return cls(**{name: value for name, value in given.items() if type(value) is int and 0 <= value < 2**63})

    @property
    def is_empty(self) -> bool:
        return all(getattr(self, count) is None for count in COUNTS)


COUNTS = ("views", "likes", "shares")


@dataclass(frozen=True)
class Counting:
    """How a platform is asked for counts, and which it does not give.

    `never`: by count, a sentence on why the platform gives no such number. `unknown`: what it means where a number that
    it does give is missing. `note`: what a reader of its numbers should know.
    """

    never: Mapping[str, str]
    unknown: str = "Площадка не показала это число."
    note: str = ""
    per_call: int = 1  # ids that one call takes

    @property
    def gives(self) -> tuple[str, ...]:
        return tuple(count for count in COUNTS if count not in self.never)


@dataclass(frozen=True)
class FormField:
    """One field of the form that connects an account."""

    name: str
    label: str
    help: str
    secret: bool = False
    placeholder: str = ""
    required: bool = True


@dataclass(frozen=True)
class GuideStep:
    """One of the steps to what a form asks for. `link`: label and address; `command`: a text to copy."""

    text: str
    link: tuple[str, str] | None = None
    command: str = ""


@dataclass(frozen=True)
class TextMark:
    """What a platform reads in a text as more than text. It is warned of, never refused.

    `pattern`: a regular expression as Python and browsers both read it; its first group, or else all of it, is what to
    name. `says`: a Russian sentence on what comes of it; what was found follows it.
    """

    pattern: str
    says: str

    def found(self, text: str) -> str:
        """Each once, as a sentence names them; empty where there is none."""
        return ", ".join(dict.fromkeys(match[1] or match[0] for match in re.finditer(self.pattern, text)))


@dataclass(frozen=True)
class Limits:
    """What fits, for the check before anything is sent. None: no limit known. Sources are in the adapter.

    `max_text` is for title and description together, where they go out as one text.
    """

    max_bytes: int | None = None
    min_bytes: int | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None
    max_title: int | None = None
    max_text: int | None = None
    max_description: int | None = None
    video_codecs: frozenset[str] | None = None
    audio_codecs: frozenset[str] | None = None
    containers: frozenset[str] | None = None
    # What is shown as a video; other containers are taken too, but arrive as a file.
    playable_containers: frozenset[str] | None = None
    vertical_or_square: bool = False
    min_fps: float | None = None
    max_fps: float | None = None
    # Of the picture, in pixels.
    min_side: int | None = None
    max_side: int | None = None
    # People watch while it loads: an MP4's index (`moov`) has to be in front.
    streams: bool = False
    # A clip without a sound track is shown as something else: it gets a silent one.
    silent_audio: bool = False
    # In which all limits of texts are, but that of the description where it has a unit of its own.
    unit: TextUnit = TextUnit.CHARACTERS
    description_unit: TextUnit | None = None
    # What neither title nor description may hold.
    forbidden: str = ""
    marks: Sequence[TextMark] = ()

    @property
    def text_unit(self) -> TextUnit:
        """Of the description, or of the one text."""
        return self.description_unit or self.unit

    def forbidden_in(self, text: str) -> str:
        """Those characters of a text that it may not hold, as a sentence names them."""
        return " и ".join(one for one in self.forbidden if one in text)


class PublishContext(Protocol):
    """What an adapter's `publish` is given: `app.publishing.context.PublishContext`."""

    publication_id: int
    started_at: datetime  # no commit of this publication is older
    marker: str
    title: str
    description: str
    options: Mapping[str, Any]  # what the user chose of the adapter's `options`, by name
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
    def ask_user(self, text: str, link: str, label: str, how: str = "") -> Receipt: ...
    def answer(self, name: str) -> Any | None: ...
    def age(self, name: str) -> float: ...
    def link(self) -> str: ...
    def is_fetched(self) -> bool: ...


class Adapter(ABC):
    key: ClassVar[str]
    name: ClassVar[str]
    # What people also call it where they write it themselves, in lower case.
    other_names: ClassVar[Sequence[str]] = ()
    settings: ClassVar[Sequence[Setting]] = ()
    # The name of the root certificate that its own hosts' certificates lead to, where the usual sets of roots lack it.
    authority: ClassVar[str] = ""
    # The form that connects an account.
    form: ClassVar[Sequence[FormField]] = ()
    # Whether a token may lead to more accounts: after `connect`, a worker asks for them with `accounts`.
    has_more_accounts: ClassVar[bool] = False
    # What the button says by which a connected account leads to those; empty: it has none.
    more_label: ClassVar[str] = ""
    # Where an account can also be named by its address: the field for it, which may be one of `form` too.
    address_field: ClassVar[FormField | None] = None
    # How often an idle token has to be used, where the platform lets it die otherwise: then there is `keep_alive`.
    keep_alive_every: ClassVar[timedelta | None] = None
    # What a user decides for each publication beside its texts.
    options: ClassVar[Sequence[Option]] = ()
    # Whether the platform is asked for the options of an account, by `ask_options`; and whether anew whenever a user
    # sees them, or once a day.
    asks_options: ClassVar[bool] = False
    asks_options_each_time: ClassVar[bool] = False
    # Reasons of its own: what is wrong, what to do.
    reasons: ClassVar[Mapping[str, tuple[str, str]]] = {}
    # The names of `publish`'s steps, commits and waits in the history that users read.
    steps: ClassVar[Mapping[str, str]] = {}

    def __init__(self, config: Mapping[str, Any], http: Http) -> None:
        self.config = config
        self.http = http

    # Declared

    @classmethod
    def oauth(cls, config: Mapping[str, Any]) -> OAuth | None:
        """The consent page that connects an account; None where there is none or it is not set up."""
        return None

    @classmethod
    def mode(cls, config: Mapping[str, Any]) -> str:
        """A sentence on how publishing works here, where there is more than one way."""
        return ""

    @classmethod
    def unready(cls, config: Mapping[str, Any]) -> str:
        """A sentence on why nothing can be published in this installation; empty where it can."""
        return ""

    @classmethod
    def consent_asks(cls, config: Mapping[str, Any]) -> str:
        """What the consent page will ask for, and why: for the user, before they go there."""
        return ""

    @classmethod
    def guide(cls, config: Mapping[str, Any], known: Mapping[str, Any]) -> Sequence[GuideStep]:
        """Steps to what `form` asks for. `known`: the facts of a connected account, and the params of a refusal."""
        return ()

    @classmethod
    def offered_options(cls, config: Mapping[str, Any]) -> Sequence[Option]:
        """Those of `options` that count in this installation. Where there are none, no account is asked for them."""
        return cls.options

    @classmethod
    def notices(cls, config: Mapping[str, Any]) -> Sequence[Notice]:
        """What a user must always read where the options of a publication are chosen."""
        return ()

    @classmethod
    def check_options(cls, values: Mapping[str, Any]) -> None:
        """Rules across options. Raises `options.conflict`."""

    @classmethod
    def limits(cls, config: Mapping[str, Any]) -> Limits:
        return Limits()

    @classmethod
    def quota(cls, config: Mapping[str, Any]) -> DailyQuota | None:
        """How many publications a day the platform takes of this installation, whoever's they are."""
        return None

    @classmethod
    def counting(cls, config: Mapping[str, Any]) -> Counting:
        return Counting(never=dict.fromkeys(COUNTS, "Площадка не сообщает чисел."))

    @classmethod
    def text(cls, title: str, description: str) -> str:
        """The one text of a post where a platform has no separate title."""
        return "\n\n".join(part for part in (title.strip(), description.strip()) if part)

    # Connecting

    def connect(self, fields: Mapping[str, str]) -> tuple[list[Account], Token]:
        """Checks at the platform what the user typed into `form`; returns the accounts to choose from, and the token.

        Raises Refused (its params may name the `field`), Unavailable or RateLimited.
        """
        raise NotImplementedError(f"{self.key} has no form")

    def accounts(self, token: Token) -> tuple[list[Account], str | None]:
        """The accounts that a token leads to, beside its user's own; a key of the reasons' texts, where the platform
        refuses to list them.
        """
        raise NotImplementedError(f"{self.key} has one account")

    def find_account(self, token: Token, address: str) -> Account:
        """The account at an address of `address_field`, where the token may publish to it. Raises Refused there."""
        raise NotImplementedError(f"{self.key} finds no account by an address")

    def callback(self, arguments: Mapping[str, str]) -> Mapping[str, str]:
        """The callback's arguments as OAuth knows them, where a platform wraps them."""
        return arguments

    def token_params(self, arguments: Mapping[str, str]) -> Mapping[str, str]:
        """Further arguments of the callback that the token request needs."""
        return {}

    def accept(self, response: Mapping[str, Any], arguments: Mapping[str, str]) -> tuple[list[Account], Token]:
        """The accounts and the token of a consent: `response` is the token address's, `arguments` the callback's.

        Raises Refused where a right was withheld.
        """
        raise NotImplementedError(f"{self.key} has no consent page")

    def refresh(self, token: Token) -> Token:
        """A new token for an expired one. Raises Reconnect where there cannot be one."""
        raise Reconnect

    def keep_alive(self, token: Token) -> None:
        """One cheap call by which the platform prolongs the token."""
        raise NotImplementedError(f"{self.key} needs no such call")

    def revoke(self, token: Token) -> None:
        """Revokes the token at the platform; does nothing where the platform has no such call."""

    def ask_options(self, token: Token, account: Account) -> AccountOptions:
        """What the platform says of an account's options now. Called where `asks_options`."""
        raise NotImplementedError(f"{self.key} has no options to ask for")

    # Publishing

    @abstractmethod
    def publish(self, context: PublishContext) -> Receipt:
        """Straight-line code made of the context's durable steps. Entered anew after each wait, retry or crash."""

    def discard(self, context: PublishContext) -> None:
        """Removes what a cancelled or failed publication left at the platform: drafts, hidden videos."""

    def stats(self, token: Token, account: Account, ids: Sequence[str]) -> Mapping[str, Stats]:
        """Counts by id, for at most `counting.per_call` ids. What the platform no longer has is left out.

        Called only where `counting` names a number that is given.
        """
        raise NotImplementedError(f"{self.key} gives no numbers")
