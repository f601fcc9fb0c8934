"""Addresses for uploads, and the servers behind them: one address takes one file, in the field `data`.

Resumable uploads are not emulated: pieces are refused as the vendor refuses what is to start over.
"""

import secrets
from typing import Any

from flask import Blueprint, Response, request

from sandbox.emulator import Emulator, external_url, json_response
from sandbox.max.errors import upload_error
from sandbox.multipart import BadMultipart, Part, parts
from sandbox.state import DraftGone, Token, Video

TYPES = ("image", "video", "audio", "file")
TOKEN_COMES_FIRST = ("video", "audio")
"""For these the token comes with the address, for others with the answer to the file."""
MAX_FILE_NAME = 200
RETVAL = "<retval>1</retval>"


class Refusal(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Upload:
    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._state = emulator.state

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule("/max-upload/upload.do", "upload", self._respond, methods=["GET", "POST"])

    def begin(self, bot: Token, kind: str) -> dict[str, Any]:
        token, number, signature = secrets.token_urlsafe(40), secrets.token_hex(8), secrets.token_hex(16)
        facts = {"type": kind, "bot": bot.account, "number": number, "sig": signature, "token": token}
        self._state.begin("max", key=f"max-{token}", facts=facts)
        url = external_url(f"/max-upload/upload.do?id={number}&sig={signature}")
        return {"url": url} | ({"token": token} if kind in TOKEN_COMES_FIRST else {})

    def find(self, token: str) -> Video | None:
        return self._state.videos.get(f"max-{token}")

    def _respond(self) -> Response:
        try:
            return self._receive()
        except Refusal as refusal:
            return upload_error(refusal.status)

    def _receive(self) -> Response:
        draft = self._draft()
        if request.method == "GET" or request.mimetype != "multipart/form-data":
            raise Refusal(416)
        if draft.ready_at is not None or draft.published:
            raise Refusal(410)  # this address has had its file
        received = False
        try:
            for part in parts(request.environ["wsgi.input"], request.content_type):
                if received or part.name != "data" or not part.filename or len(part.filename) > MAX_FILE_NAME:
                    raise Refusal(400)
                self._write(draft, part)
                received = True
        except BadMultipart:
            raise Refusal(400) from None
        if not received or not draft.bytes:
            raise Refusal(400)
        with self._state.lock:
            if draft.sha256 is None:
                raise DraftGone  # another upload to this address has begun
            self._emulator.process(draft)
        return self._answer(draft)

    def _draft(self) -> Video:
        given = request.args.get("id"), request.args.get("sig")
        for draft in self._state.videos:
            facts = draft.facts
            if draft.key.startswith("max-") and (facts["number"], facts["sig"]) == given:
                return draft
        raise Refusal(403)

    def _write(self, draft: Video, part: Part) -> None:
        limit = int(self._emulator.option("max_mb") * 1_000_000)
        with self._state.receive(draft) as receiver:
            for block in part.blocks:
                if draft.bytes + len(block) > limit:
                    raise Refusal(413)
                receiver.write(block)

    @staticmethod
    def _answer(draft: Video) -> Response:
        kind, token = draft.facts["type"], draft.facts["token"]
        if kind == "image":
            return json_response({"photos": {draft.facts["number"]: {"token": token}}})
        if kind == "file":
            return json_response({"fileId": int(draft.facts["number"], 16), "token": token})
        return Response(RETVAL, content_type="text/xml")
