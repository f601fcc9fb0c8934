"""«Вернуть»: what was cancelled, moved, deleted or disconnected a moment ago."""

from collections.abc import Sequence

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
    if restored.kind in (UndoKind.CANCEL, UndoKind.MOVE):
        return _publications_restored([kept["id"] for kept in restored.publications])
    if restored.kind == UndoKind.DISCONNECT:
        return responses.undone("Аккаунт снова подключён.", url_for("integrations.page"))
    text = "Клип возвращён." if len(restored.clip_ids) == 1 else "Клипы возвращены."
    return responses.undone(text, url_for("clips.page"))


def _publications_restored(ids: Sequence[int]) -> ResponseReturnValue:
    if len(ids) > 1:
        return responses.undone(f"Возвращено публикаций: {len(ids)}.", url_for("publications.page"))
    return responses.undone("Публикация возвращена.", *shown_change(publications.get(current_user, ids[0])))
