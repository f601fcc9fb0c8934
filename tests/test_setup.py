"""The set-up script: what a person reads when it cannot go on, and what it makes for the browser.

The whole way on a bare machine is what CI does in each fresh clone.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "app" / "static" / "vendor"
SETUP = ROOT / "scripts" / "setup.py"

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
    ast.parse(SETUP.read_text(), feature_version=(3, 7))


def test_an_unknown_goal_is_refused():
    done = subprocess.run([sys.executable, SETUP, "everything"], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr == "Как вызывать: python3 scripts/setup.py run | dev | statics\n"


def test_locks_name_no_registry_and_hash_everything():
    for lock in [*ROOT.glob("requirements*.txt"), *(ROOT / "scripts").glob("requirements*.txt")]:
        text = lock.read_text()
        assert "://" not in text, lock
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
    for file in re.findall(r"url\((.+?)\)", css):
        assert (VENDOR / file).read_bytes()[:4] == b"wOF2"
    ranges = [
        (int(first, 16), int(last or first, 16)) for first, last in re.findall(r"U\+([0-9A-F]+)(?:-([0-9A-F]+))?", css)
    ]
    for letter in "АЯаяЁё«»—…₽№Az09":
        assert any(first <= ord(letter) <= last for first, last in ranges), letter
