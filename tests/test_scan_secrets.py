"""The scan of the tree finds what has a secret's shape, and lets invented ones be."""

import pytest

from scripts import scan_secrets

# The secrets are put together here, so that the scan does not find this file.
CHANCE = "q7Zr2LxW9bTkV4mHs8NcY1dPfE3gJuA6oRt5wXi"


@pytest.mark.parametrize(
    "text",
    [
        f"110201543:AA{CHANCE[:33]}",
        f"Bearer vz_{(CHANCE * 2)[:43]}",
        f"token = 'vk1.a.{CHANCE}{CHANCE}'",
        f"SECRET_KEY={CHANCE}",
        f"VAULT_PRIVATE_KEY = '{CHANCE}='",
        f"redis://:pw postgres://vezde:{CHANCE[:12]}@db.host/vezde",
        f"AKIA{CHANCE[:16].upper()}",
        f"ghp_{CHANCE[:36]}",
        "-----BEGIN " + "PRIVATE KEY-----",
    ],
)
def test_found(tmp_path, text):
    file = tmp_path / "settings.py"
    file.write_text(f"one\n{text}\n")
    [place] = scan_secrets.scan(file, tmp_path)
    assert place.startswith("settings.py:2: ")
    assert CHANCE[:12] not in place


@pytest.mark.parametrize(
    "text", ["SECRET_KEY=", "110201543:AA" + "x" * 33, "vk1.a.vezde-demo", "smtp://user:…@host", "code=1"]
)
def test_let_be(tmp_path, text):
    file = tmp_path / "settings.py"
    file.write_text(text)
    assert scan_secrets.scan(file, tmp_path) == []
