"""Time zones: what is pinned is used, whatever the machine has."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import tzdata

from tests.procfile import ROOT, environ


@pytest.fixture
def old_system(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a machine with old data: Almaty is still at UTC+6, and a place has a name of its own.

    https://data.iana.org/time-zones/tzdb/NEWS, release 2024a: Kazakhstan is at UTC+5 since 2024-03-01.
    """
    folder = tmp_path / "zoneinfo"
    (folder / "Asia").mkdir(parents=True)
    zone = files("tzdata").joinpath("zoneinfo", "Asia", "Omsk").read_bytes()
    for name in ("Asia/Almaty", "Asia/Atlantis"):
        (folder / name).write_bytes(zone)
    return environ({**environment, "PYTHONTZPATH": str(folder)})


@pytest.mark.parametrize("imports", ["app.clock", "wsgi", "worker", "tests.conftest"])
def test_the_pinned_zones_win_over_the_system_s(old_system, imports):
    program = f"""import zoneinfo; zoneinfo.ZoneInfo("Asia/Almaty")  # as a library may, before ours
import {imports}
from datetime import UTC, datetime, timedelta
from app import clock
from app.web import time_zones
typed = datetime(2026, 7, 1, 12)
assert clock.from_zone(typed, "Asia/Almaty") == datetime(2026, 7, 1, 7, tzinfo=UTC)
assert clock.to_zone(datetime(2026, 7, 1, 7, tzinfo=UTC), "Asia/Almaty").replace(tzinfo=None) == typed
assert time_zones.label("Asia/Almaty").endswith("(UTC+5)")
assert time_zones.label("Asia/Atlantis").endswith("(UTC+3)")  # kept while the system knew it: as an unknown one
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=old_system, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_doctor_names_the_origin_of_the_zones(old_system):
    command = ["flask", "--app", "wsgi", "doctor"]
    done = subprocess.run(command, cwd=ROOT, env=old_system, capture_output=True, text=True)
    assert f"✓ Часовые пояса: пакет tzdata {tzdata.IANA_VERSION}" in done.stdout, done.stdout + done.stderr
