"""Seals secrets with a public key and opens them with the private one (HPKE, RFC 9180).

The web and the scheduler hold only the public key: they can put a token in and never read one back.
Every ciphertext is bound to its row (`bound_to`) and names its key, so that keys can be rotated.

A sealed value is: version byte 1, eight bytes of key id, HPKE's encapsulated key and ciphertext.
Keys are written as base64 of their 32 raw bytes; several private keys stand side by side, with commas.
"""

import base64
import binascii
import hashlib
import hmac
import os
import sys
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from app.observability import redact

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_VERSION = b"\x01"
_KEY_ID_BYTES = 8


class CannotOpen(Exception):
    """Wrong key, wrong row, or damaged bytes. Its text reveals nothing of the content."""


def generate() -> tuple[str, str]:
    """A new pair (public, private) as text for the settings."""
    private = X25519PrivateKey.generate()
    return _public_text(private.public_key()), base64.b64encode(private.private_bytes_raw()).decode()


def read_private_keys(file: Path) -> str:
    """The private keys of a file: its last line. Raises OSError."""
    return file.read_text().split()[-1]


def key_file(file: Path) -> str:
    """Returns the public key of a file with a pair, public key first; makes the file if there is none.

    Raises OSError.
    """
    if not file.exists():
        fresh = file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as output:
            output.write("\n".join(generate()))
        fresh.replace(file)
    return file.read_text().split()[0]


def key_id(public_key: str) -> str:
    return hashlib.sha256(_decode(public_key)).digest()[:_KEY_ID_BYTES].hex()


def web_cipher(secret_key: str, bound_to: str) -> Fernet:
    """For what the web must read again, which is never a token: the database alone does not open it.

    Each row has a key of its own, by `bound_to`: what is copied to another row does not open there.
    """
    key = hmac.digest(secret_key.encode(), bound_to.encode(), "sha256")
    return Fernet(base64.urlsafe_b64encode(key))


def sealed_with(sealed: bytes) -> str:
    """The id of the key that sealed it; no key is needed to see that."""
    return sealed[1 : 1 + _KEY_ID_BYTES].hex()


class Vault:
    def __init__(self, public_key: str, private_keys: str = "") -> None:
        self._public = X25519PublicKey.from_public_bytes(_decode(public_key))
        self.key_id = key_id(public_key)  # of the key that seals
        self._private: dict[str, X25519PrivateKey] = {}
        for text in filter(None, (part.strip() for part in private_keys.split(","))):
            redact.hide(text)
            private = X25519PrivateKey.from_private_bytes(_decode(text))
            self._private[key_id(_public_text(private.public_key()))] = private

    @property
    def private_key_ids(self) -> list[str]:
        """The ids of the keys whose ciphertexts can be opened here."""
        return list(self._private)

    @property
    def can_open(self) -> bool:
        return bool(self._private)

    def seal(self, plain: bytes, bound_to: str) -> bytes:
        return _VERSION + bytes.fromhex(self.key_id) + _SUITE.encrypt(plain, self._public, info=bound_to.encode())

    def open(self, sealed: bytes, bound_to: str) -> bytes:
        """The plain bytes. Raises CannotOpen."""
        private = self._private.get(sealed_with(sealed))
        if sealed[:1] != _VERSION or private is None:
            raise CannotOpen("у этого процесса нет ключа, которым запечатано значение")
        try:
            return _SUITE.decrypt(sealed[1 + _KEY_ID_BYTES :], private, info=bound_to.encode())
        except (InvalidTag, ValueError):
            raise CannotOpen("значение повреждено или запечатано для другой записи") from None


def _public_text(key: X25519PublicKey) -> str:
    return base64.b64encode(key.public_bytes_raw()).decode()


def _decode(text: str) -> bytes:
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != 32:
        raise ValueError("ключ хранилища — 32 байта в base64: flask keys new")
    return raw


if __name__ == "__main__":
    # Before there are settings there is no flask command. With a file, for `make run`: only this process sees its keys.
    if len(sys.argv) == 2:
        sys.stdout.write(key_file(Path(sys.argv[1])))
    else:
        sys.stdout.write("VAULT_PUBLIC_KEY={}\nVAULT_PRIVATE_KEY={}\n".format(*generate()))
