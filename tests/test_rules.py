"""Rules that hold for the whole code: names that are only strings lead somewhere, and a platform stays in its files."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import plans, platforms, queue, texts
from app.models import Stage, Status
from sandbox import EMULATORS

ROOT = Path(__file__).parent.parent
APP = ROOT / "app"
# Which platforms a plan includes is data of the plans.
MAY_NAME_A_PLATFORM = {APP / "plans.py"}
# Problem, and those of its subclasses that are raised with a code.
PROBLEMS = ("Problem", "TooLarge", "TooMany", "QuotaFull", "NoRoom", "Busy", "ChecksumMismatch")


def calls() -> Iterator[ast.Call]:
    for file in APP.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                yield node


def called(node: ast.Call) -> str:
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def words(node: ast.expr | None) -> list[str]:
    """The texts that an argument can be."""
    return [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((one.value for one in node.keywords if one.arg == name), None)


@pytest.mark.parametrize("job", [*queue.JOBS, *queue.PERIODIC])
def test_every_job_name_resolves(job):
    module, _, name = job.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_every_reason_has_russian_text(app):
    used = set()
    for node in calls():
        if called(node) in ("Refused", "PlatformError", "Unusable", "Stale", "OwnOutage") and node.args:
            used.update(words(node.args[0]) if isinstance(node.args[0], ast.Constant) else [])
        if isinstance(reason := keyword(node, "reason"), ast.Constant) and reason.value:
            used.add(reason.value)
    assert len(used) > 20
    assert used <= texts.REASONS.keys(), used - texts.REASONS.keys()
    for what, advice in texts.REASONS.values():
        assert re.search("[а-яё]", what) and advice.endswith((".", "…")), (what, advice)


def test_every_event_has_russian_text():
    used = {str(status) for status in Status}
    for node in calls():
        if called(node) == "note" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            used.add(node.args[1].value)
        if isinstance(event := keyword(node, "event"), ast.Constant) and event.value:
            used.add(event.value)
    # «publishing» is always said by an event of its own.
    assert used - {"publishing"} <= texts.EVENTS.keys(), used - texts.EVENTS.keys()


def test_every_line_of_the_security_journal_has_russian_text():
    used = {
        constant.value
        for node in calls()
        if called(node) == "record"
        for constant in ast.walk(node.args[1])
        if isinstance(constant, ast.Constant)
    }
    assert len(used) > 6
    assert used <= texts.SECURITY.keys(), used - texts.SECURITY.keys()


@pytest.mark.parametrize("key", platforms.ADAPTERS)
def test_every_step_has_a_russian_name(key):
    tree = ast.parse((APP / "platforms" / f"{key}.py").read_text())
    used = {
        words(node.args[0])[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and called(node) in ("step", "commit", "wait")
        and getattr(node.func.value, "id", "") == "run"
    }
    assert used == platforms.ADAPTERS[key].steps.keys()


def test_a_service_leaves_commit_and_rollback_to_the_edge():
    ended = [
        f"{file.name}:{node.lineno}"
        for file in (APP / "services").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and called(node) in ("commit", "rollback")
    ]
    assert ended == []


def test_every_problem_has_russian_text():
    used = {
        node.args[0].value: {one.arg for one in node.keywords}
        for node in calls()
        if called(node) in PROBLEMS and isinstance(node.args[0], ast.Constant)
    }
    assert len(used) > 40
    for code, params in used.items():
        assert set(re.findall(r"{(\w+)}", texts.PROBLEMS[code])) <= params, code


def test_every_status_and_stage_has_russian_text():
    assert {str(status) for status in Status} == texts.STATUSES.keys()
    assert {str(stage) for stage in Stage} == texts.STAGES.keys()


@pytest.mark.parametrize("key", platforms.ADAPTERS)
def test_a_platform_is_complete(key):
    assert (APP / "static" / "platforms" / f"{key}.svg").is_file()
    assert (APP / "platforms" / f"{key}.py").is_file()
    assert (ROOT / "tests" / "platforms" / f"test_{key}.py").is_file()
    assert key in {emulator.key for emulator in EMULATORS}
    assert plans.cheapest_for(key)


def test_nobody_but_its_adapter_knows_a_platform():
    """So that a new one needs no template, route, service or migration."""
    known = re.compile("|".join(rf"[\"']{key}[\"'-]" for key in platforms.ADAPTERS))
    files = [file for kind in ("*.py", "*.html", "*.js", "*.css") for file in APP.rglob(kind)]
    strangers = {
        str(file.relative_to(ROOT))
        for file in files
        if not file.is_relative_to(APP / "platforms")
        and not file.is_relative_to(APP / "static" / "vendor")
        and file not in MAY_NAME_A_PLATFORM
        and known.search(file.read_text())
    }
    assert strangers == set()
