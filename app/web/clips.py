"""«Клипы»: the grid, its one poll, and the dialogs of a clip."""

import os
import re
from functools import partial

from flask import Blueprint, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.datastructures import FileStorage
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired

from app.db import commit, db
from app.problems import Problem
from app.services import clip_deletion, clips, connections, history, publications, uploads
from app.services.upload_files import BLOCK
from app.web import due_time, notifications, publish_dialog, responses
from app.web.cards import cards, removed
from app.web.headers import FORM_BYTES

blueprint = Blueprint("clips", __name__)

_KNOWN = re.compile(r"(\d{1,18}):(\d{1,18})")


class TextsForm(FlaskForm):
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
        raise Problem("no_file")
    for file in files:
        _receive(file)
    return responses.done("Загружено. Клип обрабатывается.", url_for(".page"))


def _receive(file: FileStorage) -> None:
    """Each file is a unit of work: what has come in stays, whatever becomes of the next."""
    length = file.stream.seek(0, os.SEEK_END)
    file.stream.seek(0)
    upload = uploads.create(current_user, file.filename, length)
    commit()  # the bytes of a large file take long
    try:
        uploads.receive(current_user, upload.id, 0, iter(partial(file.stream.read, BLOCK), b""), length)
    except Problem:
        uploads.terminate(current_user, upload.id)  # a form cannot go on later
        commit()
        raise
    commit()


@blueprint.get("/clips/changes")
def changes() -> ResponseReturnValue:
    """The poll: which of the clips that the page shows have changed. Mostly none, found by one indexed query."""
    known = {int(clip_id): int(version) for clip_id, version in map(_parse_known, request.args.getlist("known"))}
    changed, gone = clips.changed(current_user, known)
    if not changed and not gone:
        return "", 204
    # A change of a clip's publications may have made a notification.
    return cards(changed) + removed(gone) + (notifications.bell() if changed else "")


@blueprint.get("/clips/<int:clip_id>/card")
def card(clip_id: int) -> ResponseReturnValue:
    """A clip that has just been uploaded, for the top of the grid."""
    return cards([clips.get(current_user, clip_id)], oob=False)


@blueprint.get("/clips/<int:clip_id>")
def show(clip_id: int) -> ResponseReturnValue:
    """For links to a clip: its card, on the page of the grid that it is on now."""
    number = clips.page_of(clips.get(current_user, clip_id))
    return responses.go(url_for(".page", page=number if number > 1 else None, _anchor=f"clip-{clip_id}"))


@blueprint.get("/clips/<int:clip_id>/play")
def play(clip_id: int) -> ResponseReturnValue:
    return responses.dialog("clips/_play.html", clip=clips.get(current_user, clip_id))


@blueprint.route("/clips/<int:clip_id>/edit", methods=["GET", "POST"])
def edit(clip_id: int) -> ResponseReturnValue:
    clip = clips.get(current_user, clip_id)
    form = TextsForm(obj=clip)
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
            clip_deletion.delete(current_user, clip_id)
        except Problem as refusal:
            db.session.rollback()
            problem = refusal
        else:
            return responses.done("Клип удалён.", url_for(".page"), removed([clip_id]))
    clip = clips.get(current_user, clip_id)
    effects = clip_deletion.effects(clip)
    return responses.dialog("clips/_delete.html", 422 if problem else 200, clip=clip, effects=effects, problem=problem)


@blueprint.get("/clips/<int:clip_id>/publish")
def choose_destinations(clip_id: int) -> ResponseReturnValue:
    return publish_dialog.show(clips.get(current_user, clip_id))


@blueprint.post("/clips/<int:clip_id>/publish")
def publish(clip_id: int) -> ResponseReturnValue:
    try:
        due_time.check_empty()
        publications.publish(current_user, clip_id, publish_dialog.chosen())
    except Problem as problem:
        return publish_dialog.refuse(clip_id, problem)
    return responses.done("Публикуем. Ход виден на карточке клипа.", url_for(".page"), _card(clip_id))


@blueprint.post("/clips/<int:clip_id>/schedule")
def schedule(clip_id: int) -> ResponseReturnValue:
    try:
        made = publications.publish(current_user, clip_id, publish_dialog.chosen(), due_time.sent())
    except Problem as problem:
        return publish_dialog.refuse(clip_id, problem)
    text = publish_dialog.scheduled_text(made[0]) if made else Problem("already_live").text
    return responses.done(text, url_for(".page"), _card(clip_id))


def _card(clip_id: int) -> str:
    return cards([clips.get(current_user, clip_id)])


def _parse_known(text: str) -> tuple[str, str]:
    match = _KNOWN.fullmatch(text)
    if match is None:
        raise Problem("stale_page")
    return match[1], match[2]
