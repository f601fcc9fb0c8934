"""The publish window: where a clip goes, with which texts, and when; then how each platform confirms."""

from collections.abc import Collection, Sequence

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup

from app import texts
from app.db import db
from app.models import Clip, Publication
from app.platform_access.rate_limits import quotas_left
from app.problems import NotFound, Problem
from app.services import (
    account_sets,
    clips,
    connection_list,
    destinations,
    history,
    publication_options,
    publications,
    slot_queue,
)
from app.services.asked_options import Look
from app.services.destinations import Destination
from app.services.publications import Choice
from app.web import asking, due_time, plan_page, publish_form, responses
from app.web.clip_cards import cards

blueprint = Blueprint("publish", __name__, url_prefix="/clips/<int:clip_id>")


@blueprint.get("/publish")
def choose(clip_id: int) -> ResponseReturnValue:
    clip, found, looks = _asked(clip_id)
    remembered = publication_options.remembered(current_user, [one.connection for one in found])
    return _window(clip, publish_form.fresh(clip, found, remembered, looks), when=due_time.asked_for())


@blueprint.post("/publish")
def publish(clip_id: int) -> ResponseReturnValue:
    try:
        if request.form.get("due"):  # a mistake, and publishing cannot be undone
            raise Problem("due_given", "due")
        publications.publish(current_user, clip_id, _choices())
    except Problem as problem:
        return _refused(clip_id, problem)
    _remember()
    if request.htmx:
        return _under_way(clip_id)
    return responses.done("Публикуем. Ход виден на карточке клипа.", _page_below())


@blueprint.post("/schedule")
def schedule(clip_id: int) -> ResponseReturnValue:
    try:
        made = publications.publish(current_user, clip_id, _choices(), due_time.sent())
    except Problem as problem:
        return _refused(clip_id, problem)
    _remember()
    return _scheduled(clip_id, made)


@blueprint.post("/queue")
def put_in_queue(clip_id: int) -> ResponseReturnValue:
    """At the next free slot of a set."""
    try:
        if request.form.get("due"):
            raise Problem("due_or_queue", "due")
        made = slot_queue.put(current_user, clip_id, publish_form.queue() or 0, _choices())
    except Problem as problem:
        return _refused(clip_id, problem)
    _remember()
    return _scheduled(clip_id, made)


@blueprint.post("/sets")
def sets(clip_id: int) -> ResponseReturnValue:
    """Chooses, saves or deletes a set of accounts; the window comes back with all that is typed in it."""
    form, ticked = request.form, None
    clip, found, looks = _asked(clip_id)
    try:
        if "save-set" in form:
            account_sets.save(current_user, form.get("set-name", ""), publish_form.chosen())
        elif "delete-set" in form:
            account_sets.remove(current_user, form.get("delete-set", 0, int))
        else:
            chosen = account_sets.get(current_user, form.get("set", 0, int))
            ticked = publish_form.ids_of(chosen, found)
    except Problem as problem:
        return _refused(clip_id, problem)
    return _window(clip, publish_form.sent(clip, found, looks, ticked=ticked))


@blueprint.post("/publish/options")
def look_again(clip_id: int) -> ResponseReturnValue:
    """The window with what platforms have answered by now, and with all that is typed in it. `look`: the account whose
    platform is asked once more.
    """
    clip, found, looks = _asked(clip_id)
    return _window(clip, publish_form.sent(clip, found, looks))


@blueprint.get("/publish/options/<int:connection_id>")
def options(clip_id: int, connection_id: int) -> ResponseReturnValue:
    """The poll of an account's tab: empty while its platform has not answered."""
    clip = clips.get(current_user, clip_id)
    found = [one for one in destinations.for_clip(current_user, clip) if one.connection.id == connection_id]
    looks = asking.looks([one.connection for one in found])
    if connection_id not in looks:
        raise NotFound
    if asking.is_waited_for(looks[connection_id]):
        return Response(status=204)
    remembered = publication_options.remembered(current_user, [one.connection for one in found])
    [row] = publish_form.fresh(clip, found, remembered, looks).rows
    return render_template("publish/_asked.html", clip=clip, row=row, problem=None)


@blueprint.get("/publish/progress")
def progress(clip_id: int) -> ResponseReturnValue:
    """What the window shows after a press, until each platform has confirmed or refused."""
    accounts = set(request.args.getlist("account", int))
    rows = _on_accounts(clips.get(current_user, clip_id).id, accounts)
    return render_template("publish/_rows.html", clip_id=clip_id, rows=rows)


def _scheduled(clip_id: int, made: Sequence[Publication]) -> Response:
    text = scheduled_text(made[0]) if made else Problem("already_live").text
    return responses.done(text, _page_below(), cards([clips.get(current_user, clip_id)]))


def _page_below() -> str:
    """Where a window without scripts leads back to: the day of the plan on which «+» was pressed, or the clips."""
    day = plan_page.day_of(request.values.get("plan"))
    return url_for("plan.page", on=day) if day else url_for("clips.page")


def _window(
    clip: Clip,
    window: publish_form.Window,
    problem: Problem | None = None,
    when: due_time.DueField | None = None,
) -> Response:
    return responses.dialog(
        "publish/_window.html",
        clip=clip,
        window=window,
        quotas=quotas_left(row.destination.connection.platform for row in window.rows),
        sets=account_sets.all_of(current_user),
        queues=due_time.queues(slot_queue.offers(current_user)),
        when=when or due_time.typed(),
        problem=problem,
        page_below=_page_below(),
        heading="Публикация",
    )


def _refused(clip_id: int, problem: Problem) -> Response:
    """With what was typed and ticked, and nothing of the request kept."""
    db.session.rollback()
    clip, found, looks = _asked(clip_id)
    return _window(clip, publish_form.sent(clip, found, looks, problem), problem)


def _choices() -> list[Choice]:
    """Raises Problem."""
    made = publish_form.choices()
    chosen = {choice.connection_id for choice in made}
    for one in connection_list.usable(current_user) if asking.known() else ():
        if one.id in chosen:
            asking.require_shown(one, f"option-{one.id}-")
    return made


def _asked(clip_id: int) -> tuple[Clip, list[Destination], dict[int, Look]]:
    """The clip, where it can go, and how far the answers of platforms are that must be asked first."""
    clip = clips.get(current_user, clip_id)
    found = destinations.for_clip(current_user, clip)
    if asking.ask([one.connection for one in found if not one.blocked]):
        clip = clips.get(current_user, clip_id)
        found = destinations.for_clip(current_user, clip)
    return clip, found, asking.looks([one.connection for one in found])


def _remember() -> None:
    account_sets.remember_choice(current_user, request.form.getlist("offered", int), publish_form.chosen())


def _under_way(clip_id: int) -> Response:
    clip = clips.get(current_user, clip_id)
    rows = _on_accounts(clip.id, publish_form.chosen())
    fragment = render_template("publish/_under_way.html", clip=clip, clip_id=clip.id, rows=rows)
    return Response(Markup(fragment) + cards([clip]))


def _on_accounts(clip_id: int, connection_ids: Collection[int]) -> list[Publication]:
    """The clip's newest publication on each of the accounts."""
    newest = history.for_clips(current_user, [clip_id]).get(clip_id, [])
    return [one for one in newest if one.connection_id in connection_ids]


def scheduled_text(publication: Publication) -> str:
    return f"{texts.status(publication, current_user.timezone)}."
