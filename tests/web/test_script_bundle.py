"""Modules in one script: the order in which they run, and forms that it does not know."""

import re
from pathlib import Path

import pytest

from app.web.script_bundle import bundle
from app.web.static_files import ENTRIES

MODULES = Path(__file__).resolve().parents[2] / "app" / "static" / "js"


@pytest.fixture
def modules(tmp_path: Path):
    def write(**texts: str) -> Path:
        for name, text in texts.items():
            (tmp_path / f"{name}.js").write_text(text)
        return tmp_path

    return write


def test_each_module_runs_once_after_those_that_it_imports(modules):
    folder = modules(
        main='import "./a.js";\nimport { b } from "./b.js";\nb();\n',
        a='import { b, $ } from "./b.js";\n\n// Why.\nexport async function a() {\n  b($);\n}\n',
        b="export const b = () => 1; // how\nexport const $ = 2;\n",
    )
    assert bundle(folder, "main.js") == (
        "const modules = {};\n"
        'modules["b.js"] = (() => {\nconst b = () => 1; // how\nconst $ = 2;\nreturn { b, $ };\n})();\n'
        'modules["a.js"] = (() => {\nconst { b, $ } = modules["b.js"];\n'
        "async function a() {\nb($);\n}\nreturn { a };\n})();\n"
        'modules["main.js"] = (() => {\nconst { b } = modules["b.js"];\nb();\nreturn {  };\n})();\n'
    )


@pytest.mark.parametrize(
    "line",
    [
        'import { a as b } from "./a.js";',
        'import * as a from "./a.js";',
        'import a from "./a.js";',
        "export let a = 1;",
        "export default 1;",
        "export { a };",
    ],
)
def test_another_form_is_refused(modules, line):
    folder = modules(main=line + "\n", a="export const a = 1;\n")
    with pytest.raises(ValueError, match="does not know this form"):
        bundle(folder, "main.js")


def test_a_circle_is_refused(modules):
    folder = modules(main='import "./a.js";\n', a='import "./main.js";\n')
    with pytest.raises(ValueError, match="in a circle"):
        bundle(folder, "main.js")


def test_every_module_of_ours_is_in_a_bundle():
    joined = "".join(bundle(MODULES, entry) for entry in ENTRIES)
    in_bundles = set(re.findall(r'^modules\["([\w-]+\.js)"\] =', joined, re.MULTILINE))
    assert in_bundles == {file.name for file in MODULES.glob("*.js")}


def test_no_text_of_ours_goes_over_several_lines():
    """Indents and lines of comments are left out, also inside such a text."""
    for file in MODULES.glob("*.js"):
        for line in file.read_text().splitlines():
            assert line.count("`") % 2 == 0, (file.name, line)
