"""What code that takes over the probe's child can reach: nothing but the clip and the libraries."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.process import landlock, syscall_filter
from tests import clips

ROOT = Path(__file__).parents[2]

# Version 6 of Landlock knows signals; in CI a kernel without it is a failure.
pytestmark = pytest.mark.skipif(
    not os.environ.get("CI") and not (landlock.version() >= 6 and syscall_filter.is_supported()),
    reason="в этом ядре нет Landlock или seccomp",
)

# Each attempt is made by the shortest way to the kernel; what it says is its error, or "done".
_HOSTILE = f"""
import sys
sys.path.append({str(ROOT)!r})
import av, ctypes, errno, json, os, resource, signal, socket
from pathlib import Path
from app.media import probe_child

clip, folder, port, parent = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), os.getppid()
libc = ctypes.CDLL(None, use_errno=True)
numbers = {{"clone3": 435, "pidfd": 434, "uring": 425}} | (
    {{"ptrace": 101, "readv": 310}} if os.uname().machine == "x86_64" else {{"ptrace": 117, "readv": 270}}
)

def syscall(name, *arguments):
    if libc.syscall(numbers[name], *arguments) < 0:
        raise OSError(ctypes.get_errno(), name)

def connect():
    socket.create_connection(("127.0.0.1", port), 5)

def abstract():
    socket.socket(socket.AF_UNIX).connect(chr(0) + "vezde")

attempts = {{
    "the users": lambda: open("/etc/passwd"),
    "the other clip": lambda: open(clip.with_name("other.mp4")),
    "the parent's memory": lambda: open(f"/proc/{{parent}}/mem", "rb"),
    "the parent's environment": lambda: open(f"/proc/{{parent}}/environ", "rb"),
    "its own environment": lambda: open("/proc/self/environ", "rb"),
    "a folder": lambda: os.listdir(folder),
    "a new file": lambda: open(folder / "new", "w"),
    "the clip": lambda: open(clip, "r+b"),
    "a link": lambda: os.link(clip, folder / "link"),
    "its removal": lambda: os.unlink(clip),
    "a connection": connect,
    "an abstract socket": abstract,
    "a fork": os.fork,
    "a process": lambda: syscall("clone3", None, 0),
    "a program": lambda: os.execv("/bin/true", ["true"]),
    "the parent's end": lambda: os.kill(parent, signal.SIGTERM),
    "the parent's existence": lambda: os.kill(parent, 0),
    "the parent's tracing": lambda: syscall("ptrace", 16, parent, 0, 0),
    "the parent's bytes": lambda: syscall("readv", parent, None, 0, None, 0, 0),
    "the parent's descriptors": lambda: syscall("pidfd", parent, 0),
    "the parent's limits": lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE),
    "the parent's priority": lambda: os.setpriority(os.PRIO_PROCESS, parent, 19),
    "a ring": lambda: syscall("uring", 1, None),
}}
probe_child.limit_this_process(clip)
said = {{}}
for name, attempt in attempts.items():
    try:
        attempt()
        said[name] = "done"
    except OSError as error:
        said[name] = errno.errorcode[error.errno]
said["reading the clip"] = len(clip.read_bytes())
said["descriptors"] = [number for number in range(3, 256) if libc.fcntl(number, 1) >= 0]
sys.stdout.write(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("jail")
    clip = clips.write(folder / "clip.mp4")
    clips.write(folder / "other.mp4")
    command = [sys.executable, "-I", "-c", _HOSTILE, clip, folder, "9"]
    done = subprocess.run(command, capture_output=True, text=True, process_group=0)
    assert done.returncode == 0, done.stderr
    assert clip.exists()
    return json.loads(done.stdout) | {"size": clip.stat().st_size}


def test_it_reads_the_clip_and_has_no_descriptors(said):
    assert said["reading the clip"] == said["size"]
    assert said["descriptors"] == []


def test_nothing_else_succeeds(said):
    attempts = {name: result for name, result in said.items() if isinstance(result, str)}
    assert len(attempts) == 23
    assert set(attempts.values()) <= {"EPERM", "EACCES"}, attempts


@pytest.mark.parametrize(
    ("only", "refused"),
    [
        (
            "landlock.read_only([Path(sys.argv[1])])",
            {"other": "EACCES", "write": "EACCES", "tcp": "EACCES", "kill": "EPERM", "fork": "done"},
        ),
        (
            "syscall_filter.compute_only()",
            {"other": "done", "write": "EPERM", "tcp": "EPERM", "kill": "EPERM", "fork": "EPERM"},
        ),
    ],
)
def test_each_wall_alone(tmp_path: Path, only: str, refused: dict[str, str]):
    """An older kernel has one of them."""
    clip = clips.write(tmp_path / "clip.mp4")
    (tmp_path / "other").touch()
    program = f"""
import sys
sys.path.append({str(ROOT)!r})
import errno, json, os, socket
from pathlib import Path
from app.process import landlock, syscall_filter
parent, clip = os.getppid(), Path(sys.argv[1])
attempts = {{
    "other": lambda: os.close(os.open(clip.with_name("other"), os.O_RDONLY)),
    "write": lambda: os.open(clip, os.O_WRONLY),
    "tcp": lambda: socket.create_connection(("127.0.0.1", 9)),
    "kill": lambda: os.kill(parent, 0),
    "fork": lambda: os.fork() or os._exit(0),
}}
{only}
said = {{}}
for name, attempt in attempts.items():
    try:
        attempt()
        said[name] = "done"
    except OSError as error:
        said[name] = errno.errorcode[error.errno]
clip.read_bytes()
sys.stdout.write(json.dumps(said))
"""
    done = subprocess.run([sys.executable, "-I", "-c", program, clip], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == refused


def test_a_crash_ends_the_child_as_one():
    """The probe tells a file that breaks FFmpeg by the signal: abort() must still reach the process itself."""
    program = f"import os, sys; sys.path.append({str(ROOT)!r}); from app.process import syscall_filter;"
    program += "syscall_filter.compute_only(); os.abort()"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True)
    assert done.returncode == -6
