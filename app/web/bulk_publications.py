"""Chosen publications: moved by so much, cancelled, sent once more, all at once and with one undo."""

from collections.abc import Callable, Mapping, Sequence

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.models import Publication, User
from app.problems import NotFound, Problem
from app.services import bulk_changes, clip_deletion, incidents
from app.services.bulk import MAX_PUBLICATIONS
from app.services.bulk_changes import Changed
from app.web import publications, responses
from app.web.input_guard import row_id

blueprint = Blueprint("bulk_publications", __name__, url_prefix="/bulk/publications")

MOVE, CANCEL, RETRY, DELETE = "move", "cancel", "retry", "delete"
_DONE = {MOVE: "Перенесено публикаций", CANCEL: "Отменено публикаций", RETRY: "Публикуем ещё раз"}


@blueprint.get("")
def ask() -> ResponseReturnValue:
    """What is to be done with the chosen ones."""
    action = request.args.get("do")
    action = action if action in (MOVE, CANCEL, RETRY, DELETE) else MOVE
    chosen = bulk_changes.chosen(current_user, _ids(action))
    if action == DELETE:
        ids = [one.clip_id for one in chosen if one.clip_id] + request.args.getlist("clip", row_id)
        if not (clips := clip_deletion.chosen(current_user, ids)):
            raise Problem("no_clip_chosen")
        return responses.dialog("clips/_delete_many.html", chosen=clips, refusals=[])
    return _dialog(action, chosen)


@blueprint.post("/move")
def move() -> ResponseReturnValue:
    ids, form = _chosen_ids(MOVE), request.form
    preset = form.get("by", "").split(":")
    typed = [form.get(name, "") for name in ("amount", "unit", "direction")]
    amount, unit, direction = preset if len(preset) == len(typed) else typed
    try:
        by, of_what = bulk_changes.parse_amount(amount, unit, earlier=direction == "earlier")
    except Problem as problem:
        return _dialog(MOVE, bulk_changes.chosen(current_user, ids), problem=problem)
    return _changed(MOVE, ids, lambda user, some: bulk_changes.move_by(user, some, by, of_what))


@blueprint.post("/cancel")
def cancel() -> ResponseReturnValue:
    return _changed(CANCEL, _chosen_ids(CANCEL), bulk_changes.cancel)


@blueprint.post("/retry")
def retry() -> ResponseReturnValue:
    return _changed(RETRY, _chosen_ids(RETRY), bulk_changes.retry)


def _ids(action: str) -> list[int]:
    """All that the list finds; or what an incident has kept from going out; or those that are chosen by themselves, and
    those of the chosen clips that the action is for.
    """
    if incident := request.args.get("incident", type=row_id):
        return list(incidents.missed_ids(current_user, incident, MAX_PUBLICATIONS))
    if "found" in request.values:
        return publications.found_ids(request.values, MAX_PUBLICATIONS)
    of_clips = bulk_changes.of_clips(current_user, request.values.getlist("clip", row_id), action)
    return [*request.values.getlist("publication", row_id), *of_clips]


def _chosen_ids(action: str) -> list[int]:
    """Raises Problem where there is none."""
    ids = [one.id for one in bulk_changes.chosen(current_user, _ids(action))]
    if not ids:
        raise Problem("no_publication_chosen")
    return ids


def _changed(action: str, ids: Sequence[int], change: Callable[[User, Sequence[int]], Changed]) -> ResponseReturnValue:
    """Success is told with the way back; what was refused is shown, each with its reason."""
    result = change(current_user, ids)
    text = f"{_DONE[action]}: {len(result.done)}." if result.done else ""
    undo = url_for("undo.restore", undo_id=result.undo.id) if result.undo else None
    if not result.refused:
        return responses.done(text, url_for("publications.page"), None, undo=undo)
    left = bulk_changes.chosen(current_user, list(result.refused))
    response = _dialog(action, left, refused=result.refused, done=text)
    if text and request.htmx:
        responses.trigger(response, "toast", text=text, kind="ok", undo=undo, ms=responses.TOAST_WITH_UNDO_MS)
    return response


def _dialog(
    action: str,
    chosen: Sequence[Publication],
    *,
    refused: Mapping[int, Problem | NotFound] | None = None,
    problem: Problem | None = None,
    done: str = "",
) -> Response:
    if not chosen and not refused:
        raise Problem("no_publication_chosen")
    return responses.dialog(
        "bulk/_publications.html",
        action=action,
        chosen=chosen,
        refused=refused or {},
        problem=problem,
        done=done,
        typed=request.form,
        zone=current_user.timezone,
        heading="Публикации",
    )
