"""For all tests: their order, what runs side by side, and no skips in CI."""

import gc
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

JOURNEYS = Path(__file__).parent / "tests" / "journeys"
CLIENTS = Path(__file__).parent / "tests" / "clients"
# Two browsers with journeys run at once: each has all processes of `make run`, more would only wait for each other.
# That with the walk through all pages, which takes as long as a quarter of the journeys, gets a third of the others.
LONGEST = "test_accessibility.py"
# The longest, by their seconds on two cores: they start first, or the last of them would be waited for alone. Most wait
# for processes, and leave the cores to others.
SLOW = (
    *("test_chaos.py", "test_run.py", "test_deployment.py", "test_dockerfile.py", "test_conformance.py"),
    *(
        "test_outages.py",
        "test_kill.py",
        "test_slow_clients.py",
        "test_worker.py",
        "test_setup.py",
        "test_private_key.py",
    ),
    *("test_ops.py", "test_time_zones.py", "test_scheduler.py", "test_logs.py"),
)

pytest_plugins = ["tests.one_run", "tests.s3", "tests.publishing.fixtures"]


# Nothing of what is imported and collected becomes garbage: it is neither looked through meanwhile nor afterwards.
gc.disable()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that all processes end at about the same time."""
    tests_of = Counter(item.path for item in items)
    whole = (JOURNEYS, CLIENTS)
    rank = {name: number for number, name in enumerate(SLOW)}
    items.sort(
        key=lambda item: (item.path.parent not in whole, rank.get(item.path.name, len(SLOW)), -tests_of[item.path])
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    from xdist.scheduler import LoadScopeScheduling

    others = sorted(path.name for path in JOURNEYS.glob("test_*.py") if path.name != LONGEST)

    class ByModule(LoadScopeScheduling):
        """`--dist loadscope`, but with the journeys in two scopes, and the clients' tests, of one service, in one."""

        def _split_scope(self, nodeid: str) -> str:
            path = Path(nodeid.split("::")[0])
            if path.parent.name == CLIENTS.name:
                return "clients"
            if path.parent.name == "chaos":
                return nodeid  # one waits as long as all of a large module runs
            if path.parent.name != JOURNEYS.name:
                return super()._split_scope(nodeid)
            return "browser 1" if path.name == LONGEST or others.index(path.name) % 3 == 0 else "browser 2"

    return ByModule(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI a test that cannot run has failed: .ci/run has to install what it misses."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"пропущен, а в CI должен идти: {item.nodeid}: {call.excinfo.value}"
    return report
