"""«Клипы»: the grid, its one poll, and the dialogs of a clip."""

import re

from flask import Blueprint, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired

from app.problems import Problem
from app.services import clips, connections, history, publications, scheduling, uploads
from app.web import due_time, notifications, publish_dialog, responses
from app.web.cards import cards, removed
from app.web.headers import FORM_BYTES

blueprint = Blueprint("clips", __name__)

_KNOWN = re.compile(r"(\d{1,18}):(\d{1,18})")


class Words(FlaskForm):
    title = StringField("Название", [InputRequired("Напишите название.")])
    description = TextAreaField("Описание")


@blueprint.url_value_preprocessor
def allow_files(endpoint: str | None, _values: dict | None) -> None:
    """The plain upload is the one large form. Set before the CSRF check, which reads the form."""
    if endpoint == "clips.upload" and current_user.is_authenticated:
        request.max_content_length = uploads.max_bytes() + FORM_BYTES


@blueprint.get("/")
def page() -> ResponseReturnValue:
    shown = clips.page(current_user, request.args.get("page", 1, int))
    return render_template(
        "clips/page.html",
        shown=shown,
        publications=history.for_clips(current_user, [clip.id for clip in shown.rows]),
        connected=bool(connections.all_of(current_user)),
        max_bytes=uploads.max_bytes(),
        max_mb=current_app.config["MAX_CLIP_MB"],
    )


@blueprint.post("/clips")
def upload() -> ResponseReturnValue:
    """Without a script; with one, files come by tus."""
    files = [file for file in request.files.getlist("clip") if file.filename]
    if not files:
        raise Problem("Выберите файл с видео.")
    for file in files:
        uploads.receive_form(current_user, file)
    return responses.done("Загружено. Клип обрабатывается.", url_for(".page"))


@blueprint.get("/clips/changes")
def changes() -> ResponseReturnValue:
    """The poll: what became of the clips that the page shows. Mostly nothing, found by one indexed query."""
    known = {int(clip_id): int(version) for clip_id, version in map(_parse_known, request.args.getlist("known"))}
    changed = clips.changed(current_user, known)
    if not changed.clips and not changed.gone:
        return "", 204
    # What a clip's publications have come to may be news too.
    return cards(changed.clips) + removed(changed.gone) + (notifications.bell() if changed.clips else "")


@blueprint.get("/clips/<int:clip_id>/card")
def card(clip_id: int) -> ResponseReturnValue:
    """A clip that has just been uploaded, for the top of the grid."""
    return cards([clips.get(current_user, clip_id)], oob=False)


@blueprint.get("/clips/<int:clip_id>")
def place(clip_id: int) -> ResponseReturnValue:
    """For links to a clip: its card, on whichever page of the grid it is now."""
    number = clips.page_of(clips.get(current_user, clip_id))
    return responses.go(url_for(".page", page=number if number > 1 else None, _anchor=f"clip-{clip_id}"))


@blueprint.get("/clips/<int:clip_id>/play")
def play(clip_id: int) -> ResponseReturnValue:
    return responses.dialog("clips/_play.html", clip=clips.get(current_user, clip_id))


@blueprint.route("/clips/<int:clip_id>/edit", methods=["GET", "POST"])
def edit(clip_id: int) -> ResponseReturnValue:
    clip = clips.get(current_user, clip_id)
    form = Words(obj=clip)
    if form.validate_on_submit():
        try:
            clip = clips.rename(current_user, clip_id, form.title.data, form.description.data)
        except Problem as problem:
            responses.blame(form, problem)
        else:
            return responses.done("Сохранено.", url_for(".page"), cards([clip]))
    return responses.dialog("clips/_edit.html", 422 if form.errors else 200, clip=clip, form=form)


@blueprint.route("/clips/<int:clip_id>/delete", methods=["GET", "POST"])
def delete(clip_id: int) -> ResponseReturnValue:
    problem = None
    if request.method == "POST":
        try:
            publications.delete_clip(current_user, clip_id)
        except Problem as refusal:
            problem = refusal
        else:
            return responses.done("Клип удалён.", url_for(".page"), removed([clip_id]))
    clip = clips.get(current_user, clip_id)
    ending = publications.ending(clip)
    return responses.dialog("clips/_delete.html", 422 if problem else 200, clip=clip, ending=ending, problem=problem)


@blueprint.get("/clips/<int:clip_id>/publish")
def choose_destinations(clip_id: int) -> ResponseReturnValue:
    return publish_dialog.show(clips.get(current_user, clip_id))


@blueprint.post("/clips/<int:clip_id>/publish")
def publish(clip_id: int) -> ResponseReturnValue:
    try:
        due_time.check_not_asked()
        publications.publish(current_user, clip_id, publish_dialog.chosen())
    except Problem as problem:
        return publish_dialog.show(clips.get(current_user, clip_id), problem)
    return responses.done("Публикуем. Ход виден на карточке клипа.", url_for(".page"), _card(clip_id))


@blueprint.post("/clips/<int:clip_id>/schedule")
def schedule(clip_id: int) -> ResponseReturnValue:
    try:
        made = scheduling.publish_later(current_user, clip_id, publish_dialog.chosen(), *due_time.sent())
    except Problem as problem:
        return publish_dialog.show(clips.get(current_user, clip_id), problem)
    said = (
        publish_dialog.scheduled_text(made[0])
        if made
        else "Клип там уже запланирован или публикуется: срок — на его карточке."
    )
    return responses.done(said, url_for(".page"), _card(clip_id))


def _card(clip_id: int) -> str:
    return cards([clips.get(current_user, clip_id)])


def _parse_known(text: str) -> tuple[str, str]:
    match = _KNOWN.fullmatch(text)
    if match is None:
        raise Problem("Страница устарела. Обновите её.")
    return match[1], match[2]
