"""create_app(): the only file that knows every part.

It imports them when it is called, so that a small program (the probe of a file) can use one module alone.
"""

import os
import zoneinfo
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

# Time zones are those of the pinned tzdata package. The system's own come first by default, and may be years old.
zoneinfo.reset_tzpath(to=())
zoneinfo.ZoneInfo.clear_cache()


def create_app(environ: Mapping[str, str] = os.environ) -> "Flask":
    """The whole application from its environment. Raises config.BadSettings with all that is wrong."""
    from sqlalchemy.engine import make_url

    from app import api, cli, config, platforms, storage, texts, web
    from app.db import connect_migrations, db, engine_options, prepare_postgresql, prepare_sqlite
    from app.media import pictures, probe
    from app.media.recipes import recipe
    from app.observability import logs, sentry
    from app.outgoing import trust
    from app.process.lifetime import give_memory_back, write_no_core_files
    from app.redis_client import connect_redis
    from app.serving.unit_of_work import UnitOfWork
    from app.vault import Vault
    from app.web.access import csrf, htmx, login

    give_memory_back()
    write_no_core_files()
    logs.configure()
    values = config.load(environ, platforms.settings())
    trust.trust_also("\n".join(config.certificates_in(values["EXTRA_CA_FILE"])))
    sentry.connect(values["SENTRY_DSN"])
    app = UnitOfWork(__name__)
    app.config.update(values)
    app.config["SQLALCHEMY_DATABASE_URI"] = values["DATABASE_URL"]
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(values["DATABASE_URL"])

    db.init_app(app)
    connect_migrations(app)
    login.init_app(app)
    csrf.init_app(app)
    htmx.init_app(app)
    connect_redis(app)
    storage.connect_storage(app)
    texts.add_reasons(probe.REASONS)
    texts.add_reasons(pictures.REASONS)
    texts.add_reasons(recipe.REASONS)
    texts.add_reasons(platforms.reasons())
    app.extensions["vault"] = Vault(values["VAULT_PUBLIC_KEY"], values["VAULT_PRIVATE_KEY"])
    sqlite = make_url(values["DATABASE_URL"]).get_backend_name() == "sqlite"
    with app.app_context():
        (prepare_sqlite if sqlite else prepare_postgresql)(db.engine)

    web.register(app)
    api.register(app)
    for blueprint in api.blueprints():
        csrf.exempt(blueprint)
    cli.register(app)
    return app
