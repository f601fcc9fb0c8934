"""«Клипы»: the grid, its one poll, and the dialogs of a clip."""

import os
import re
from functools import partial

from flask import Blueprint, make_response, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from markupsafe import Markup
from werkzeug.datastructures import FileStorage
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired

from app.db import commit, db
from app.problems import Problem
from app.services import clip_deletion, clip_list, clips, connection_list, publish_when_ready, retries, uploads
from app.services.clip_list import Filters, Order, State
from app.services.upload_files import BLOCK
from app.web import clip_cards, imports, notifications, responses
from app.web.clip_cards import cards, removed
from app.web.filters import plural
from app.web.headers import FORM_BYTES

blueprint = Blueprint("clips", __name__)

GRID, LIST = "grid", "list"
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
    filters, view = _filters(), _view()
    found = clip_list.page(current_user, filters, request.args.get("page", 1, int))
    accounts = connection_list.all_of(current_user)
    arguments = {"q": filters.words, "state": filters.state, "sort": filters.order, "view": view}
    usual = {"sort": Order.NEWEST, "view": GRID}
    chosen = {name: value for name, value in arguments.items() if value and value != usual.get(name)}
    context = {"shown": found, "cards": clip_cards.cards_of(found.rows, accounts), "filters": filters, "view": view}
    if request.htmx:
        response = make_response(render_template("clips/_found.html", chosen=chosen, **context))
        response.headers["HX-Replace-Url"] = url_for(".page", **chosen, clip=clip_cards.shown().open_id)
        return response
    return render_template(
        "clips/page.html",
        chosen=chosen,
        attention=clip_list.count_attention(current_user),
        opened=clip_cards.opened(),
        **imports.context(),
        connected=bool(accounts),
        **context,
    )


def _filters() -> Filters:
    """Of the address, without invalid ones."""
    state, order = request.args.get("state"), request.args.get("sort")
    return Filters(
        words=clip_list.clean(request.args.get("q", "")),
        state=State(state) if state in list(State) else None,
        order=Order(order) if order in list(Order) else Order.NEWEST,
    )


def _view() -> str:
    """A grid or rows: as the address says, and then as it was chosen last."""
    chosen = request.args.get("view")
    if chosen in (GRID, LIST) and chosen != session.get("view", GRID):
        session["view"] = chosen
    return session.get("view", GRID)


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
    known, opened = known_versions(_KNOWN), known_versions(_KNOWN, "open")
    versions = {number: int(version) for number, version in known.items()}
    for number, version in opened.items():  # the card and the panel may be of different moments
        versions[number] = min(int(version), versions.get(number, int(version)))
    changed, gone = clips.changed(current_user, versions)
    fetched = imports.changes(request.args.get("imports", "")) if "imports" in request.args else []
    if not changed and not gone and not fetched:
        return "", 204
    fragments = [*fetched]
    fragments += [clip_cards.removed_card(number) for number in gone if number in known]
    fragments += [clip_cards.closed_panel() for number in gone if number in opened]
    for card in clip_cards.cards_of(changed):
        fragments += [clip_cards.card(card)] if card.clip.id in known else []
        fragments += [clip_cards.panel(card)] if card.clip.id in opened else []
    # A change of a clip's publications may have made a notification.
    fragments += [notifications.bell()] if changed else []
    return Markup("").join([*fragments, clip_cards.attention() if known else ""])


@blueprint.get("/clips/<int:clip_id>/card")
def card(clip_id: int) -> ResponseReturnValue:
    """A clip that has just been uploaded, for the top of the grid."""
    return cards([clips.get(current_user, clip_id)], oob=False)


@blueprint.get("/clips/<int:clip_id>")
def show(clip_id: int) -> ResponseReturnValue:
    """All about a clip: in the panel beside the list, or on a page of its own."""
    [card] = clip_cards.cards_of([clips.get(current_user, clip_id)])
    return render_template("clips/_panel.html" if request.htmx else "clips/show.html", card=card)


@blueprint.post("/clips/<int:clip_id>/retry")
def retry(clip_id: int) -> ResponseReturnValue:
    """«Повторить» on the card: all that has failed."""
    clip = clips.get(current_user, clip_id)
    retries.retry_clip(current_user, clip)
    return responses.done("Публикуем ещё раз.", url_for(".page"), cards([clip]))


@blueprint.post("/clips/<int:clip_id>/withdraw")
def withdraw(clip_id: int) -> ResponseReturnValue:
    """«Не публиковать»: takes «Опубликовать, когда загрузится» back while the clip is being checked."""
    withdrawn = publish_when_ready.withdraw(current_user, clip_id)
    text = "Не опубликуем." if withdrawn else "Клип уже проверен: что с его публикациями, видно на карточке."
    return responses.done(text, url_for(".page"), cards([clips.get(current_user, clip_id)]))


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


@blueprint.route("/clips/delete", methods=["GET", "POST"])
def delete_many() -> ResponseReturnValue:
    """The chosen clips: as many as can be. What cannot is named, and stays chosen."""
    chosen = clip_deletion.chosen(current_user, request.values.getlist("clip", int))
    if not chosen:
        raise Problem("no_clip_chosen")
    if request.method == "GET":
        return responses.dialog("clips/_delete_many.html", chosen=chosen, refusals=[])
    deletion = clip_deletion.delete(current_user, [clip.id for clip in chosen])
    fragments = removed(deletion.clip_ids)
    text = f"Удалено: {plural(len(deletion.clip_ids), 'клип', 'клипа', 'клипов')}." if deletion.clip_ids else ""
    undo = url_for("undo.restore", undo_id=deletion.undo_id) if deletion.undo_id else None
    left = [clip for clip in chosen if clip.id in deletion.finishing]
    if not left:
        return responses.done(text, url_for(".page"), fragments, undo=undo)
    refusals = [(clip, Problem("clip_being_handed_over")) for clip in left]
    response = responses.dialog("clips/_delete_many.html", chosen=left, refusals=refusals)
    response.set_data(response.get_data(as_text=True) + (fragments if request.htmx else ""))
    return responses.trigger(response, "toast", text=text, kind="ok", undo=undo) if text and request.htmx else response


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


def known_versions(pattern: re.Pattern[str], name: str = "known") -> dict[int, str]:
    """The versions that a page shows, as its poll sends them, by id."""
    known = [pattern.fullmatch(text) for text in request.args.getlist(name)]
    if not all(known):
        raise Problem("stale_page")
    return {int(match[1]): match[2] for match in known}
