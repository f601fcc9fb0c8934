"""«Запланировать» from the publish dialog, and what can be done with a publication until it goes out."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app import texts
from app.models import Publication
from app.services import clips, scheduling
from app.services.errors import Problem
from app.web import due_time, responses
from app.web.publications import card, changed, chosen, publish_dialog

blueprint = Blueprint("schedule", __name__)


@blueprint.post("/clips/<int:clip_id>/schedule")
def plan(clip_id: int) -> ResponseReturnValue:
    try:
        made = scheduling.publish_later(current_user, clip_id, chosen(), *due_time.sent())
    except Problem as problem:
        return publish_dialog(clips.get(current_user, clip_id), problem)
    said = _said(made[0]) if made else "Клип там уже запланирован или публикуется: срок — на его карточке."
    return responses.done(said, url_for("clips.page"), card(clip_id))


@blueprint.route("/publications/<int:publication_id>/move", methods=["GET", "POST"])
def move(publication_id: int) -> ResponseReturnValue:
    publication, problem = scheduling.get(current_user, publication_id), None
    if request.method == "POST":
        try:
            publication = scheduling.move(current_user, publication_id, *due_time.sent())
            return changed(publication, _said(publication))
        except Problem as refusal:
            problem = refusal
    return responses.dialog(
        "schedule/_move.html",
        422 if problem else 200,
        publication=publication,
        when=due_time.asked() if problem else due_time.standing(publication),
        problem=problem,
    )


@blueprint.post("/publications/<int:publication_id>/now")
def publish_now(publication_id: int) -> ResponseReturnValue:
    publication = scheduling.publish_now(current_user, publication_id)
    return changed(publication, "Публикуем. Ход виден на карточке клипа.")


def _said(publication: Publication) -> str:
    return f"{texts.status(publication, current_user.timezone)}."
