"""For all tests: their order, and no skips in CI."""

import os

import pytest

pytest_plugins = ["tests.s3", "tests.publishing.fixtures"]


def pytest_collection_modifyitems(items):
    # The browser comes last: it is slow, and Playwright leaves an event loop running that asyncio.run() stumbles over.
    items.sort(key=lambda item: "journeys" in item.path.parts)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI a test that cannot run has failed: .ci/run has to install what it misses."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"пропущен, а в CI должен идти: {item.nodeid}: {call.excinfo.value}"
    return report
