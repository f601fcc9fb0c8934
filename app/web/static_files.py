"""Static files: cached for a year, at addresses that change with their content."""

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Flask, g, url_for
from whitenoise import WhiteNoise

YEAR = 365 * 24 * 3600


def register(app: Flask) -> None:
    folder = Path(app.static_folder)
    app.wsgi_app = WhiteNoise(
        app.wsgi_app,
        root=str(folder),
        prefix="static/",
        max_age=YEAR,
        # Otherwise their sizes are read once, and they must not change while the process runs; in the demo they may.
        autorefresh=app.debug or app.config["DEMO"],
        allow_all_origins=False,
        add_headers_function=lambda headers, _path, _url: headers.add_header("X-Content-Type-Options", "nosniff"),
    )

    def static(name: str) -> str:
        """Computed once a request: a page names its icons hundreds of times."""
        known = g.setdefault("statics", {})
        if name not in known:
            file = folder / name
            version = _digest(file, file.stat().st_mtime_ns) if file.is_file() else None
            known[name] = url_for("static", filename=name, v=version)
        return known[name]

    app.jinja_env.globals["static"] = static


@lru_cache(maxsize=256)
def _digest(file: Path, _modified: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:10]
