"""The web process's worker with short deadlines, for tests that wait for them."""

from app.server.worker import Worker


class ShortWorker(Worker):
    HEAD_SECONDS = BODY_SECONDS = 1.0
    UPLOAD_WINDOW = DOWNLOAD_WINDOW = 2.0
    LINGER_SECONDS = 1.0
