"""The set-up script: what a person reads when it cannot go on, and what it makes for the browser.

The whole way on a bare machine is what CI does in each fresh clone.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "app" / "static" / "vendor"
SETUP = ROOT / "scripts" / "setup.py"
FINDER = ROOT / "scripts" / "pythons.py"

# Ends of real outputs: pip and uv without a network, uv without gcc, npm with a spoilt archive, pip on a full disk.
OUTPUTS = {
    "нет связи": [
        "Failed to establish a new connection: [Errno -3] Temporary failure in name resolution",
        "ERROR: No matching distribution found for uv==0.13.9",
        "error: Failed to fetch: `simple/flask/`\n  Caused by: error sending request for url\n  Caused by: dns error",
        "npm error code EAI_AGAIN\nnpm error network request to failed, reason: getaddrinfo EAI_AGAIN",
    ],
    "build-essential": [
        "error: [Errno 2] No such file or directory: 'gcc'\n\nhint: Build failures usually indicate a problem"
    ],
    "записанной суммой": ["npm error code EINTEGRITY", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"],
    "место на диске": ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"],
    "нет прав": ["OSError: [Errno 13] Permission denied: '.venv/bin/uv'"],
    "something new": ["line\nsomething new\n\n"],
}


def reason(output: str) -> str:
    program = f"import sys; sys.path.insert(0, {str(SETUP.parent)!r}); import setup; print(setup.reason(sys.argv[1]))"
    return subprocess.run([sys.executable, "-c", program, output], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("said", "output"), [(said, output) for said, outputs in OUTPUTS.items() for output in outputs]
)
def test_a_failed_step_is_told_in_words(said, output):
    assert said in reason(output)


def test_an_old_python_gets_as_far_as_its_message():
    for file in (SETUP, FINDER):
        ast.parse(file.read_text(), feature_version=(3, 7))


def test_a_python_is_found_behind_a_shim_that_fails_and_the_environment_is_made_anew_for_it(tmp_path):
    shims = tmp_path / "shims"
    shims.mkdir()
    others = subprocess.run([sys.executable, FINDER], capture_output=True, text=True, check=True).stdout.split()
    if not others:
        pytest.skip("на этой машине один Python")
    for name in (f"python{others[0]}", "python3.99"):
        (shims / name).write_text("#!/bin/sh\nexit 127\n")
        (shims / name).chmod(0o755)
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    outside |= {"PATH": f"{shims}:{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}", "VAR_DIR": str(tmp_path)}
    venv = tmp_path / "venv"

    def make(python: str) -> subprocess.CompletedProcess:
        command = ["make", "setup-run", f"PYTHON={python}", f"VENV={venv}"]
        return subprocess.run(command, cwd=ROOT, env=outside, capture_output=True, text=True)

    def version() -> str:
        return subprocess.run([venv / "bin" / "python", "-V"], capture_output=True, text=True, check=True).stdout

    assert "Нужен Python 3.11 или новее" in make("python3.99").stderr and not venv.exists()
    first, again = make(f"python{others[0]}"), make(f"python{others[0]}")
    assert version().startswith(f"Python {others[0]}."), first.stderr
    assert (first.returncode, again.returncode, again.stdout) == (0, 0, "")
    other = make(str(Path(sys.base_prefix) / "bin" / "python3"))
    assert other.returncode == 0, other.stdout + other.stderr
    assert version() == f"Python {sys.version.split()[0]}\n"
    assert subprocess.run([venv / "bin" / "python", "-c", "import flask, av"]).returncode == 0


def test_an_unknown_goal_is_refused():
    done = subprocess.run([sys.executable, SETUP, "everything"], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr == "Как вызывать: python3 scripts/setup.py run | dev | statics\n"


def test_locks_name_no_registry_and_hash_everything():
    for lock in [*ROOT.glob("requirements*.txt"), *(ROOT / "scripts").glob("requirements*.txt")]:
        text = lock.read_text()
        assert "://" not in text, lock
        names = re.findall(r"^([a-z0-9-]+)", text, re.MULTILINE)
        assert len(names) == len(set(names)), f"{lock}: one version of a package, whatever the Python"
        for block in re.split(r"\n(?=\S)", text.split("make lock\n")[1].strip()):
            assert re.match(r"[a-z0-9-]+(\[\w+\])?==\S+", block) and "--hash=sha256:" in block, block
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()


def test_every_icon_that_a_template_uses_is_in_the_sprite():
    symbols = {symbol.get("id") for symbol in ElementTree.parse(VENDOR / "icons.svg").getroot()}
    used = {
        icon
        for template in (ROOT / "app" / "templates").rglob("*.html")
        for icon in re.findall(r"#(i-[a-z0-9-]+)", template.read_text())
    }
    assert used <= symbols


def test_the_font_has_our_alphabet_and_the_rouble():
    css = (VENDOR / "font.css").read_text()
    files = re.findall(r"url\((.+?)\)", css)
    assert files
    for file in files:
        assert (VENDOR / file).read_bytes()[:4] == b"wOF2"
    ranges = [
        (int(first, 16), int(last or first, 16)) for first, last in re.findall(r"U\+([0-9A-F]+)(?:-([0-9A-F]+))?", css)
    ]
    for letter in "АЯаяЁё«»—…₽№Az09":
        assert any(first <= ord(letter) <= last for first, last in ranges), letter
