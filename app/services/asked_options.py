"""Publication options of an account: as its adapter declares them, and as the platform has said last."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import current_app
from sqlalchemy import func, select

from app import clock, platforms, texts
from app.db import db
from app.models import Clip, ConnectionStatus, PlatformConnection, Publication, Question, QuestionState, User
from app.platform_access import questions
from app.platforms import options
from app.platforms.options import AccountOptions, Notice, Option, Select
from app.problems import Problem

KIND = "options"
# Choices that change rarely are asked for anew after this long.
_GOOD_FOR = timedelta(days=1)
# A refusal of all posts that is older says nothing of now.
_REFUSED_FOR = timedelta(minutes=10)


@dataclass(frozen=True)
class Look:
    """What a page shows of an account whose platform is asked. `question`: the one that the page waits for."""

    connection: PlatformConnection
    said: AccountOptions | None
    question: Question | None

    @property
    def waits(self) -> bool:
        return bool(self.question) and self.question.state == QuestionState.WAITING and not self._is_known

    @property
    def failure(self) -> str:
        """Why the platform did not answer, in words; empty where it did."""
        if self.question is None or self.question.state != QuestionState.FAILED or self._is_known:
            return ""
        return texts.sentence(self.question.reason, self.question.params)

    @property
    def is_shown(self) -> bool:
        """Whether there is something to choose from."""
        return not (self.waits or (self.failure and options.needs_answer(offered(self.connection.platform))))

    @property
    def refusal(self) -> str:
        """Why the account takes no more posts now."""
        return texts.sentence(self.said.refusal) if self.said and self.said.refusal else ""

    @property
    def _is_known(self) -> bool:
        """What was said before stands, also while it is asked for anew."""
        return self.said is not None and not platforms.ADAPTERS[self.connection.platform].asks_options_each_time


def looks(user: User, connections: Iterable[PlatformConnection], known: Mapping[int, int]) -> dict[int, Look]:
    """Of those whose platform is asked. `known`: by account, the question that the page has shown already; else it
    shows the newest.
    """
    asked = {one.id: one for one in connections if is_asked(one)}
    if not asked:
        return {}
    mine = Question.user_id == user.id, Question.kind == KIND, Question.connection_id.in_(asked)
    newest = select(func.max(Question.id)).where(*mine).group_by(Question.connection_id)
    wanted = Question.id.in_(known.values()) | Question.id.in_(newest)
    found = list(db.session.scalars(select(Question).where(*mine, wanted).order_by(Question.id)))
    by_id, latest = {one.id: one for one in found}, {one.connection_id: one for one in found}
    return {
        number: Look(one, said(one), by_id.get(known[number]) if number in known else latest.get(number))
        for number, one in asked.items()
    }


def to_ask(connections: Iterable[PlatformConnection], known: Iterable[int]) -> list[int]:
    """Ids of the accounts that a page must ask for before it shows them. `known`: those that it has asked for."""
    return [one.id for one in connections if one.id not in known and _must_be_asked(one)]


def _must_be_asked(one: PlatformConnection) -> bool:
    if not is_asked(one) or one.status != ConnectionStatus.ACTIVE:
        return False
    old = one.options_asked_at is None or one.options_asked_at <= clock.now() - _GOOD_FOR
    return old or platforms.ADAPTERS[one.platform].asks_options_each_time


def ask(user_id: int, connection_ids: Iterable[int]) -> None:
    for number in connection_ids:
        questions.ask(user_id, KIND, number)


def said(connection: PlatformConnection) -> AccountOptions | None:
    """None: the platform has not been asked, or has not answered yet."""
    return AccountOptions.of(connection.asked_options) if is_asked(connection) else None


def is_asked(connection: PlatformConnection) -> bool:
    """Whether the platform is asked for the account's options at all."""
    return platforms.ADAPTERS[connection.platform].asks_options and bool(offered(connection.platform))


def declared(connection: PlatformConnection) -> Sequence[Option]:
    """As pages render them for the account."""
    return options.for_account(offered(connection.platform), said(connection))


def check(connection: PlatformConnection, answers: Mapping[str, Any], field: str) -> dict[str, Any]:
    """As they are stored. Raises Problem, at the field named `field` and the option's name."""
    adapter = platforms.ADAPTERS[connection.platform]
    if said(connection) is None and options.needs_answer(offered(connection.platform)):
        raise Problem("options_not_asked", f"connection-{connection.id}", platform=adapter.name)
    return options.check(declared(connection), answers, field, adapter.check_options)


def ask_first(connection: PlatformConnection) -> None:
    """As soon as it is connected: rules, tables and the API have something to check against."""
    if is_asked(connection):
        ask(connection.user_id, [connection.id])


def check_length(connection: PlatformConnection, clip: Clip) -> None:
    """Raises Problem where the account, of all on its platform, does not take a clip so long."""
    answer, seconds = said(connection), (clip.duration_ms or 0) / 1000
    if answer and answer.max_seconds and seconds > answer.max_seconds:
        longest = f"{answer.max_seconds:g}"
        raise Problem("clip_too_long_for_account", f"connection-{connection.id}", max_seconds=longest)


def refusal_now(connection: PlatformConnection) -> Problem | None:
    """Why the account takes nothing at all now, as its platform has said a moment ago."""
    answer, asked_at = said(connection), connection.options_asked_at
    if not (answer and answer.refusal and asked_at and asked_at > clock.now() - _REFUSED_FOR):
        return None
    reason = answer.refusal
    return Problem(reason, f"connection-{connection.id}")


def called(connection: PlatformConnection, answers: Mapping[str, Any]) -> dict[str, Any]:
    """`answers` with the values of choices that are called by their texts."""
    found = dict(answers)
    for option in declared(connection):
        if isinstance(option, Select) and isinstance(text := found.get(option.name), str):
            by_text = {words.casefold(): value for value, words in option.choices.items()}
            found[option.name] = text if text in option.choices else by_text.get(text.casefold(), text)
    return found


def notices(platform: str) -> Sequence[Notice]:
    return platforms.ADAPTERS[platform].notices(current_app.config) if offered(platform) else ()


def store(question: Question, answer: AccountOptions) -> dict[str, Any]:
    """On the connection, where whatever publishes finds it; returns it as JSON."""
    stored = answer.stored()
    connection = db.session.get(
        PlatformConnection, question.connection_id, with_for_update=True, populate_existing=True
    )
    if connection:
        connection.asked_options, connection.options_asked_at = stored, clock.now()
    return stored


def with_texts(publication: Publication) -> Sequence[Option]:
    """With the texts of all choices that are known: of a publication that was made before the newest answer too."""
    answer = said(publication.connection) if publication.connection else None
    return options.with_texts(offered(publication.platform), answer)


def offered(platform: str) -> Sequence[Option]:
    return platforms.ADAPTERS[platform].offered_options(current_app.config)
