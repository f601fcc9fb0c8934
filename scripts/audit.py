"""Checks the pinned packages for known vulnerabilities: `python scripts/audit.py`, a part of `make check`.

Without a source of vulnerabilities (no network, or a mirror without them) it prints one line and succeeds.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINNED = ROOT / "requirements.txt"
SECONDS = 90
UNKNOWN = "Проверка зависимостей пропущена: сведений об уязвимостях отсюда не получить."


def main() -> int:
    command = ["pip-audit", "-r", str(PINNED), "--require-hashes", "--disable-pip", "--timeout", "5", "-f", "json"]
    try:
        done = subprocess.run(
            [Path(sys.executable).parent / command[0], *command[1:], "--progress-spinner", "off"],
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError, KeyError):
        print(UNKNOWN)
        return 0
    found = [(package, vulnerability) for package in packages for vulnerability in package.get("vulns", [])]
    for package, vulnerability in found:
        fixed = ", ".join(vulnerability["fix_versions"]) or "исправления ещё нет"
        print(f"{package['name']} {package['version']}: {vulnerability['id']} (исправлено: {fixed})")
    unknown = sum("skip_reason" in package for package in packages)
    if found:
        print("Обновите: make lock ARGS=--upgrade")
    elif unknown == len(packages):
        print(UNKNOWN)
    elif unknown:
        print(f"Уязвимостей не найдено; не проверено пакетов: {unknown} из {len(packages)}.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
