"""«Клипы»: the grid, its one poll, and the dialogs of a clip."""

import os
import re
from collections.abc import Sequence
from functools import partial

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from markupsafe import Markup
from werkzeug.datastructures import FileStorage
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired

from app import texts
from app.db import commit, db
from app.models import Clip, Publication
from app.problems import Problem
from app.services import clip_deletion, clips, connections, destinations, history, publications, uploads
from app.services.publications import Choice
from app.services.upload_files import BLOCK
from app.web import due_time, notifications, responses
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
    known = known_versions(_KNOWN)
    changed, gone = clips.changed(current_user, {clip_id: int(version) for clip_id, version in known.items()})
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
        with responses.blame(form):
            clip = clips.rename(current_user, clip_id, form.title.data, form.description.data)
            return responses.done("Сохранено.", url_for(".page"), cards([clip]))
    return responses.dialog("clips/_edit.html", clip=clip, form=form)


@blueprint.route("/clips/<int:clip_id>/delete", methods=["GET", "POST"])
def delete(clip_id: int) -> ResponseReturnValue:
    problem = None
    if request.method == "POST":
        try:
            deletion = clip_deletion.delete(current_user, [clip_id])
            if deletion.finishing:
                raise Problem("clip_being_handed_over")
        except Problem as refusal:
            db.session.rollback()
            problem = refusal
        else:
            undo = url_for("undo.restore", undo_id=deletion.undo_id)
            return responses.done("Клип удалён.", url_for(".page"), removed([clip_id]), undo=undo)
    clip = clips.get(current_user, clip_id)
    return responses.dialog("clips/_delete.html", clip=clip, effects=clip_deletion.effects(clip), problem=problem)


@blueprint.get("/clips/<int:clip_id>/publish")
def choose_destinations(clip_id: int) -> ResponseReturnValue:
    return _publish_dialog(clip_id)


@blueprint.post("/clips/<int:clip_id>/publish")
def publish(clip_id: int) -> ResponseReturnValue:
    try:
        if request.form.get("due"):  # a mistake, and publishing cannot be undone
            raise Problem("due_given", "due")
        publications.publish(current_user, clip_id, _chosen())
    except Problem as problem:
        return _publish_dialog(clip_id, problem)
    return _published(clip_id, "Публикуем. Ход виден на карточке клипа.")


@blueprint.post("/clips/<int:clip_id>/schedule")
def schedule(clip_id: int) -> ResponseReturnValue:
    try:
        made = publications.publish(current_user, clip_id, _chosen(), due_time.sent())
    except Problem as problem:
        return _publish_dialog(clip_id, problem)
    return _published(clip_id, scheduled_text(made[0]) if made else Problem("already_live").text)


def _published(clip_id: int, text: str) -> Response:
    return responses.done(text, url_for(".page"), cards([clips.get(current_user, clip_id)]))


def _publish_dialog(clip_id: int, problem: Problem | None = None) -> Response:
    """The accounts to choose from; after a refusal with what was typed and ticked, and nothing of the request kept."""
    if problem:
        db.session.rollback()
    clip = clips.get(current_user, clip_id)
    return responses.dialog(
        "clips/_publish.html",
        clip=clip,
        destinations=destinations.for_clip(current_user, clip),
        typed={choice.connection_id: choice for choice in _chosen()} if problem else None,
        when=due_time.typed(),
        problem=problem,
    )


def _chosen() -> list[Choice]:
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


def scheduled_text(publication: Publication) -> str:
    return f"{texts.status(publication, current_user.timezone)}."


def cards(some: Sequence[Clip], *, oob: bool = True) -> Markup:
    """Cards as fragments; out of band they replace those that the page shows."""
    by_clip = history.for_clips(current_user, [clip.id for clip in some])
    return Markup("").join(
        Markup(render_template("clips/_card.html", clip=clip, publications=by_clip.get(clip.id, []), oob=oob))
        for clip in some
    )


def removed(clip_ids: Sequence[int]) -> Markup:
    return Markup("").join(
        Markup('<article id="clip-{}" hx-swap-oob="delete"></article>').format(clip_id) for clip_id in clip_ids
    )


def known_versions(pattern: re.Pattern[str]) -> dict[int, str]:
    """The versions that a page shows, as its poll sends them, by id."""
    known = [pattern.fullmatch(text) for text in request.args.getlist("known")]
    if not all(known):
        raise Problem("stale_page")
    return {int(match[1]): match[2] for match in known}
