"""Static files: cached for a year, at addresses that change with their content.

The style sheets of app/static/css are sent as one file. The scripts of app/static/js are ES modules, which import each
other by relative addresses: so the version stands in the path, /assets/<version>/js/main.js.
"""

import hashlib
import os
import re
from functools import lru_cache
from pathlib import Path
from wsgiref.headers import Headers

from flask import Blueprint, Flask, Response, current_app, g, send_from_directory, url_for
from whitenoise import WhiteNoise

from app.web.access import public
from app.web.headers import strict_transport

YEAR = 365 * 24 * 3600
# Before all others, which are in the order of their names.
FIRST_STYLES = ("vendor/font.css", "css/tokens.css", "css/base.css")

# A file, and when it was last changed.
Stamp = tuple[Path, int]

# Of the pages before the sign-in alone.
DOOR = "door.js"

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
        # Otherwise their sizes are read once, and they must not change while the process runs; in the demo they may.
        autorefresh=app.debug or app.config["DEMO"],
        allow_all_origins=False,
        add_headers_function=add_headers,
    )
    app.jinja_env.globals.update(static=static, script=script, scripts=scripts, styles=styles, assets_version=version)
    app.register_blueprint(blueprint)


def static(name: str) -> str:
    """The address of a file. Computed once a request: a page names its icons hundreds of times."""
    known = g.setdefault("statics", {})
    if name not in known:
        file = _folder() / name
        digest = _digest(_stamp(file)) if file.is_file() else None
        known[name] = url_for("static", filename=name, v=digest)
    return known[name]


def styles() -> str:
    """The address of the one style sheet."""
    return url_for("assets.style_sheet", version=version())


def script(name: str) -> str:
    """The address of a module of app/static/js."""
    return url_for("assets.module", version=version(), name=name)


def scripts() -> list[str]:
    """The addresses of the modules of a page, to be requested before one imports the other."""
    return [script(file.name) for file, _ in _files("js") if file.name != DOOR]


def version() -> str:
    """Changes with any style sheet or module."""
    if "assets_version" not in g:
        g.assets_version = _digest(*_style_files(), *_files("js"))
    return g.assets_version


@blueprint.get("/<version>/app.css")
@public
def style_sheet(version: str) -> Response:
    def with_address(match: re.Match) -> str:
        return f"url({static(f'vendor/{match[1]}')})"

    text = "\n".join(file.read_text() for file, _ in _style_files())
    text = re.sub(r"/\*.*?\*/|^\s+", "", text, flags=re.DOTALL | re.MULTILINE)  # comments and indents are for us
    return _kept(Response(re.sub(r"url\(([\w.-]+)\)", with_address, text), mimetype="text/css"))


@blueprint.get("/<version>/js/<name>")
@public
def module(version: str, name: str) -> Response:
    return _kept(send_from_directory(_folder() / "js", name, mimetype="text/javascript"))


def _kept(response: Response) -> Response:
    response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
    return response


def _folder() -> Path:
    return Path(current_app.static_folder)


def _style_files() -> list[Stamp]:
    first = [_stamp(_folder() / name) for name in FIRST_STYLES]
    return first + [one for one in _files("css") if one not in first]


def _files(folder: str) -> list[Stamp]:
    """In the order of their names. Read once a request, and in one go: every page names them all."""
    known = g.setdefault("asset_files", {})
    if folder not in known:
        with os.scandir(_folder() / folder) as entries:
            known[folder] = sorted((Path(entry.path), entry.stat().st_mtime_ns) for entry in entries)
    return known[folder]


def _stamp(file: Path) -> Stamp:
    return file, file.stat().st_mtime_ns


@lru_cache(maxsize=256)
def _digest(*stamps: Stamp) -> str:
    digest = hashlib.sha256()
    for file, _modified in stamps:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:10]
