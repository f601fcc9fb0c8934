"""Joins ES modules of one folder into one script: what a browser would do with thirty requests, done once here.

Each module becomes a function that is called once, after those that it imports, and returns what it exports. This holds
for the forms of import and export that our modules use; any other is refused. Comments and indents are left out.
"""

import re
from pathlib import Path

IMPORT = re.compile(r'^import (?:\{ ((?:[\w$]+, )*[\w$]+) \} from )?"\./([\w-]+\.js)";\n', re.MULTILINE)
# Not `let`: what is taken from a module when it has run must not change later.
EXPORT = re.compile(r"^export (?=(?:async )?(?:const|function|class) ([\w$]+))", re.MULTILINE)
OTHER_FORM = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
FOR_US = re.compile(r"^\s*(?://.*\n)?", re.MULTILINE)


def bundle(folder: Path, entry: str) -> str:
    """Returns the script of the module `entry` and of all that it needs."""
    joined: dict[str, str | None] = {}

    def add(name: str) -> None:
        if name in joined:
            if joined[name] is None:
                raise ValueError(f"{name}: modules import each other in a circle")
            return
        joined[name] = None
        text = (folder / name).read_text()
        for imported in IMPORT.finditer(text):
            add(imported[2])
        # The order in which they run is that in which they are finished.
        del joined[name]
        joined[name] = _as_function(name, text)

    add(entry)
    return "const modules = {};\n" + "".join(joined.values())


def _as_function(name: str, text: str) -> str:
    exported = ", ".join(EXPORT.findall(text))
    body = IMPORT.sub(lambda found: f'const {{ {found[1]} }} = modules["{found[2]}"];\n' if found[1] else "", text)
    body = FOR_US.sub("", EXPORT.sub("", body))
    if other := OTHER_FORM.search(body):
        raise ValueError(f"{name}: the bundle does not know this form: {other[0]}")
    return f'modules["{name}"] = (() => {{\n{body}return {{ {exported} }};\n}})();\n'
