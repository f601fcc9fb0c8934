"""Who holds the private key in a deployment by the Procfile, and what `flask doctor` sees of it above a process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import memory
from tests.procfile import ROOT, Process, environ
from tests.test_run import wait_until


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(os.getuid() != 0, reason="память работника читает только root")
@pytest.mark.parametrize("by_file", [False, True], ids=["variable", "file"])
def test_the_workers_read_it_after_the_fork(environment, keys, tmp_path: Path, by_file):
    settings = {**environment, "WORKERS": "1", "PROBE_WORKERS": "1", "IMPORT_WORKERS": "1"}
    if by_file:
        (tmp_path / "key").write_text(settings.pop("VAULT_PRIVATE_KEY"))
        settings["VAULT_PRIVATE_KEY_FILE"] = str(tmp_path / "key")
    worker = Process("worker", settings, tmp_path / "log")
    parent = worker.process.pid
    try:
        wait_until(lambda: len(children(parent)) == 8 and all(memory.holds(pid, keys[1]) for pid in children(parent)))
        assert not memory.holds(parent, keys[1])
        for pid in (parent, *children(parent)):
            assert keys[1].encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    finally:
        worker.stop()


def test_a_key_file_that_is_not_there_is_one_clear_line(environment, tmp_path: Path):
    settings = {name: value for name, value in environment.items() if name != "VAULT_PRIVATE_KEY"}
    worker = Process("worker", {**settings, "VAULT_PRIVATE_KEY_FILE": "/nowhere/key"}, tmp_path / "log")
    assert worker.process.wait(30) == 1
    assert worker.said == "VAULT_PRIVATE_KEY_FILE=/nowhere/key: такого файла нет или его не прочесть.\n"


def test_the_doctor_looks_above(environment):
    """A runner that keeps the key hands it to the web, whatever it leaves out of the web's own environment."""
    doctor = f"{sys.executable} -m flask --app wsgi doctor --role web"
    for runner, mark in (
        (f"env -u VAULT_PRIVATE_KEY {doctor}; true", "✗"),
        (f"exec env -u VAULT_PRIVATE_KEY {doctor}", "✓"),
    ):
        done = subprocess.run(["sh", "-c", runner], cwd=ROOT, env=environ(environment), capture_output=True, text=True)
        [line] = [line for line in done.stdout.splitlines() if "запустил процесс" in line]
        assert line.startswith(mark), done.stdout
        assert environment["VAULT_PRIVATE_KEY"] not in done.stdout


_FORKS = """
import ctypes, json, os, resource, subprocess, sys
from app.process.lifetime import forbid_memory_reads, write_no_core_files
forbid_memory_reads()
write_no_core_files()
read, write = os.pipe()
if os.fork() == 0:
    dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE
    os.write(write, json.dumps([dumpable, resource.getrlimit(resource.RLIMIT_CORE)]).encode())
    os._exit(0)
os.wait()
print(os.read(read, 100).decode())
"""


def test_a_work_horse_is_as_closed_as_its_worker():
    done = subprocess.run([sys.executable, "-c", _FORKS], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [0, [0, 0]]
