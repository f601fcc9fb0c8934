"""The workers. `python worker.py`: all of the crew; `python worker.py scheduler`: rq-scheduler and its periodic tasks.

One parent imports the application, freezes what it holds, and forks: the children share its memory. The private keys
are not in it: each worker reads them after its fork.
"""

import os
import sys
from collections.abc import Callable
from functools import partial

from app.process.lifetime import forbid_memory_reads
from app.process.secret_variable import read, take
from app.process.supervisor import Child, Supervisor


def main(arguments: list[str]) -> None:
    if arguments not in ([], ["scheduler"]):
        sys.exit("python worker.py — работники; python worker.py scheduler — расписание")
    descriptor = take("VAULT_PRIVATE_KEY")
    if arguments and descriptor is not None:
        os.close(descriptor)
    supervise(schedule if arguments else partial(work, descriptor))


def supervise(add: Callable) -> None:
    import structlog

    from app import create_app
    from app.workers.crew import warm_up

    app, log = create_app(), structlog.get_logger(__name__)
    supervisor = Supervisor(lambda line: log.warning(line))
    add(app, supervisor)
    warm_up(app)
    supervisor.run()


def work(descriptor: int | None, app, supervisor: Supervisor) -> None:
    """`descriptor`: of the file with the private keys, where they came by the environment."""
    from app.workers import crew

    forbid_memory_reads()  # nor may others take the descriptor from here
    key_file = app.config["VAULT_PRIVATE_KEY_FILE"]
    if descriptor is None and key_file and not os.access(key_file, os.R_OK):
        sys.exit(f"VAULT_PRIVATE_KEY_FILE={key_file}: такого файла нет или его не прочесть.")
    private_keys = partial(read, descriptor) if descriptor is not None else lambda: None
    for name, run in crew.crew(app.config):
        life = partial(crew.begin, app, run, private_keys)
        supervisor.add(Child(name, life, grace=crew.STOP_GRACE_SECONDS))


def schedule(app, supervisor: Supervisor) -> None:
    from app.workers.crew import run_ticks
    from app.workers.scheduler import run_scheduler

    supervisor.add(Child("scheduler", partial(run_scheduler, app)))
    supervisor.add(Child("ticks", partial(run_ticks, app)))


if __name__ == "__main__":
    main(sys.argv[1:])
