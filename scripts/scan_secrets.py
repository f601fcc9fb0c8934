"""Searches the files in git for secrets: `python scripts/scan_secrets.py`, a part of `make check`.

Real secrets have a known format. Values of tests and the demo contain one of the words in INVENTED.
"""

import math
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PATTERNS = {
    "закрытый ключ": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "токен бота Telegram": r"(?<!\d)\d{8,10}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])",
    "токен VK": r"vk[12]\.a\.[A-Za-z0-9_-]{40,}",
    "токен Яндекса": r"\by[0-3]_[A-Za-z0-9_-]{30,}",
    "ключ Google": r"\b(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{30,}|GOCSPX-[A-Za-z0-9_-]{20,})",
    "ключ API «Везде»": r"\bvz_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])",
    "ключ облака": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "токен хостинга кода": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{50,}|glpat-[\w-]{20})",
    "пароль в адресе": r"\b(?:postgres(?:ql)?|rediss?|smtps?|amqp)(?:\+\w+)?://[^\s:/@\"'{}]+:[^\s:/@\"'{}…]{6,}@[^\s\"']+",
    "значение секретной настройки": r"\b(?:SECRET_KEY|VAULT_PRIVATE_KEY|\w+_CLIENT_SECRET|\w+_TOKEN|\w+_PASSWORD)"
    r"\s*=\s*[\"']?[A-Za-z0-9+/=_-]{20,}",
}
INVENTED = ("demo", "example", "test", "stranger", "very-secret", "s3cret", "password", "AAHdqTcvCH1vGWJxfSe1")
# Below this entropy in bits per character, a value is not random: "xxxx", "not-a-token-at-all".
MIN_ENTROPY = 3.0


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    found = [line for name in listed.decode().split("\0") if name for line in scan(ROOT / name)]
    for line in found:
        print(line)
    if found:
        print("Похоже на секреты. Уберите их из файлов и из истории и замените у тех, кто их выдал.")
    return bool(found)


def scan(path: Path, root: Path = ROOT) -> list[str]:
    """Returns lines `file:line: kind of secret`, without the secret."""
    if not path.is_file() or path.suffix in (".png", ".woff2"):
        return []
    text = path.read_text(errors="replace")
    return [
        f"{path.relative_to(root)}:{text.count(chr(10), 0, match.start()) + 1}: {kind}"
        for kind, pattern in PATTERNS.items()
        for match in re.finditer(pattern, text)
        if looks_real(match[0])
    ]


def looks_real(text: str) -> bool:
    return not any(word in text.lower() for word in map(str.lower, INVENTED)) and _entropy(text) >= MIN_ENTROPY


def _entropy(text: str) -> float:
    """Returns the Shannon entropy in bits per character."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


if __name__ == "__main__":
    sys.exit(main())
