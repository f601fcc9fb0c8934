"""compose.yaml, which cannot run here: what each container may do, hold and reach."""

import re

import pytest
import yaml

from app import config, platforms
from run import OVERWRITE_FREED
from tests.procfile import ROOT

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = ("release", "web", "worker", "scheduler")


@pytest.mark.parametrize("name", SERVICES)
def test_each_container_is_closed(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name in OURS:
        assert "cap_add" not in service and "user" not in service  # the Dockerfile's user


def test_images_have_exact_versions():
    images = {name: service["image"] for name, service in SERVICES.items() if name not in OURS}
    assert set(images) == {"postgres", "redis", "telegram"}
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for image in (*images.values(), *bases):
        assert re.search(r":\d+\.\d+(\.\d+)?(-[a-z]+)*$", image), image


def test_the_image_runs_as_a_user_of_its_own():
    last = (ROOT / "Dockerfile").read_text().rpartition("FROM ")[2]
    assert re.findall(r"^USER (\S+)", last, re.MULTILINE) == ["vezde"]


def test_passwords_are_needed_and_have_no_default():
    text = (ROOT / "compose.yaml").read_text()
    for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD"):
        uses = re.findall(rf"\$\{{{name}([^}}]*)\}}", text)
        assert len(uses) == 2 and all(use.startswith(":?") for use in uses)
    assert "vezde:vezde" not in text


@pytest.mark.parametrize("name", OURS)
def test_only_the_worker_has_the_private_key(name):
    service = SERVICES[name]
    assert service["environment"]["VAULT_PRIVATE_KEY"] == ""  # wins over .env
    assert bool(service["environment"]["VAULT_PRIVATE_KEY_FILE"]) is (name == "worker")
    assert bool(service["environment"]["NOTIFY_BOT_TOKEN"]) is (name == "worker")
    assert bool(service.get("secrets")) is (name == "worker")
    assert not service["environment"]["POSTGRES_PASSWORD"] and not service["environment"]["REDIS_PASSWORD"]
    known = {setting.name for setting in (*config.CORE, *platforms.settings())}
    assert (OVERWRITE_FREED.items() <= service["environment"].items()) is (name == "web")
    assert set(service["environment"]) <= known | {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "TMPDIR", *OVERWRITE_FREED}


def test_who_reaches_what():
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert networks == {
        "release": {"database"},
        "web": {"database", "queue", "outside"},
        "worker": {"database", "queue", "outside"},
        "scheduler": {"database", "queue"},
        "postgres": {"database"},
        "redis": {"queue"},
        "telegram": {"outside"},
    }
    assert {name for name, network in COMPOSE["networks"].items() if network} == {"database", "queue"}
    assert all(COMPOSE["networks"][name]["internal"] for name in ("database", "queue"))
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["web"]
    assert SERVICES["web"]["ports"] == ["127.0.0.1:8000:8000"]
