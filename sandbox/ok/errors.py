"""OK's errors: `{"error_code", "error_msg": "NAME : text", "error_data"}`, with HTTP 200. https://apiok.ru/en/dev/errors"""

from werkzeug.wrappers import Response

from sandbox.emulator import json_response

NAMES = {
    1: "UNKNOWN",
    2: "SERVICE",
    3: "METHOD",
    4: "REQUEST",
    10: "PERMISSION_DENIED",
    11: "LIMIT_REACHED",
    100: "PARAM",
    101: "PARAM_API_KEY",
    102: "PARAM_SESSION_EXPIRED",
    103: "PARAM_SESSION_KEY",
    104: "PARAM_SIGNATURE",
    300: "NOT_FOUND",
}
TEXTS = {
    1: "Unknown error",
    2: "Service temporarily unavailable",
    3: "Method does not exist",
    4: "Too many requests",
    10: "Permission to perform an action denied",
    11: "Method call limit reached",
    101: "No application key or unknown application key",
    102: "Session expired",
    103: "Invalid session key",
    104: "Invalid signature",
    300: "The requested information not found",
}


class ApiError(Exception):
    """`text` replaces the usual one."""

    def __init__(self, code: int, text: str = "") -> None:
        self.code = code
        self.text = f"{NAMES.get(code, 'UNKNOWN')} : {text or TEXTS.get(code, 'Error')}"
        super().__init__(self.text)

    def response(self, status: int = 200, retry_after: int | None = None) -> Response:
        body = {"error_code": self.code, "error_msg": self.text, "error_data": None}
        return json_response(body, status, retry_after)


def invalid(text: str) -> ApiError:
    return ApiError(100, text)
