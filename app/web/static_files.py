"""Static files: cached for a year, at addresses that change with their content.

The style sheets of app/static/css are sent as one file, and so are the modules of app/static/js, one for each kind of
page: see docs/decisions/0021. Each is built and packed once a process, where the files may change once a change.
"""

import gzip
import hashlib
import os
import re
from functools import lru_cache
from pathlib import Path
from wsgiref.headers import Headers

import brotli
from flask import Blueprint, Flask, Response, current_app, g, request, url_for
from werkzeug.exceptions import NotFound
from whitenoise import WhiteNoise

from app.web.access import public
from app.web.headers import strict_transport
from app.web.script_bundle import bundle

YEAR = 365 * 24 * 3600
# Before all others, which are in the order of their names.
FIRST_STYLES = ("vendor/font.css", "css/tokens.css", "css/base.css")
# Of the pages after the sign-in, and of those before it.
ENTRIES = ("main.js", "door.js")

# A file, and when it was last changed.
Stamp = tuple[Path, int]

blueprint = Blueprint("assets", __name__, url_prefix="/assets")


def register(app: Flask) -> None:
    always = {"X-Content-Type-Options": "nosniff", **strict_transport(app)}

    def add_headers(headers: Headers, _path: str, _url: str) -> None:
        for name, value in always.items():
            headers[name] = value

    app.wsgi_app = WhiteNoise(
        app.wsgi_app,
        root=app.static_folder,
        prefix="static/",
        max_age=YEAR,
        # Otherwise their sizes are read once.
        autorefresh=_may_change(app),
        allow_all_origins=False,
        add_headers_function=add_headers,
    )
    app.jinja_env.globals.update(static=static, script=script, styles=styles, assets_version=version)
    app.extensions["assets"] = {}
    app.register_blueprint(blueprint)


def static(name: str) -> str:
    """The address of a file. A page names its icons hundreds of times."""
    known = _memory()
    if name not in known:
        file = _folder() / name
        digest = _digest(_stamp(file)) if file.is_file() else None
        known[name] = url_for("static", filename=name, v=digest)
    return known[name]


def styles() -> str:
    """The address of the one style sheet."""
    return url_for("assets.style_sheet", version=version())


def script(entry: str) -> str:
    """The address of a module of app/static/js together with all that it imports."""
    return url_for("assets.scripts", version=version(), entry=entry)


def version() -> str:
    """Changes with any style sheet or module."""
    known = _memory()
    if "/version" not in known:
        known["/version"] = _digest(*_style_files(), *_files("js"))
    return known["/version"]


@blueprint.get("/<version>/app.css")
@public
def style_sheet(version: str) -> Response:
    return _sent(_joined_styles(_style_files()), "text/css")


@blueprint.get("/<version>/<entry>")
@public
def scripts(version: str, entry: str) -> Response:
    if entry not in ENTRIES:
        raise NotFound
    return _sent(_joined_scripts(entry, _files("js")), "text/javascript")


@lru_cache(maxsize=4)
def _joined_styles(files: tuple[Stamp, ...]) -> str:
    def with_address(match: re.Match) -> str:
        return f"url({static(f'vendor/{match[1]}')})"

    text = "\n".join(file.read_text() for file, _ in files)
    text = re.sub(r"/\*.*?\*/|^\s+", "", text, flags=re.DOTALL | re.MULTILINE)  # comments and indents are for us
    return re.sub(r"url\(([\w.-]+)\)", with_address, text)


@lru_cache(maxsize=4)
def _joined_scripts(entry: str, files: tuple[Stamp, ...]) -> str:
    return bundle(files[0][0].parent, entry)


def _sent(text: str, mimetype: str) -> Response:
    encoding = request.accept_encodings.best_match(["br", "gzip"])
    response = Response(_packed(text, encoding) if encoding else text, mimetype=mimetype)
    response.content_encoding = encoding
    response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
    return response


@lru_cache(maxsize=12)
def _packed(text: str, encoding: str) -> bytes:
    """As small as it gets: it takes a fifth of a second, once."""
    return brotli.compress(text.encode(), brotli.MODE_TEXT) if encoding == "br" else gzip.compress(text.encode())


def _may_change(app: Flask) -> bool:
    """Whether the files change while the process runs: when the application is worked on."""
    return app.debug or app.config["DEMO"]


def _memory() -> dict:
    """What is known of the files: for this request where they may change, otherwise for good."""
    return g.setdefault("assets", {}) if _may_change(current_app) else current_app.extensions["assets"]


def _folder() -> Path:
    return Path(current_app.static_folder)


def _style_files() -> tuple[Stamp, ...]:
    first = tuple(_stamp(_folder() / name) for name in FIRST_STYLES)
    return first + tuple(one for one in _files("css") if one not in first)


def _files(folder: str) -> tuple[Stamp, ...]:
    """In the order of their names."""
    known = _memory()
    if folder not in known:
        with os.scandir(_folder() / folder) as entries:
            known[folder] = tuple(sorted((Path(entry.path), entry.stat().st_mtime_ns) for entry in entries))
    return known[folder]


def _stamp(file: Path) -> Stamp:
    return file, file.stat().st_mtime_ns


@lru_cache(maxsize=256)
def _digest(*stamps: Stamp) -> str:
    digest = hashlib.sha256()
    for file, _modified in stamps:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:10]
