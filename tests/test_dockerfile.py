"""The image: its build stage is carried out here line by line, in an empty folder, with the Python that it names."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.procfile import ROOT, environ

FINDER = ROOT / "scripts" / "pythons.py"
LINES = re.findall(r"^([A-Z]+) (.+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
STAGES = [index for index, (word, _) in enumerate(LINES) if word == "FROM"]


def test_both_stages_have_one_python_that_is_tested():
    bases = {LINES[index][1].removesuffix(" AS build") for index in STAGES}
    assert len(bases) == 1
    program = f"import sys; sys.path.insert(0, {str(FINDER.parent)!r}); import pythons; print(*pythons.TESTED)"
    tested = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert version() in tested


def version() -> str:
    return re.search(r"python:(\d+\.\d+)", LINES[0][1])[1]


@pytest.fixture
def image_python(tmp_path: Path) -> Path:
    """A folder with nothing but the image's `python`."""
    found = subprocess.run([sys.executable, FINDER, version()], capture_output=True, text=True)
    if found.returncode:
        pytest.skip(f"Python {version()} из Dockerfile на этой машине нет")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(found.stdout.strip())} "$@"\n')
    (folder / "python").chmod(0o755)
    return folder


def copy(source: str, workdir: Path) -> None:
    """COPY into the working directory: of what git keeps, without what .dockerignore names."""
    git = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    kept = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    ignored = (ROOT / ".dockerignore").read_text().split()
    for name in kept.strip("\0").split("\0"):
        path = Path(name)
        above = [str(path), *map(str, path.parents)]
        if source not in (".", name) or any(fnmatch(one, pattern) for one in above for pattern in ignored):
            continue
        (workdir / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, workdir / path)


def test_what_the_image_installs_migrates_serves_and_probes(image_python, tmp_path, environment, vertical_file):
    workdir = tmp_path / "app"
    path = f"{image_python}:{os.environ['PATH']}"
    for word, rest in LINES[: STAGES[1]]:
        if word == "WORKDIR":
            workdir.mkdir()
        elif word == "COPY":
            copy(rest.split()[0], workdir)
        elif word == "RUN":
            done = subprocess.run(rest, shell=True, cwd=workdir, env=os.environ | {"PATH": path}, capture_output=True)
            assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    inside = environ(environment | {"DATABASE_URL": f"sqlite:///{tmp_path}/image.db"})
    inside |= {"PATH": f"{workdir}/.venv/bin:{path}", "PORT": "8000"}

    def run(*arguments: str) -> str:
        done = subprocess.run(arguments, cwd=workdir, env=inside, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert run("python", "-V").startswith(f"Python {version()}.")
    run("flask", "--app", "wsgi", "db", "upgrade")
    run(*json.loads(dict(LINES)["CMD"]), "--check-config")
    everything = (
        "import pkgutil, app, worker; [__import__(m.name) for m in pkgutil.walk_packages(app.__path__, 'app.')]"
    )
    run("python", "-c", everything)
    facts = run("python", "-c", f"from app.media import probe; print(probe.probe(probe.Path({str(vertical_file)!r})))")
    assert "container='mp4'" in facts and "video_codec='h264'" in facts
