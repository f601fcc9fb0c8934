"""Pages, style sheets and scripts are compressed by what the browser takes: Brotli, zstd or gzip.

Files of app/static are compressed once, by scripts/statics.py. Secrets beside reflected input (BREACH) are no concern:
the cookies are SameSite, so another site cannot make the browser ask for such a page.
"""

from flask import Flask
from flask_compress import Compress


def register(app: Flask) -> None:
    app.config.update(
        COMPRESS_ALGORITHM=["br", "zstd", "gzip"],  # the smallest first
        COMPRESS_BR_LEVEL=7,
        COMPRESS_ZSTD_LEVEL=5,
        COMPRESS_MIMETYPES=["text/html", "text/css", "text/javascript", "application/json", "image/svg+xml"],
    )
    Compress(app)
