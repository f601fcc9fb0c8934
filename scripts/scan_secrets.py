"""Looks for secrets in what git keeps: `python scripts/scan_secrets.py`, a part of `make check`.

Real ones have a shape. What tests and the demo use on purpose says so itself: it holds one of the words in INVENTED.
"""

import math
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SHAPES = {
    "закрытый ключ": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "токен бота Telegram": r"(?<!\d)\d{8,10}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])",
    "токен VK": r"vk[12]\.a\.[A-Za-z0-9_-]{40,}",
    "токен Яндекса": r"\by[0-3]_[A-Za-z0-9_-]{30,}",
    "ключ Google": r"\b(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{30,}|GOCSPX-[A-Za-z0-9_-]{20,})",
    "ключ облака": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "токен хостинга кода": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{50,}|glpat-[\w-]{20})",
    "пароль в адресе": r"\b(?:postgres(?:ql)?|rediss?|smtps?|amqp)(?:\+\w+)?://[^\s:/@\"'{}]+:[^\s:/@\"'{}…]{6,}@[^\s\"']+",
    "значение секретной настройки": r"\b(?:SECRET_KEY|VAULT_PRIVATE_KEY|\w+_CLIENT_SECRET|\w+_TOKEN|\w+_PASSWORD)"
    r"\s*=\s*[\"']?[A-Za-z0-9+/=_-]{20,}",
}
INVENTED = ("demo", "example", "test", "stranger", "very-secret", "s3cret", "password", "AAHdqTcvCH1vGWJxfSe1")
# Under this many bits a sign it is words, not chance: "xxxx", "not-a-token-at-all".
CHANCE_BITS = 3.0


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    found = [place for name in listed.decode().split("\0") if name for place in scan(ROOT / name)]
    for place in found:
        print(place)
    if found:
        print("Похоже на секреты. Уберите их из файлов и из истории и замените у тех, кто их выдал.")
    return bool(found)


def scan(path: Path, root: Path = ROOT) -> list[str]:
    """`file:line: what it looks like`; never the secret itself."""
    if not path.is_file() or path.suffix in (".png", ".woff2"):
        return []
    text = path.read_text(errors="replace")
    return [
        f"{path.relative_to(root)}:{text.count(chr(10), 0, match.start()) + 1}: {what}"
        for what, shape in SHAPES.items()
        for match in re.finditer(shape, text)
        if looks_real(match[0])
    ]


def looks_real(text: str) -> bool:
    return not any(word in text.lower() for word in map(str.lower, INVENTED)) and _bits(text) >= CHANCE_BITS


def _bits(text: str) -> float:
    """Shannon's entropy of a sign."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


if __name__ == "__main__":
    sys.exit(main())
