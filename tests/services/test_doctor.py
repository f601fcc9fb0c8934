"""`flask doctor` on what an installation stands on: each part that is away is named, with what to do."""

import pytest

from app import create_app
from app.db import db
from app.services import doctor, heartbeats
from tests.conftest import free_port


def texts(findings: list[doctor.Finding], good: bool | None) -> str:
    return "\n".join(one.text for one in findings if one.good is good)


def test_all_is_well(app, sandbox):
    for kind in heartbeats.KINDS:
        pulse = heartbeats.Pulse(kind)
        pulse.beat()
        db.session.execute(db.text(f"UPDATE heartbeats SET name = '{kind}' WHERE kind = '{kind}'"))
        db.session.commit()
    well = texts(doctor.examine(), good=True)
    for sentence in ("База отвечает", "Redis отвечает", "Хранилище клипов принимает", "на месте", "Хосты площадок"):
        assert sentence in well, well


def test_missing_processes_are_named(app, sandbox):
    assert "worker, spare, probe, import, media, scheduler, ticks" in texts(doctor.examine(), good=None)


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ("REDIS_URL", "REDIS_URL"),
        ("TELEGRAM_API_URL", "TELEGRAM_API_URL"),
    ],
)
def test_what_is_away_is_named_with_what_to_do(environment, sandbox, setting, names):
    unused = f"127.0.0.1:{free_port()}"
    scheme = "redis" if setting == "REDIS_URL" else "http"
    app = create_app({**environment, setting: f"{scheme}://{unused}"})
    with app.app_context():
        assert names in texts(doctor.examine(), good=False)
        db.session.remove()
        db.engine.dispose()


def test_only_hosts_that_are_set_are_asked(app, sandbox):
    assert set(doctor.reach_hosts().values()) == {doctor.Reach.OPEN}


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("redis://127.0.0.1:9/0", False),
        ("rediss://redis.example:6379", False),
        ("redis://:@127.0.0.1:9", False),
        ("redis://user@127.0.0.1:9", False),
        ("redis://:secret@127.0.0.1:9/0", True),
        ("rediss://user:secret@redis.example:6379", True),
        ("redis://127.0.0.1:9?password=secret", True),
        ("unix:///run/redis.sock", True),
    ],
)
def test_redis_over_the_network_needs_a_password(app, url, good):
    app.config["REDIS_URL"] = url
    finding = doctor.redis_password()
    assert finding.good is good
    assert "secret" not in finding.text
