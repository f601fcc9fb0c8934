"""The supervisor and the kernel's deadlines, on real processes. Each test runs a small program of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WITHIN_SECONDS = 40
# For what the kernel does when a busy machine gives it the time.
SLACK_SECONDS = 1

SUPERVISE = """
import os, signal, subprocess, sys, time
from pathlib import Path
from app.process import Child, Supervisor, CannotStart

here = Path(sys.argv[1])

def alive(name):
    # One line a start: who I am. The test reads it.
    with (here / name).open("a") as file:
        print(os.getpid(), file=file)

def sleeper(name):
    def target():
        alive(name)
        while True:
            time.sleep(60)
    return target

supervisor = Supervisor(lambda line: print(line, flush=True), start_within=3)
Supervisor.FIRST_DELAY = 0.05
"""


class Program:
    """A running program, and the pids that its children wrote down."""

    def __init__(self, folder: Path, body: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISE + body, str(folder)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def pids(self, name: str) -> list[int]:
        file = self.folder / name
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []

    def nth_pid(self, name: str, nth: int) -> int:
        wait_until(lambda: len(self.pids(name)) >= nth)
        return self.pids(name)[nth - 1]

    def end(self, signum: int = signal.SIGTERM, within: float = WITHIN_SECONDS) -> str:
        self.process.send_signal(signum)
        return self.process.communicate(timeout=within)[0]


@pytest.fixture
def program(tmp_path):
    running = []

    def start(body: str) -> Program:
        running.append(Program(tmp_path, body))
        return running[-1]

    yield start
    for one in running:
        one.process.kill()
        one.process.communicate()


def wait_until(true, within: float = WITHIN_SECONDS) -> None:
    give_up = time.monotonic() + within
    while not true():
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    """A zombie does not: it runs no instruction any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_dead_child_is_started_again_and_one_signal_ends_all(program):
    ran = program("""
supervisor.add(Child("a", sleeper("a")))
supervisor.add(Child("b", sleeper("b")))
supervisor.run()
print("over")
""")
    first, other = ran.nth_pid("a", 1), ran.nth_pid("b", 1)
    os.kill(first, signal.SIGKILL)
    second = ran.nth_pid("a", 2)

    said = ran.end(signal.SIGINT)

    assert not lives(second) and not lives(other)
    assert ran.process.returncode == 0
    assert said.splitlines() == ["a: завершён сигналом SIGKILL, снова через 0.1 с", "over"]
    assert len(ran.pids("b")) == 1


def test_a_child_that_keeps_dying_is_started_ever_more_slowly(program):
    ran = program("""
def dies():
    alive("dies")
    sys.exit(3)

supervisor.add(Child("dies", dies))
supervisor.run()
""")
    ran.nth_pid("dies", 4)
    said = ran.end().splitlines()
    delays = ["0.1", "0.1", "0.2"]  # 0.05 and its doubles, as printed
    assert said[:3] == [f"dies: завершился с кодом 3, снова через {delay} с" for delay in delays]


def test_a_child_that_ends_by_itself_after_a_while_is_renewed_at_once_and_in_silence(program):
    ran = program("""
def works():
    alive("works")
    time.sleep(0.5)

supervisor.RENEWED_AFTER = 0.3
supervisor.add(Child("works", works))
supervisor.run()
""")
    ran.nth_pid("works", 3)
    assert ran.end() == ""


def test_children_start_one_after_another(program):
    ran = program("""
def slow():
    time.sleep(0.3)
    alive("ready")
    time.sleep(60)

def once():
    assert (here / "ready").exists()
    alive("once")

supervisor.add(Child("slow", slow, ready=lambda: (here / "ready").exists()))
supervisor.add(Child("once", once, once=True))
supervisor.add(Child("third", lambda: (alive("third" if (here / "once").exists() else "early"), time.sleep(60))))
supervisor.run(started=lambda: print("started", flush=True))
""")
    ran.nth_pid("third", 1)
    assert ran.end() == "started\n"
    assert len(ran.pids("once")) == 1 and not ran.pids("early")


@pytest.mark.parametrize(
    ("target", "ready", "said"),
    [
        ("lambda: sys.exit(7)", "lambda: False", "bad: завершился с кодом 7"),
        ("lambda: time.sleep(60)", "lambda: False", "bad: не готов за 3 с"),
    ],
)
def test_a_child_that_does_not_come_up_ends_the_start(program, target, ready, said):
    ran = program(f"""
supervisor.add(Child("good", sleeper("good")))
supervisor.add(Child("bad", {target}, ready={ready}))
supervisor.add(Child("never", sleeper("never")))
try:
    supervisor.run()
except CannotStart as error:
    print(error)
""")
    assert ran.process.communicate(timeout=10)[0] == f"{said}\n"
    assert not any(map(lives, ran.pids("good")))
    assert not ran.pids("never")


def test_a_child_that_will_not_end_is_killed_and_the_last_one_outlives_it(program):
    ran = program("""
def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    alive("deaf")
    while True:
        time.sleep(60)

def served():
    def end(*_):
        dead = not Path(f"/proc/{(here / 'deaf').read_text().strip()}").exists()
        print("last alone" if dead else "too early", flush=True)
        sys.exit()
    signal.signal(signal.SIGTERM, end)
    alive("served")
    while True:
        time.sleep(60)

supervisor.add(Child("served", served, last=True))
supervisor.add(Child("deaf", deaf, grace=0.5))
supervisor.run()
""")
    ran.nth_pid("served", 1), ran.nth_pid("deaf", 1)
    assert ran.end() == "last alone\n"


def test_a_second_signal_does_not_wait(program):
    ran = program("""
def deaf():
    signal.signal(signal.SIGTERM, lambda *_: alive("asked"))
    alive("deaf")
    while True:
        time.sleep(60)

supervisor.add(Child("deaf", deaf, grace=60))
supervisor.run()
""")
    ran.nth_pid("deaf", 1)
    ran.process.send_signal(signal.SIGINT)
    ran.nth_pid("asked", 1)
    assert ran.process.poll() is None
    ran.end(signal.SIGINT)


def test_what_a_dead_child_left_is_killed_before_it_starts_again(program):
    """A worker's work horse has a process group of its own and would go on uploading."""
    ran = program("""
def parent():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    subprocess.Popen("sleep 60 & echo $! >> " + str(here / "grandchild") + "; wait", shell=True)
    alive("parent")
    time.sleep(60)

supervisor.add(Child("parent", parent))
supervisor.run()
""")
    first, grandchild = ran.nth_pid("parent", 1), ran.nth_pid("grandchild", 1)
    children = [int(pid) for pid in Path(f"/proc/{first}/task/{first}/children").read_text().split()]
    assert len(children) == 2 and all(map(lives, children))
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not any(map(lives, [*children, grandchild])))
    ran.nth_pid("parent", 2)
    second_grandchild = ran.nth_pid("grandchild", 2)
    ran.end()
    assert not lives(second_grandchild)


def test_children_die_with_a_killed_supervisor(program):
    ran = program("""
supervisor.add(Child("a", sleeper("a")))
supervisor.run()
""")
    child = ran.nth_pid("a", 1)
    ran.process.kill()
    wait_until(lambda: not lives(child))


def test_a_terminals_ctrl_c_reaches_the_supervisor_alone(program):
    ran = program("""
supervisor.add(Child("a", sleeper("a")))
supervisor.run()
""")
    child = ran.nth_pid("a", 1)
    assert os.getpgid(child) == child != os.getpgid(ran.process.pid)


def test_a_childs_output_goes_to_its_log(program, tmp_path):
    ran = program("""
def talks():
    print("said")
    print("complained", file=sys.stderr)
    os.system("echo shouted")
    alive("talks")
    time.sleep(60)

supervisor.add(Child("talks", talks, log=here / "talks.log"))
supervisor.run()
""")
    ran.nth_pid("talks", 1)
    assert ran.end() == ""
    assert (tmp_path / "talks.log").read_text() == "said\ncomplained\nshouted\n"


# The deadline of a work horse

LOOP = """
import sys, time
from app.process import kill_self_at

file = open(sys.argv[1], "a", buffering=1)
start = time.monotonic()
print(start, file=file)
{begin}
while True:
    print(time.monotonic(), file=file)
    time.sleep(0.01)
"""


def work_horse(tmp_path: Path, begin: str) -> tuple[subprocess.Popen, Path]:
    file = tmp_path / "beats"
    process = subprocess.Popen([sys.executable, "-c", LOOP.format(begin=begin), str(file)], cwd=ROOT)
    wait_until(lambda: file.exists() and file.stat().st_size)
    return process, file


def beats(file: Path) -> list[float]:
    """When it began, and when it was seen to run."""
    return [float(line) for line in file.read_text().splitlines()]


def test_the_kernel_ends_a_process_at_its_deadline(tmp_path):
    process, file = work_horse(tmp_path, "kill_self_at(start + 1)")
    assert process.wait(timeout=WITHIN_SECONDS) == -signal.SIGALRM
    start, *_, last = beats(file)
    assert time.monotonic() >= start + 1
    assert last <= start + 1 + SLACK_SECONDS


def test_a_deadline_can_be_moved(tmp_path):
    process, file = work_horse(tmp_path, "kill_self_at(start + 1); kill_self_at(start + 2.5)")
    assert process.wait(timeout=WITHIN_SECONDS) == -signal.SIGALRM
    start, *_, last = beats(file)
    assert time.monotonic() >= start + 2.5
    assert last <= start + 2.5 + SLACK_SECONDS


def test_a_deadline_that_has_passed_is_due_at_once(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", LOOP.format(begin="kill_self_at(time.monotonic() - 5)"), str(tmp_path / "beats")],
        cwd=ROOT,
    )
    assert process.wait(timeout=WITHIN_SECONDS) == -signal.SIGALRM


def test_a_process_that_slept_through_its_deadline_does_nothing_after_it(tmp_path):
    """Stopped before the deadline, continued after it: not one more instruction of ours may run."""
    process, file = work_horse(tmp_path, "kill_self_at(start + 3)")
    process.send_signal(signal.SIGSTOP)
    time.sleep(max(beats(file)[0] + 3.5 - time.monotonic(), 0))
    assert lives(process.pid)
    before = file.read_text()
    process.send_signal(signal.SIGCONT)
    assert process.wait(timeout=WITHIN_SECONDS) == -signal.SIGALRM
    assert file.read_text() == before


def test_a_deadline_goes_on_while_the_machine_is_suspended(tmp_path):
    """CLOCK_MONOTONIC, by which setitimer(2) goes, stands still then: the lease would end long before the process."""
    process, _ = work_horse(tmp_path, f"kill_self_at({time.clock_gettime(time.CLOCK_BOOTTIME) + 30})")
    timers = Path(f"/proc/{process.pid}/timers").read_text()
    process.kill()
    process.wait()
    assert timers.count("ClockID:") == timers.count(f"ClockID: {time.CLOCK_BOOTTIME}") == 1


def test_a_deadline_holds_in_a_process_whose_parent_masked_the_alarm(tmp_path):
    begin = (
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM}); "
        "signal.signal(signal.SIGALRM, signal.SIG_IGN); kill_self_at(time.monotonic() + 0.3)"
    )
    process, _ = work_horse(tmp_path, begin)
    assert process.wait(timeout=WITHIN_SECONDS) == -signal.SIGALRM


def test_a_process_is_known_by_its_full_name_and_not_by_its_number_alone():
    from app import process

    child = subprocess.Popen(["sleep", "60"])
    name = process.process_identity(child.pid)
    assert not process.has_ended(name)
    other = name.rpartition(":")[0] + ":1"  # the same number, given to another later
    assert process.has_ended(other)
    child.kill()
    while process.process_identity(child.pid):  # nobody has waited for it: its remains do not count
        time.sleep(0.01)
    assert process.has_ended(name)
    child.wait()
    assert process.has_ended(name)


def test_of_other_machines_nothing_is_known():
    from app import process

    machine, pid, start = process.process_identity(os.getpid()).split(":")
    assert not process.has_ended(f"{machine[::-1]}x:{pid}:{start}")
    assert not process.has_ended(f"{'0' * 16}:4194304:1")
