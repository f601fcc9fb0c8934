"""«Управление»: the state of the whole installation, for admins. Shows no user's clips and no tokens."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.services import heartbeats, ops
from app.web.access import require_admin

blueprint = Blueprint("ops", __name__, url_prefix="/ops")
blueprint.before_request(require_admin)

KINDS = {
    "worker": "Работник",
    "spare": "Запасной работник",
    "probe": "Проверка клипов",
    "scheduler": "Расписание",
    "ticks": "Тики",
}


@blueprint.get("")
def page() -> ResponseReturnValue:
    return render_template(
        "ops/page.html", figures=ops.figures(), waiting=ops.waiting(), workers=heartbeats.alive(), kinds=KINDS
    )
