"""Checks of the machine for `make run`, and the settings of the application: ports, VAR_DIR, keys, the sandbox.

Environment variables override every setting.
"""

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from app import platforms
from app.process.secret_variable import execute_again_without

ROOT = Path(__file__).resolve().parent
HOST = "127.0.0.1"
NEEDS_MB = 200
# Of the sandbox's bot; everybody knows it.
DEMO_BOT_TOKEN = "220301544:AAdemo-notify-demo-notify-demo-notify"
ONE_KEY = "Из VAULT_PUBLIC_KEY и VAULT_PRIVATE_KEY (или VAULT_PRIVATE_KEY_FILE) задан один: задайте оба или ни одного."


class CannotRun(Exception):
    """The text is one line: what to do."""


def complete_environment(var: Path, port: int, sandbox_port: int, smtp_port: int | None = None) -> None:
    """Sets every missing setting. Of the vault's private key only the file: workers read it after the fork."""
    sandbox = f"http://{HOST}:{sandbox_port}"
    defaults = {
        "DEMO": "1",
        "WORKERS": "10",
        "PUBLIC_URL": f"http://{HOST}:{port}",
        "DATABASE_URL": f"sqlite:///{var / 'vezde.db'}",
        "REDIS_URL": f"unix://{redis_socket(var)}",
        "STORAGE_URL": f"file:{var / 'clips'}",
        "SECRET_KEY": read_or_create(var / "keys" / "secret_key", lambda: secrets.token_hex(32)),
        **vault_keys(var / "keys" / "vault_keys"),
        **notify_bot(var / "keys" / "notify_bot_token"),
        "LOCAL_HOSTS": f"{HOST}:{sandbox_port} {HOST}:{port}",
    }
    if smtp_port:
        defaults["SMTP_URL"] = f"smtp://{HOST}:{smtp_port}"
    for setting in platforms.settings():
        if setting.demo is not None:
            defaults[setting.name] = setting.demo.format(sandbox=sandbox)
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    os.environ.update({"VAR_DIR": str(var), "PORT": str(port), "SANDBOX_PORT": str(sandbox_port)})


def ports() -> tuple[int, int]:
    port, sandbox_port = _port("PORT", "8000"), _port("SANDBOX_PORT", "5050")
    if port == sandbox_port:
        raise CannotRun(f"PORT и SANDBOX_PORT одинаковы ({port}): задайте разные.")
    return port, sandbox_port


def smtp_port(sandbox_port: int) -> int:
    """Returns the SMTP port of the sandbox: SANDBOX_SMTP_PORT, or a free port derived from the sandbox's port, so that
    two copies have different ones. It is below the kernel's ephemeral ports.
    """
    if os.environ.get("SANDBOX_SMTP_PORT"):
        port = _port("SANDBOX_SMTP_PORT", "")
        check_free("SANDBOX_SMTP_PORT", port)
        return port
    first = 10_000 + sandbox_port % 20_000
    for port in range(first, first + 100):
        with suppress(CannotRun):
            check_free("SANDBOX_SMTP_PORT", port)
            return port
    raise CannotRun(f"Порты {first}–{first + 99} заняты: задайте порт для почты песочницы, SANDBOX_SMTP_PORT=…")


def _port(variable: str, default: str) -> int:
    text = os.environ.get(variable) or default
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise CannotRun(f"{variable}={text}: порт — число от 1 до 65535.")
    return int(text)


def check_free(variable: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                why = "занят (может быть, «Везде» уже запущено): освободите его или задайте другой"
            else:
                why = f"не занять ({error.strerror}): задайте другой"
            other = port + 1 if 1024 <= port < 65535 else 8000
            raise CannotRun(f"Порт {port} {why}, например: {variable}={other} make run") from None


def check_workers() -> None:
    """Called before the application is imported, which takes a second."""
    for name, most in (("WORKERS", 200), ("PROBE_WORKERS", 50), ("IMPORT_WORKERS", 20), ("MEDIA_WORKERS", 20)):
        text = os.environ.get(name, "1")
        if not text.isdigit() or not 0 < int(text) <= most:
            raise CannotRun(f"{name}={text}: нужно число от 1 до {most}.")


def var_dir() -> Path:
    var = Path(os.environ.get("VAR_DIR") or ROOT / "var").resolve()
    try:
        for folder in (var, var / "log", var / "keys", var / "redis", var / "clips", var / "sandbox"):
            folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=var).close()
    except OSError as error:
        raise CannotRun(f"Папка VAR_DIR={var} не годится: {error.strerror}. Задайте другую: VAR_DIR=…") from None
    free_mb = shutil.disk_usage(var).free >> 20
    if free_mb < NEEDS_MB:
        raise CannotRun(f"Мало места на диске: в {var} свободно {free_mb} МБ, нужно хотя бы {NEEDS_MB}.")
    return var


def lock(var: Path) -> int:
    """Locks VAR_DIR: two Redis servers would corrupt their common journal. The children inherit the lock."""
    descriptor = os.open(var / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    give_up = time.monotonic() + 3  # the children of a killed run end shortly
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise CannotRun(
                    f"С папкой {var} уже работает другой запуск: остановите его или задайте свою папку, VAR_DIR=…"
                ) from None
            time.sleep(0.1)


def redis_socket(var: Path) -> Path:
    """Returns a path in a folder with a short name (a socket's path has at most 107 bytes), the same at each start, so
    that a flask command finds it. Other users can write to /tmp: the folder must be ours and closed to them.
    """
    folder = Path(tempfile.gettempdir()) / f"vezde-{os.getuid()}-{hashlib.sha256(bytes(var)).hexdigest()[:12]}"
    if len(bytes(folder)) > 90:
        folder = Path("/tmp") / folder.name
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise CannotRun(f"Папка {folder} не ваша или открыта другим: удалите её или задайте другую, TMPDIR=…")
    return folder / "redis.sock"


def forget_redis_socket(var: Path) -> None:
    path = redis_socket(var)
    path.unlink(missing_ok=True)
    path.parent.rmdir()


def vault_keys(file: Path) -> dict[str, str]:
    """Returns the public key and the file with the private one, which is read, or made, in a process of its own: what
    this one has read, all its children would have in their memory.
    """
    if os.environ.get("VAULT_PUBLIC_KEY"):
        if not any(map(os.environ.get, ("VAULT_PRIVATE_KEY", "VAULT_PRIVATE_KEY_FILE"))):
            raise CannotRun(ONE_KEY)
        return {}
    if any(map(os.environ.get, ("VAULT_PRIVATE_KEY", "VAULT_PRIVATE_KEY_FILE"))):
        raise CannotRun(ONE_KEY)
    made = subprocess.run([sys.executable, "-m", "app.vault", file], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if made.returncode:
        raise CannotRun(f"Ключи в {file} не прочесть и не записать: проверьте права на папку.")
    return {"VAULT_PUBLIC_KEY": made.stdout, "VAULT_PRIVATE_KEY_FILE": str(file)}


def notify_bot(file: Path) -> dict[str, str]:
    """The sandbox's own bot, unless the environment names another."""
    if any(map(os.environ.get, ("NOTIFY_BOT_NAME", "NOTIFY_BOT_TOKEN_FILE"))):
        return {}
    return {"NOTIFY_BOT_TOKEN_FILE": str(write_closed(file, DEMO_BOT_TOKEN))}


def write_closed(file: Path, text: str) -> Path:
    """Closed to others by the umask."""
    file.write_text(text)
    return file


def leave_secrets_to_workers(var: Path) -> None:
    """What the environment gives goes to a file, and this program is executed again without it."""
    if token := os.environ.get("NOTIFY_BOT_TOKEN"):
        file = write_closed(var / "keys" / "given_bot_token", token)
        execute_again_without("NOTIFY_BOT_TOKEN", {"NOTIFY_BOT_TOKEN_FILE": str(file)})
    if private_key := os.environ.get("VAULT_PRIVATE_KEY"):
        if not os.environ.get("VAULT_PUBLIC_KEY"):
            raise CannotRun(ONE_KEY)
        file = write_closed(_given_key(var), private_key)
        execute_again_without("VAULT_PRIVATE_KEY", {"VAULT_PRIVATE_KEY_FILE": str(file)})


def forget_given_secrets(var: Path) -> None:
    for file in (_given_key(var), var / "keys" / "given_bot_token"):
        file.unlink(missing_ok=True)


def _given_key(var: Path) -> Path:
    return var / "keys" / "given_private_key"


def read_or_create(file: Path, make: Callable[[], str]) -> str:
    """Returns the file's text, which is created at the first start."""
    if not file.exists():
        fresh = file.with_suffix(".new")
        fresh.write_text(make())
        fresh.chmod(0o600)
        fresh.replace(file)
    return file.read_text()
