"""«Управление»: the state of the whole installation, for admins. Shows no user's clips and no tokens.

/ops/queues is rq-dashboard, read-only: a job is only a wake-up, so requeueing or deleting it gains nothing, and its
requests have no form token, one of them is a GET. Its pages have inline scripts: they get a nonce and a content policy
of their own, so that a job's text that is shown as HTML still runs nothing.
"""

import secrets

import rq_dashboard
from flask import Blueprint, Flask, Response, abort, current_app, render_template, request
from flask.typing import ResponseReturnValue
from rq_dashboard.web import config as dashboard
from werkzeug.exceptions import NotFound

from app.queue.wake_ups import SERIALIZER, WakeUp, WakeUpQueue
from app.services import heartbeats, incidents, ops
from app.web.access import READING, require_admin

blueprint = Blueprint("ops", __name__, url_prefix="/ops")
blueprint.before_request(require_admin)

NAME = rq_dashboard.blueprint.name
MUTATING = (f"{NAME}.requeue_all",)
KINDS = {
    "worker": "Работник",
    "spare": "Запасной работник",
    "probe": "Проверка клипов",
    "import": "Загрузка по ссылкам",
    "media": "Обработка клипов",
    "scheduler": "Расписание",
    "ticks": "Тики",
}


@blueprint.get("")
def page() -> ResponseReturnValue:
    return render_template(
        "ops/page.html",
        figures=ops.figures(),
        incidents=incidents.overviews(),
        waiting=ops.waiting(),
        workers=heartbeats.alive(),
        kinds=KINDS,
    )


@rq_dashboard.blueprint.errorhandler(rq_dashboard.web.NoSuchJobError)
@rq_dashboard.blueprint.errorhandler(ValueError)
def _unreadable(error: Exception) -> ResponseReturnValue:
    """The job has ended meanwhile, or is not one of this application."""
    return current_app.handle_http_exception(NotFound())


def register(app: Flask) -> None:
    app.config["RQ_DASHBOARD_REDIS_URL"] = app.config["REDIS_URL"]
    app.config["RQ_DASHBOARD_DISABLE_DELETE"] = True
    dashboard.serializer = SERIALIZER
    # Its views of a job and of the workers would unpickle what they read.
    rq_dashboard.web.Job = WakeUp
    rq_dashboard.web.Queue = WakeUpQueue
    rq_dashboard.web.Worker.job_class = WakeUp
    rq_dashboard.web.setup_rq_connection(app)
    app.register_blueprint(rq_dashboard.blueprint, url_prefix="/ops/queues")
    app.before_request(_guard)
    app.after_request(_allow_its_scripts)


def _guard() -> None:
    if request.blueprint != NAME:
        return
    require_admin()
    if request.method not in READING or request.endpoint in MUTATING:
        abort(405)


def _allow_its_scripts(response: Response) -> Response:
    if request.blueprint == NAME and response.mimetype == "text/html" and not response.direct_passthrough:
        nonce = secrets.token_urlsafe(16)
        response.set_data(response.get_data().replace(b"<script", f'<script nonce="{nonce}"'.encode()))
        # Its templates are compiled in the browser: hence eval.
        response.headers["Content-Security-Policy"] = (
            f"default-src 'self'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    return response
