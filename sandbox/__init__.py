"""Strict emulators of the platforms, for the demo and for tests.

Imports nothing of `app`, and `app` nothing of it. Usage: README.md.
"""

from pathlib import Path

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from sandbox.body import ConnectionLost
from sandbox.commands import BadCommand, bad_command_response
from sandbox.control import Control
from sandbox.dzen import Dzen
from sandbox.emulator import OPTIONS, Emulator
from sandbox.faults import FaultRules
from sandbox.guard import Guard
from sandbox.mail import Mailbox
from sandbox.max import Max
from sandbox.middleware import FaultMiddleware
from sandbox.ok import Ok
from sandbox.pages import Pages
from sandbox.rutube import Rutube
from sandbox.state import DraftGone, State
from sandbox.telegram import Telegram
from sandbox.tiktok import TikTok
from sandbox.vk import Vk
from sandbox.youtube import YouTube

EMULATORS = (Vk, Rutube, Dzen, Telegram, YouTube, TikTok, Max, Ok)


def create_sandbox(var_dir: str | Path, base_url: str | None = None) -> Flask:
    """`var_dir` belongs to one process. `base_url`: the public address, if it differs from the Host header."""
    app = Flask(__name__)
    app.config["BASE_URL"] = base_url
    app.json.ensure_ascii = False
    app.json.sort_keys = False

    options = dict(OPTIONS)
    for emulator in EMULATORS:
        options |= emulator.options
    state = State(Path(var_dir), options)
    faults = FaultRules(state)
    emulators = [emulator(state) for emulator in EMULATORS]
    for emulator in emulators:
        state.seed(emulator.key, emulator.seed)
        app.register_blueprint(emulator.blueprint())
    mailbox = app.extensions["mailbox"] = Mailbox(state, faults)
    for part in (Control, Pages):
        app.register_blueprint(part(state, faults, emulators, mailbox).blueprint())

    @app.before_request
    def advance_emulators() -> None:
        if isinstance(request.routing_exception, RequestRedirect):
            abort(404)  # no vendor redirects a POST to the address with the slash
        with state.lock:
            for emulator in emulators:
                emulator.advance()

    by_prefix = {prefix: emulator for emulator in emulators for prefix in emulator.prefixes}
    app.register_error_handler(HTTPException, lambda error: _routing_error(error, by_prefix))
    app.register_error_handler(BadCommand, bad_command_response)
    app.register_error_handler(ConnectionLost, _no_response)
    app.register_error_handler(DraftGone, _no_response)
    app.wsgi_app = Guard(FaultMiddleware(app.wsgi_app, state, faults, by_prefix), base_url)
    return app


def _routing_error(error: HTTPException, by_prefix: dict[str, Emulator]) -> Response | HTTPException:
    """An unknown path or method of a platform: an error in the platform's format."""
    emulator = by_prefix.get(request.path.split("/")[1])
    if emulator is None or request.routing_exception is None:
        return error
    return emulator.status(request.path, error.code, None)


def _no_response(_: Exception) -> tuple[str, int]:
    """A placeholder: the middleware closes the connection instead of sending it."""
    request.environ["wsgi.input"].aborted = True
    return "", 400
