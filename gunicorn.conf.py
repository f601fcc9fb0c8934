"""Settings of the web process, for the Procfile and for `make run` alike. WEB_CONCURRENCY: how many workers."""

import os
from pathlib import Path

from app.process.lifetime import die_with_parent

bind = f"0.0.0.0:{os.environ.get('PORT', '8000')}"
worker_class = "app.server.worker.Worker"  # no slow client holds one of these threads: docs/decisions/0012
threads = 16
# This only ends a worker whose main loop has stopped.
timeout = 120
# Uploads go on from where they were cut, so a restart need not wait for them.
graceful_timeout = 8
# The heartbeat file in memory: a busy disk would make a healthy worker look dead.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
control_socket_disable = True
# Its own words in the same JSON lines as the application's.
logconfig_dict = {
    "handlers": {"json": {"()": "app.observability.logs.handler"}},
    "formatters": {},
    "root": {"level": "INFO", "handlers": ["json"]},
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True}},
}


def post_fork(server, worker):
    die_with_parent(server.pid)
