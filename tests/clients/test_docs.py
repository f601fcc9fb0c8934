"""docs/api.md: its examples run as they stand there, from the first to the last."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.conftest import ROOT, Studio, Terminal
from vezde_client.commands import parser_of_all
from vezde_client.errors import Exit

DOCS = ROOT / "docs"
PAGE = (DOCS / "api.md").read_text()


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def beside_a_clip(terminal: Terminal, vertical_file: Path, tmp_path: Path) -> Terminal:
    shutil.copy(vertical_file, tmp_path / "clip.mp4")
    return terminal


@pytest.mark.parametrize("program", ["curl", "jq"])
def test_the_machine_has_what_the_examples_need(program: str):
    if shutil.which(program) is None:
        pytest.skip(f"нужен {program}: apt install {program}")


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="нужны curl и jq")
def test_every_command_of_the_page_does_what_it_says(beside_a_clip: Terminal, studio: Studio):
    """They share their variables, as on the page."""
    assert len(examples("sh")) >= 9
    script = "set -euo pipefail\n" + "\n".join(examples("sh"))
    done = run(["bash", "-xc", script], beside_a_clip)
    assert '"status": "published"' in done
    assert '"cancelled"' in done
    assert len(studio.posts("Закат над Волгой")) == 1


@pytest.mark.parametrize("number", range(len(examples("python"))))
def test_every_program_of_the_page_does_what_it_says(beside_a_clip: Terminal, number: int):
    done = run([sys.executable, "-c", examples("python")[number]], beside_a_clip)
    assert "клип " in done or "published http" in done, done


def run(command: list[str], terminal: Terminal) -> str:
    done = subprocess.run(
        command, cwd=terminal.folder, env=terminal.environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_pages_name_every_command_and_every_exit_code():
    page = (DOCS / "cli.md").read_text()
    [commands] = [one for one in parser_of_all()._actions if one.choices]
    assert [name for name in commands.choices if f"`{name}" not in page] == []
    assert [code for code in Exit if f"\n| {code.value} |" not in page] == []
