"""For monitoring: liveness, readiness and the figures for Prometheus."""

import hmac

import structlog
from flask import Blueprint, Response, abort, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST

from app.observability import metrics as prometheus
from app.services import ops, readiness
from app.web.access import acts_as_admin, public

blueprint = Blueprint("health", __name__)
log = structlog.get_logger(__name__)


@blueprint.get("/healthz")
@public
def process() -> str:
    """Liveness."""
    return "ok"


@blueprint.get("/readyz")
@public
def ready() -> ResponseReturnValue:
    """Database, Redis and storage can be used by this process; otherwise 503. Only names: the causes are in the log."""
    state = readiness.state()
    response = jsonify({name: "ok" if works else "down" for name, works in state.items()})
    return response, 200 if all(state.values()) else 503


@blueprint.get("/metrics")
@public
def metrics() -> ResponseReturnValue:
    """For Prometheus with `Authorization: Bearer METRICS_TOKEN`, and for admins who are signed in."""
    token, given = current_app.config["METRICS_TOKEN"], request.headers.get("Authorization", "")
    has_token = token and hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
    if not has_token and not acts_as_admin():
        if given:
            log.warning("a wrong METRICS_TOKEN", refusal="metrics_token")
        abort(Response("", 401, {"WWW-Authenticate": "Bearer"}))
    return Response(prometheus.text(ops.figures()), content_type=CONTENT_TYPE_LATEST)
