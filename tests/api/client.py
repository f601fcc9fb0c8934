"""A program that uses the HTTP API with a key."""

from typing import Any

from flask import Flask
from werkzeug.test import TestResponse


class Program:
    """`get("/clips")`, `post("/publications", {…}, key="once")`: paths are those below /api/v1."""

    def __init__(self, app: Flask, secret: str | None) -> None:
        self._client = app.test_client()
        self.secret = secret

    def send(self, method: str, path: str, body: Any = None, key: str | None = None, **more: Any) -> TestResponse:
        headers = {**more.pop("headers", {})}
        if self.secret:
            headers.setdefault("Authorization", f"Bearer {self.secret}")
        if key:
            headers["Idempotency-Key"] = key
        if body is not None:
            more["json"] = body
        return self._client.open(f"/api/v1{path}", method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.send("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self.send("POST", path, body, **more)

    def patch(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self.send("PATCH", path, body, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        return self.send("DELETE", path, **more)
