"""Uploads that continue where they broke off: tus 1.0 at /api/v1/uploads."""

import base64
from collections.abc import Callable

from vezde_client.answers import Answer
from vezde_client.api import Api, Patience
from vezde_client.errors import Refused, Unavailable
from vezde_client.journal import Journal
from vezde_client.local_file import LocalFile, Piece

PIECE_BYTES = 16 << 20
_VERSION = {"Tus-Resumable": "1.0.0"}
_CREATE = "upload"
# The service has another offset, or lacks the upload: to be asked for, or begun anew.
_OUT_OF_STEP, _GONE = (409, 460), (404, 410)

Progress = Callable[[int, int], None]


class Upload:
    """One file's. The journal remembers its address, and the key with which it was begun."""

    def __init__(self, api: Api, file: LocalFile, journal: Journal, progress: Progress, render: str = "") -> None:
        self._api, self._file, self._journal, self._progress = api, file, journal, progress
        self._render = render

    def send(self) -> int:
        """Returns the number of the clip that the file has become."""
        patience = self._api.patience()
        begun_anew = False
        while True:
            try:
                clip_id = self._go_on(patience)
            except Refused as error:
                if error.status in _GONE and not begun_anew:
                    begun_anew = True  # it was unfinished for too long
                    self._begin_anew()
                elif error.status not in _OUT_OF_STEP:
                    raise
                else:
                    patience.wait(Unavailable(error.message, error.code, error.problem))
                continue
            if clip_id is not None:
                self._progress(self._file.size, self._file.size)
                return clip_id

    def _go_on(self, patience: Patience) -> int | None:
        address = self._journal.facts.get("upload") or self._create()
        offset, clip_id = _place(self._api.send("HEAD", address, headers=self._headers))
        while clip_id is None:
            self._file.require_unchanged()
            self._progress(offset, self._file.size)
            try:
                answer = self._send_piece(address, offset)
                if answer.is_temporary:
                    patience.wait(answer.refusal(), answer.waits)
                    return None
                answer.raise_for_refusal()
            except Unavailable as error:
                patience.wait(error)
                return None  # what has arrived of the piece is kept: asked for first
            patience.renew()
            offset, clip_id = _place(answer)
        return clip_id

    def _create(self) -> str:
        told = {"filename": self._file.name, "fingerprint": self._file.fingerprint}
        if self._render:
            told["render"] = self._render
        headers = {
            **_VERSION,
            "Idempotency-Key": self._journal.key(_CREATE),
            "Upload-Length": str(self._file.size),
            "Upload-Metadata": ",".join(f"{name} {_base64(value)}" for name, value in told.items()),
        }
        answer = self._api.send("POST", "/uploads", headers=headers)
        address = self._api.address(answer.headers.get("Location", ""))
        self._journal.note(upload=address)
        return address

    def _begin_anew(self) -> None:
        self._journal.drop_key(_CREATE)
        self._journal.forget("upload")

    def _send_piece(self, address: str, offset: int) -> Answer:
        length = min(PIECE_BYTES, self._file.size - offset)
        headers = {
            **self._headers,
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
        }
        piece = Piece(self._file.path, offset, length, lambda sent: self._progress(offset + sent, self._file.size))
        try:
            return self._api.once("PATCH", address, data=piece, headers=headers)
        finally:
            piece.close()

    @property
    def _headers(self) -> dict[str, str]:
        return {**_VERSION, "Upload-Fingerprint": self._file.fingerprint}


def _place(answer: Answer) -> tuple[int, int | None]:
    """How many bytes the service has, and the clip once it has all of them."""
    offset, clip_id = answer.headers.get("Upload-Offset", ""), answer.headers.get("X-Clip-Id")
    if not offset.isdigit():
        raise Unavailable("Ответил не API «Везде»: в ответе нет Upload-Offset. Проверьте адрес.")
    return int(offset), int(clip_id) if clip_id else None


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()
