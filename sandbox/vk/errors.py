"""VK's error responses: of the methods and of VK ID (both HTTP 200), and of the upload servers."""

from typing import Any

from flask import Response

from sandbox.emulator import json_response

ERROR_TEXTS = {
    1: "Unknown error occurred",
    3: "Unknown method passed",
    5: "User authorization failed: invalid access_token (4).",
    6: "Too many requests per second",
    7: "Permission to perform this action is denied",
    8: "Invalid request",
    9: "Flood control",
    10: "Internal server error",
    14: "Captcha needed",
    15: "Access denied",
    17: "Validation required: please open redirect_uri in browser",
    22: "Upload error",
    24: "Confirmation required",
    25: "Token confirmation required",
    27: "Group authorization failed: method is unavailable with group auth.",
    28: "Application authorization failed: method is unavailable with service token.",
    29: "Rate limit reached",
    100: "One of the parameters specified was missing or invalid",
    104: "Not found",
    203: "Access to group denied",
    204: "Access to video denied",
    214: "Access to adding post denied",
    219: "Advertisement post was recently added",
    220: "Too many recipients",
    222: "Hyperlinks are forbidden",
    224: "Too many ads posts",
    1051: "Method is unavailable for this profile type",
    1117: "Access token has expired",
    3001: "Video is not encoded yet",
}
"""https://dev.vk.com/ru/reference/errors"""

EXTRAS = {
    14: {"captcha_sid": "239633676097", "captcha_img": "https://api.vk.com/captcha.php?sid=239633676097"},
    17: {"redirect_uri": "https://m.vk.com/login?act=security_check"},
    24: {"confirmation_text": "Confirm the action"},
}
"""More fields of an error, by code: https://dev.vk.com/ru/api/captcha-error"""


class ApiError(Exception):
    """A method's error. `detail` is added to the usual text, `instead` replaces it."""

    def __init__(self, code: int, detail: str = "", instead: str = "") -> None:
        self.code = code
        self.text = instead or ERROR_TEXTS.get(code, "Unknown error occurred") + (f": {detail}" if detail else "")
        super().__init__(self.text)

    def response(self, params: list[dict[str, str]], status: int = 200, retry_after: int | None = None) -> Response:
        error: dict[str, Any] = {"error_code": self.code, "error_msg": self.text, "request_params": params}
        return json_response({"error": error | EXTRAS.get(self.code, {})}, status, retry_after)


class UploadError(Exception):
    """An error of an upload server."""

    def __init__(self, error: str, description: str, code: int = 22) -> None:
        super().__init__(description)
        self._body = {"error": error, "error_code": code, "error_descr": description}

    def response(self, status: int = 200, retry_after: int | None = None) -> Response:
        return json_response(self._body, status, retry_after)


def id_error(
    error: str, description: str, state: str | None = None, status: int = 200, retry_after: int | None = None
) -> Response:
    """Returns an error response of VK ID."""
    body = {"error": error, "error_description": description} | ({"state": state} if state else {})
    return json_response(body, status, retry_after)
