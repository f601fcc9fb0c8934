"""An authenticator in software (WebAuthn level 2): keys that really sign what a site's options ask for.

What a hostile or broken client changes is an argument; the rest is right.
"""

import hashlib
import json
import secrets
from urllib.parse import urlsplit

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from flask import current_app
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

PRESENT, VERIFIED, ATTESTED = 1, 4, 64


class Authenticator:
    """One credential, made by `create`. `counts`: whether it counts uses, as what cannot be copied does."""

    def __init__(self, counts: bool = True) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id, self.handle = secrets.token_bytes(32), b""
        self.count, self._counts = 0, counts

    def create(self, options: str, *, flags: int = PRESENT | VERIFIED, fmt: str = "none", **changed) -> str:
        asked = json.loads(options)
        self.handle = base64url_to_bytes(asked["user"]["id"])
        numbers = self._key.public_key().public_numbers()
        x, y = (one.to_bytes(32, "big") for one in (numbers.x, numbers.y))
        key = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + key
        data = self._data(changed, flags | ATTESTED) + attested
        made = cbor2.dumps({"fmt": fmt, "attStmt": {}, "authData": data})
        return self._response(_client_data("webauthn.create", asked, changed), attestationObject=made)

    def get(self, options: str, *, flags: int = PRESENT | VERIFIED, **changed) -> str:
        client_data = _client_data("webauthn.get", json.loads(options), changed)
        data = self._data(changed, flags)
        signed = self._key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        handle = changed.get("handle", self.handle)
        return self._response(client_data, authenticatorData=data, signature=signed, userHandle=handle)

    def _data(self, changed: dict, flags: int) -> bytes:
        self.count += self._counts
        rp_id = changed.get("rp_id", urlsplit(current_app.config["PUBLIC_URL"]).hostname)
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _response(self, client_data: bytes, **parts: bytes) -> str:
        parts = {name: bytes_to_base64url(value) for name, value in {"clientDataJSON": client_data, **parts}.items()}
        named = bytes_to_base64url(self.credential_id)
        return json.dumps({"id": named, "rawId": named, "type": "public-key", "response": parts})


def _client_data(kind: str, asked: dict, changed: dict) -> bytes:
    origin = changed.get("origin", current_app.config["PUBLIC_URL"])
    data = {"type": changed.get("kind", kind), "challenge": asked["challenge"], "origin": origin}
    return json.dumps({**data, "crossOrigin": changed.get("framed", False)}).encode()
