"""Settings of the web process, for the Procfile and `make run`. WEB_CONCURRENCY: number of workers."""

import os
from pathlib import Path

from app.config import flag
from app.process.lifetime import die_with_parent

# The passwords of demo users are known to all: no other machine reaches them.
bind = f"{'127.0.0.1' if flag(os.environ.get('DEMO', '')) else '0.0.0.0'}:{os.environ.get('PORT', '8000')}"
worker_class = "app.server.worker.Worker"  # no slow client blocks a thread: docs/decisions/0012
threads = 16
# Only ends a worker whose main loop has stopped.
timeout = 120
# Interrupted uploads are resumed, so a restart does not wait for them.
graceful_timeout = 8
# The heartbeat file is in memory: with a busy disk, a healthy worker could time out.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
control_socket_disable = True
# gunicorn's log has the same JSON format as the application's.
logconfig_dict = {
    "handlers": {"json": {"()": "app.observability.logs.handler"}},
    "formatters": {},
    "root": {"level": "INFO", "handlers": ["json"]},
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True}},
}


def post_fork(server, worker):
    die_with_parent(server.pid)
