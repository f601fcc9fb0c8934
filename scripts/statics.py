"""Copies the browser's files from node_modules into app/static/vendor. Standard library only."""

import gzip
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "app" / "static" / "vendor"
ICONS = ROOT / "scripts" / "icons.txt"

FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "idiomorph/dist/idiomorph-ext.min.js": "idiomorph-ext.min.js",
    "tus-js-client/dist/tus.min.js": "tus.min.js",
}

# latin-ext has «₽».
FONT = "onest"
SUBSETS = ("cyrillic", "latin", "latin-ext")


def copy() -> None:
    """Builds a new folder and renames it, so that it is never incomplete."""
    new = VENDOR.with_name("vendor.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    for source, name in FILES.items():
        shutil.copyfile(MODULES / source, new / name)
    copy_font(new)
    (new / "icons.svg").write_text(sprite(), encoding="utf-8")
    for file in [*new.glob("*.js"), *new.glob("*.svg")]:
        compress(file)
    shutil.rmtree(VENDOR, ignore_errors=True)
    new.rename(VENDOR)


def compress(file: Path) -> None:
    """Writes `file`.gz beside it, which WhiteNoise sends to browsers that take it; without a time, so that it is the
    same each time."""
    file.with_name(file.name + ".gz").write_bytes(gzip.compress(file.read_bytes(), 9, mtime=0))


def copy_font(folder: Path) -> None:
    """Copies the font files of our alphabets and writes `font.css` with the package's unicode ranges."""
    package = MODULES / "@fontsource-variable" / FONT
    rules = dict(re.findall(r"/\* (\S+) \*/\s*(@font-face \{.*?\n\})", (package / "index.css").read_text(), re.S))
    wanted = [f"{FONT}-{subset}-wght-normal" for subset in SUBSETS]
    for name in wanted:
        shutil.copyfile(package / "files" / f"{name}.woff2", folder / f"{name}.woff2")
    css = "\n".join(rules[name].replace("url(./files/", "url(") for name in wanted)
    # A font that comes too late is left for the next page: text that jumps is worse than another typeface once.
    css = css.replace("font-display: swap", "font-display: optional")
    (folder / "font.css").write_text(css + "\n", encoding="utf-8")


def sprite() -> str:
    """Returns one SVG with all icons: `<svg class="icon"><use href="…/icons.svg#i-play"/></svg>`."""
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "".join(map(symbol, icon_names())) + "</svg>\n"


def symbol(name: str) -> str:
    svg = (MODULES / "lucide-static" / "icons" / (name + ".svg")).read_text(encoding="utf-8")
    shapes = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.S).group(1)
    # Repeated in each symbol: a <use> does not inherit the stroke of the sprite's root.
    return (
        f'<symbol id="i-{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-linecap="round" stroke-linejoin="round">{" ".join(shapes.split())}</symbol>\n'
    )


def icon_names() -> list[str]:
    lines = ICONS.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
