"""The workers. `python worker.py`: all of the crew; `python worker.py scheduler`: rq-scheduler and its periodic tasks.

One parent imports the application, freezes what it holds, and forks: the children share its memory.
"""

import os
import sys
from functools import partial

import structlog

from app import create_app
from app.process.supervisor import Child, Supervisor
from app.workers.crew import STOP_GRACE_SECONDS, crew, run_ticks, warm_up
from app.workers.scheduler import run_scheduler

log = structlog.get_logger(__name__)


def main(arguments: list[str]) -> None:
    app = create_app()
    supervisor = Supervisor(lambda line: log.warning(line))
    if arguments == ["scheduler"]:
        os.environ.pop("VAULT_PRIVATE_KEY", None)
        supervisor.add(Child("scheduler", partial(run_scheduler, app)))
        supervisor.add(Child("ticks", partial(run_ticks, app)))
    elif not arguments:
        for name, run in crew(app.config):
            supervisor.add(Child(name, partial(run, app), grace=STOP_GRACE_SECONDS))
    else:
        sys.exit("python worker.py — работники; python worker.py scheduler — расписание")
    warm_up(app)
    supervisor.run()


if __name__ == "__main__":
    main(sys.argv[1:])
