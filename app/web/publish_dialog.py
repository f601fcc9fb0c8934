"""The dialog in which a user chooses where to publish a clip, and when."""

from flask import request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app import texts
from app.db import db
from app.models import Clip, Publication
from app.problems import Problem
from app.services import clips, destinations
from app.services.publications import Choice
from app.web import due_time, responses


def chosen() -> list[Choice]:
    """What is ticked. «Опубликовать ещё раз» chooses by itself."""
    form = request.form
    again = set(form.getlist("again", int))
    ticked = dict.fromkeys([*form.getlist("connection", int), *again])
    return [
        Choice(
            number,
            form.get(f"title-{number}", ""),
            form.get(f"description-{number}", ""),
            number in again,
            _options(f"option-{number}-"),
        )
        for number in ticked
    ]


def _options(prefix: str) -> dict[str, str]:
    """The last value of each: a checkbox that is ticked follows its hidden ""."""
    return {name.removeprefix(prefix): values[-1] for name, values in request.form.lists() if name.startswith(prefix)}


def refuse(clip_id: int, problem: Problem) -> ResponseReturnValue:
    """The dialog with what was typed and ticked. Nothing of the request is kept."""
    db.session.rollback()
    return show(clips.get(current_user, clip_id), problem)


def show(clip: Clip, problem: Problem | None = None) -> ResponseReturnValue:
    """The accounts to choose from."""
    return responses.dialog(
        "clips/_publish.html",
        422 if problem else 200,
        clip=clip,
        destinations=destinations.for_clip(current_user, clip),
        typed={choice.connection_id: choice for choice in chosen()} if problem else None,
        when=due_time.typed(),
        problem=problem,
    )


def scheduled_text(publication: Publication) -> str:
    return f"{texts.status(publication, current_user.timezone)}."
