"""Logs: one JSON object a line on stdout, with the ids that the context carries, and without secrets.

Tracebacks show lines of code and never the values of variables. A command's stdout is its result: its log goes to
stderr.
"""

import logging
import sys

import click
import structlog

from app.observability import redact, refusals, sentry

_SHARED = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure() -> None:
    structlog.configure(
        processors=[*_SHARED, refusals.count, sentry.report, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [handler()]
    root.setLevel(logging.INFO)
    # These quote addresses, and Telegram's hold the token.
    for chatty in ("urllib3", "requests", "botocore", "boto3", "s3transfer"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # which of its own parts it has loaded


def handler() -> logging.Handler:
    """For the application, and for gunicorn.conf.py: one format for both."""
    made = logging.StreamHandler(sys.stderr if click.get_current_context(silent=True) else sys.stdout)
    made.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(ensure_ascii=False),
                # The last: every field of every library's line passes it.
                lambda _logger, _name, line: redact.text(line),
            ],
        )
    )
    return made
