"""The publish dialog, and what can be done with one publication, wherever it is shown."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.models import Clip, Publication
from app.services import clips, destinations, publications
from app.services.errors import Problem
from app.services.publications import Choice
from app.web import due_time, history, responses
from app.web.clips import cards

blueprint = Blueprint("publications", __name__)


@blueprint.get("/clips/<int:clip_id>/publish")
def choose(clip_id: int) -> ResponseReturnValue:
    return publish_dialog(clips.get(current_user, clip_id))


@blueprint.post("/clips/<int:clip_id>/publish")
def publish(clip_id: int) -> ResponseReturnValue:
    try:
        due_time.check_not_asked()
        publications.publish(current_user, clip_id, chosen())
    except Problem as problem:
        return publish_dialog(clips.get(current_user, clip_id), problem)
    return responses.done("Публикуем. Ход виден на карточке клипа.", url_for("clips.page"), card(clip_id))


@blueprint.post("/publications/<int:publication_id>/retry")
def retry(publication_id: int) -> ResponseReturnValue:
    return changed(publications.retry(current_user, publication_id), "Публикуем ещё раз.")


@blueprint.post("/publications/<int:publication_id>/cancel")
def cancel(publication_id: int) -> ResponseReturnValue:
    return changed(publications.cancel(current_user, publication_id), "Публикация отменена.")


@blueprint.post("/publications/<int:publication_id>/resend")
def resend(publication_id: int) -> ResponseReturnValue:
    return changed(publications.resend(current_user, publication_id), "Отправляем ещё раз.")


@blueprint.route("/publications/<int:publication_id>/confirm", methods=["GET", "POST"])
def confirm(publication_id: int) -> ResponseReturnValue:
    """«Есть»: with the link, if the user has it at hand."""
    publication, problem, url = publications.get(current_user, publication_id), None, request.form.get("url", "")
    if request.method == "POST":
        try:
            return changed(publications.confirm(current_user, publication_id, url), "Отмечено: опубликовано.")
        except Problem as refusal:
            problem = refusal
    return responses.dialog(
        "publications/_confirm.html", 422 if problem else 200, publication=publication, problem=problem, url=url
    )


def chosen() -> list[Choice]:
    """What is ticked. «Опубликовать ещё раз» chooses by itself."""
    form = request.form
    again = set(form.getlist("again", int))
    ticked = dict.fromkeys([*form.getlist("connection", int), *again])
    return [
        Choice(number, form.get(f"title-{number}", ""), form.get(f"description-{number}", ""), number in again)
        for number in ticked
    ]


def publish_dialog(clip: Clip, problem: Problem | None = None) -> ResponseReturnValue:
    """The accounts to choose from; after a refusal, with what was typed and ticked."""
    return responses.dialog(
        "publications/_publish.html",
        422 if problem else 200,
        clip=clip,
        options=destinations.for_clip(current_user, clip),
        typed={choice.connection_id: choice for choice in chosen()} if problem else None,
        when=due_time.asked(),
        problem=problem,
    )


def changed(publication: Publication, text: str) -> ResponseReturnValue:
    to, fragments = history.fragments_after_change(publication)
    return responses.done(text, to, fragments)


def card(clip_id: int) -> str:
    return cards([clips.get(current_user, clip_id)])
