"""Finds Pythons on this machine: on PATH, of pyenv and of uv.

`python3 scripts/pythons.py python3.12` prints the path of that version; without an argument, it prints the other ones
of TESTED, one line of version and path each. Old syntax only, like setup.py, which imports it.
"""

import os
import subprocess
import sys
from pathlib import Path

TESTED = ("3.11", "3.12", "3.13")


def find(version):
    """Returns the path of a working Python of that version ("3.12"), or None. Prefers one that can create a venv."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local" / "share" / "uv" / "python")
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    folders += sorted(pyenv.glob(f"{version}*/bin")) + sorted(uv.glob(f"cpython-{version}*/bin"))
    paths = [str(folder / f"python{version}") for folder in folders]
    # pyenv has a shim on PATH for every version; shims of disabled versions fail.
    working = [path for path in paths if runs(path, "sys.exit(sys.prefix != sys.base_prefix)")]
    return next((path for path in working if runs(path, "import venv, ensurepip")), working[0] if working else None)


def runs(path, program):
    command = [path, "-c", f"import sys; {program}"]
    try:
        return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def main():
    if len(sys.argv) > 1:
        path = find(sys.argv[1].replace("python", ""))
        print(path or "")
        return 0 if path else 1
    for version in TESTED:
        if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
            continue
        path = find(version)
        if path:
            print(version, path)
        else:
            print(f"Python {version} на этой машине нет: на нём ничего не проверяется.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
