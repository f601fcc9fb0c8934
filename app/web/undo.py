"""«Вернуть»: what was cancelled, deleted or disconnected a moment ago."""

from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.models import UndoKind
from app.services import publications, undo
from app.web import responses
from app.web.publications import shown_change

blueprint = Blueprint("undo", __name__, url_prefix="/undo")

blueprint.add_app_template_global(responses.flashed_undo)
blueprint.add_app_template_global(lambda: responses.TOAST_WITH_UNDO_MS, "toast_with_undo_ms")


@blueprint.post("/<int:undo_id>")
def restore(undo_id: int) -> ResponseReturnValue:
    restored = undo.restore(current_user, undo_id)
    if restored.kind == UndoKind.CANCEL:
        [kept] = restored.publications
        publication = publications.get(current_user, kept["id"])
        return responses.undone("Публикация возвращена.", *shown_change(publication))
    if restored.kind == UndoKind.DISCONNECT:
        return responses.undone("Аккаунт снова подключён.", url_for("integrations.page"))
    text = "Клип возвращён." if len(restored.clip_ids) == 1 else "Клипы возвращены."
    return responses.undone(text, url_for("clips.page"))
