"""Errors of the Bot API, `{"code", "message"}`, and of the upload servers."""

from flask import Response

from sandbox.emulator import json_response, reason_phrase

NOT_OWNER = "errors.process.attachment.movie.not.owner"
CODES = {
    "verify.token": (401, "Invalid access_token"),
    "chat.denied": (403, "You don't have permissions to access this chat"),
    "not.found": (404, "Path is not recognized"),
    "chat.not.found": (404, "Chat not found"),
    "method.not.allowed": (405, "Method is not allowed"),
    "proto.payload": (400, "Invalid request"),
    "attachment.not.ready": (400, "Key: errors.process.attachment.file.not.processed"),
    "too.many.requests": (429, "Too many requests"),
    "internal.error": (500, "Internal server error"),
    "service.unavailable": (503, "Service is unavailable"),
}
"""Status and message by code. Of several with one status the first is that status's."""
_OF_STATUS = {status: code for code, (status, _) in reversed(CODES.items())}


class ApiError(Exception):
    def __init__(self, code: str, message: str = "", status: int = 0) -> None:
        known_status, known_message = CODES.get(code, (400, code))
        super().__init__(message or known_message)
        self.code, self.status = code, status or known_status

    def response(self, retry_after: int | None = None) -> Response:
        return json_response({"code": self.code, "message": str(self)}, self.status, retry_after)


class Unsuccessful(ApiError):
    """What some methods answer with 200."""

    def response(self, retry_after: int | None = None) -> Response:
        return json_response({"success": False, "message": str(self)}, 200, retry_after)


def of_status(status: int) -> ApiError:
    return ApiError(_OF_STATUS.get(status, "error"), reason_phrase(status), status)


def of_code(code: str) -> ApiError:
    if code == "success:false":
        return Unsuccessful(code, "The request was not successful")
    if code == "not.owner":
        return ApiError("proto.payload", NOT_OWNER)
    return of_status(int(code)) if code.isdigit() else ApiError(code)


def upload_error(status: int, retry_after: int | None = None) -> Response:
    """The upload servers are another system, with a form of its own."""
    body = {"error_code": str(status), "error_msg": reason_phrase(status)}
    return json_response(body, status, retry_after)
