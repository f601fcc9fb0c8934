"""The package stands alone: the public API, and what its pyproject.toml names."""

import ast
import importlib
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.clients.conftest import CLIENTS, ROOT

PACKAGE = CLIENTS / "vezde_client"
PROJECT = tomllib.loads((CLIENTS / "pyproject.toml").read_text())["project"]


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, file
            yield str(node.module).partition(".")[0]


def names(requirements: list[str]) -> set[str]:
    return {one.partition(">")[0].partition(";")[0].strip() for one in requirements}


def test_it_imports_what_it_names_and_nothing_of_the_service():
    needed = names(PROJECT["dependencies"])
    with_mcp = needed | names(PROJECT["optional-dependencies"]["mcp"])
    for file in PACKAGE.rglob("*.py"):
        others = set(imported(file)) - sys.stdlib_module_names - {"vezde_client"}
        assert others <= (with_mcp if file.parent.name == "mcp" else needed), file
    assert names(PROJECT["optional-dependencies"]["mcp"]) <= {
        one for file in PACKAGE.rglob("*.py") for one in imported(file)
    }


def test_the_service_does_not_import_it():
    for folder in ("app", "sandbox"):
        assert [file for file in (ROOT / folder).rglob("*.py") if "vezde_client" in imported(file)] == []


def test_its_command_leads_somewhere():
    module, _, function = PROJECT["scripts"]["vezde"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
