"""The outside world for the demo and for tests: strict emulators of the platforms.

Imports nothing of `app`, and `app` nothing of it. How to use it: README.md.
"""

from pathlib import Path

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from sandbox.body import ConnectionLost
from sandbox.commands import BadOrder, refused
from sandbox.control import Control
from sandbox.dzen import Dzen
from sandbox.emulator import OPTIONS, Emulator
from sandbox.faults import Troubles
from sandbox.mail import Mailbox
from sandbox.middleware import Gate
from sandbox.pages import People
from sandbox.rutube import Rutube
from sandbox.state import Gone, World
from sandbox.telegram import Telegram
from sandbox.vk import Vk

EMULATORS = (Vk, Rutube, Dzen, Telegram)


def create_sandbox(var_dir: str | Path, base_url: str | None = None) -> Flask:
    """`var_dir` is for one process alone. `base_url`: where Host is not what callers see."""
    app = Flask(__name__)
    app.config["BASE_URL"] = base_url
    app.json.ensure_ascii = False
    app.json.sort_keys = False

    options = dict(OPTIONS)
    for emulator in EMULATORS:
        options |= emulator.options
    world = World(Path(var_dir), options)
    troubles = Troubles(world)
    emulators = [emulator(world) for emulator in EMULATORS]
    for emulator in emulators:
        world.seed(emulator.key, emulator.seed)
        app.register_blueprint(emulator.blueprint())
    mailbox = app.extensions["mailbox"] = Mailbox(world, troubles)
    for part in (Control, People):
        app.register_blueprint(part(world, troubles, emulators, mailbox).blueprint())

    @app.before_request
    def settle() -> None:
        if isinstance(request.routing_exception, RequestRedirect):
            abort(404)  # no vendor sends a POST on to the address with the slash
        with world.lock:
            for emulator in emulators:
                emulator.settle()

    by_prefix = {prefix: emulator for emulator in emulators for prefix in emulator.prefixes}
    app.register_error_handler(HTTPException, lambda error: _unrouted(error, by_prefix))
    app.register_error_handler(BadOrder, refused)
    app.register_error_handler(ConnectionLost, _unanswered)
    app.register_error_handler(Gone, _unanswered)
    app.wsgi_app = Gate(app.wsgi_app, world, troubles, by_prefix)
    return app


def _unrouted(error: HTTPException, by_prefix: dict[str, Emulator]) -> Response | HTTPException:
    """A path or method that a platform does not have is refused in its own shape."""
    emulator = by_prefix.get(request.path.split("/")[1])
    if emulator is None or request.routing_exception is None:
        return error
    return emulator.status(request.path, error.code, None)


def _unanswered(_: Exception) -> tuple[str, int]:
    """Nobody sees this answer: the gate hangs up instead."""
    request.environ["wsgi.input"].lost = True
    return "", 400
