"""Rules that hold for the whole code: names that are only strings lead somewhere, and a platform stays in its files."""

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

import pytest
from jinja2 import Environment

from app import plans, platforms, texts
from app.models import Stage, Status
from app.platforms.ok import api as ok_api
from app.platforms.telegram import bot_api
from app.platforms.tiktok import reasons as tiktok_reasons
from app.platforms.vk import api as vk_api
from app.platforms.youtube import api as youtube_api
from app.platforms.youtube import choices
from app.platforms.youtube.adapter import REJECTIONS
from app.queue import table
from app.texts.problems import PROBLEMS
from app.web.filters import COUNT_NAMES, MARK_ICONS
from sandbox import EMULATORS

ROOT = Path(__file__).parent.parent
APP = ROOT / "app"
MAX_TEMPLATE_LINE = 160
# Which platforms a plan includes is data of the plans.
MAY_NAME_A_PLATFORM = {APP / "plans.py"}
# MAX is an English word too: of a header, and of a form field's bound.
ORDINARY_WORDS = re.compile(r'"max-age=|"max": LARGEST_ID')
# Keys of platforms that stand for something else too: a kind of a message.
ALSO_A_WORD = {"ok"}


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


def adapter_file(key: str) -> Path:
    """A module, or a package with its adapter."""
    file = APP / "platforms" / f"{key}.py"
    return file if file.is_file() else APP / "platforms" / key / "adapter.py"


# Attributes that hold a code: of another Problem, of a platform's error.
COPIED = ("code", "reason")


@dataclass(frozen=True)
class Raised:
    """One place that makes a Problem."""

    where: str
    codes: list[str]
    params: frozenset[str]


def raised_problems() -> Iterator[Raised]:
    """Calls of Problem and its subclasses.

    A copy, `Problem(other.code, field, **other.params)`, is not one more, nor is a platform's reason.
    """
    trees = {file: ast.parse(file.read_text()) for file in APP.rglob("*.py")}
    classes = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    names = {"Problem"}
    while more := {one.name for one in classes if {getattr(base, "id", "") for base in one.bases} & names} - names:
        names |= more
    for file, tree in trees.items():
        for node in ast.walk(tree):
            copied = (
                isinstance(node, ast.Call)
                and node.args
                and (getattr(node.args[0], "attr", "") in COPIED or getattr(node.args[0], "id", "") == "reason")
            )
            if isinstance(node, ast.Call) and called(node) in names and not copied:
                params = frozenset(str(one.arg) for one in node.keywords) - {"field", "status"}
                codes = constants(node.args[0], tree) if node.args else []
                yield Raised(f"{file.relative_to(ROOT)}:{node.lineno}", codes, params)


def constants(node: ast.expr, tree: ast.Module) -> list[str]:
    """The codes that an argument can be: a constant, one of two, or what its variable is set to in this module."""
    if isinstance(node, ast.IfExp):
        both = constants(node.body, tree), constants(node.orelse, tree)
        return [*both[0], *both[1]] if all(both) else []
    if isinstance(node, ast.Name):
        assigned = [one for one in ast.walk(tree) if isinstance(one, ast.Assign)]
        values = [one.value for one in assigned if [getattr(target, "id", "") for target in one.targets] == [node.id]]
        return [code for value in values if not isinstance(value, ast.Name) for code in constants(value, tree)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def test_every_problem_has_a_code_and_a_sentence_with_its_params():
    raises = list(raised_problems())
    assert [one.where for one in raises if not one.codes] == [], "a code is a constant in the module that raises it"
    used: dict[str, set[frozenset[str]]] = defaultdict(set)
    for one in raises:
        for code in one.codes:
            if code not in texts.REASONS:
                used[code].add(one.params)
    assert all(re.fullmatch("[a-z]+(_[a-z0-9]+)*", code) for code in used), used.keys()
    assert used.keys() == PROBLEMS.keys(), used.keys() ^ PROBLEMS.keys()
    for code, params in used.items():
        placeholders = frozenset(name for _, name, _, _ in Formatter().parse(PROBLEMS[code]) if name)
        assert params == {placeholders}, code


ICONS = ROOT / "scripts" / "icons.txt"


def test_every_icon_is_used_and_every_used_icon_exists():
    listed = [line for line in ICONS.read_text().splitlines() if not line.startswith("#")]
    templates = [file.read_text() for file in APP.rglob("*.html")]
    lex = Environment().lex
    # Names also come from a macro's arguments and from tables; a text outside of expressions is no name.
    named = {value.strip("\"'") for source in templates for _, kind, value in lex(source) if kind == "string"}
    named |= {icon for _, icon in COUNT_NAMES.values()} | {*MARK_ICONS.values()}
    assert [name for name in listed if name not in named] == []
    used = {
        name for source in templates for call in re.findall(r"\bicon\(([^)]*)\)", source) for name in first_names(call)
    }
    assert len(used) > 20
    assert used <= set(listed), used - set(listed)
    made = (APP / "static" / "vendor" / "icons.svg").read_text()
    assert re.findall(r'<symbol id="i-([a-z0-9-]+)"', made) == listed, "make copies them anew"


def first_names(arguments: str) -> list[str]:
    """The icons that a call names: `"x"`, or `"check" if allowed else "x"`; a second argument is a class."""
    return re.findall(r'"([a-z0-9-]+)"(?= if |$)', arguments.partition(",")[0])


def test_services_leave_the_commit_to_their_callers():
    """`end_reading()` before something slow, `flush()` and savepoints are theirs; the unit of work is not."""
    committing = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in (APP / "services").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and called(node) in ("commit", "rollback", "transaction", "writing")
    ]
    assert committing == []


@pytest.mark.parametrize("job", [*table.JOBS, *table.PERIODIC])
def test_every_job_name_resolves(job):
    module, _, name = job.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_every_reason_has_russian_text(app):
    used = {*bot_api.REFUSALS.values(), *vk_api.REASONS.values(), *youtube_api.REASONS.values()}
    used |= {*tiktok_reasons.CODES.values(), *tiktok_reasons.FAILURES.values(), *tiktok_reasons.OF_THE_CREATOR}
    used |= {*ok_api.REASONS.values(), *ok_api.PARAMETERS.values(), "ok_without_topic"}
    used |= {*REJECTIONS.values(), *(f"youtube_became_{privacy}" for privacy in choices.PRIVACY.choices)}
    for node in calls():
        if (
            called(node) in ("Refused", "PlatformError", "Unusable", "Stale", "Undone", "Rejected", "OwnOutage")
            and node.args
        ):
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
    # «publishing» always has an event of its own.
    assert used - {"publishing"} <= texts.EVENTS.keys(), used - texts.EVENTS.keys()


def test_every_line_of_the_security_journal_has_russian_text():
    used = {
        constant.value
        for node in calls()
        if called(node) == "record" and getattr(node.func.value, "id", "") == "audit_log"
        for constant in ast.walk(node.args[1])
        if isinstance(constant, ast.Constant)
    }
    assert len(used) > 6
    assert used <= texts.SECURITY.keys(), used - texts.SECURITY.keys()


@pytest.mark.parametrize("key", platforms.ADAPTERS)
def test_every_step_has_a_russian_name(key):
    tree = ast.parse(adapter_file(key).read_text())
    used = {
        words(node.args[0])[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and called(node) in ("step", "commit", "wait")
        and getattr(node.func.value, "id", "") == "context"
    }
    assert used == platforms.ADAPTERS[key].steps.keys()


def test_every_status_and_stage_has_russian_text():
    assert {str(status) for status in Status} == texts.STATUSES.keys()
    assert {str(stage) for stage in Stage} == texts.STAGES.keys()


@pytest.mark.parametrize("key", platforms.ADAPTERS)
def test_a_platform_is_complete(key):
    assert (APP / "static" / "platforms" / f"{key}.svg").is_file()
    assert any((ROOT / "tests" / "platforms" / name).is_file() for name in (f"test_{key}.py", f"{key}/test_adapter.py"))
    assert key in {emulator.key for emulator in EMULATORS}
    assert plans.cheapest_for(key)


def test_only_its_adapter_knows_a_platform():
    """So that a new one needs no template, route, service or migration."""
    keys = [key for key in platforms.ADAPTERS if key not in ALSO_A_WORD]
    named = "|".join(rf"[\"']{key}[\"'-]" for key in keys)
    compared = "|".join(rf"(platform|key|adapter)\w*\W+[\"']{key}[\"']" for key in ALSO_A_WORD)
    known = re.compile(f"{named}|{compared}")
    files = [file for kind in ("*.py", "*.html", "*.js", "*.css") for file in APP.rglob(kind)]
    outside = {
        str(file.relative_to(ROOT))
        for file in files
        if not file.is_relative_to(APP / "platforms")
        and not file.is_relative_to(APP / "static" / "vendor")
        and file not in MAY_NAME_A_PLATFORM
        and known.search(ORDINARY_WORDS.sub("", file.read_text()))
    }
    assert outside == set()


def test_no_line_of_a_template_is_long():
    templates = APP / "templates"
    found = {
        str(file.relative_to(templates))
        for file in templates.rglob("*.html")
        if any(len(line) > MAX_TEMPLATE_LINE for line in file.read_text().splitlines())
    }
    assert found == set()


@pytest.mark.parametrize("script", sorted((APP / "static/js").glob("*.js")), ids=lambda file: file.name)
def test_scripts_make_no_html_of_texts_and_keep_nothing_in_the_browser(script: Path):
    """docs/asvs.md, V3 and V14: texts go in by textContent; what is kept says no more than how the page looks."""
    text = script.read_text()
    assert not re.search(r"\.(innerHTML|outerHTML)\b|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert not re.search(r"localStorage|indexedDB|document\.cookie|postMessage", text)
    assert set(re.findall(r"sessionStorage\.setItem\((\w+)", text)) <= {"COLLAPSED"}
