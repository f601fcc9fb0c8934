"""The storage of clips and posters: a folder or a bucket, by the setting STORAGE_URL."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, current_app

from app.storage.base import Storage, StorageUnavailable, key_from
from app.storage.folder import FolderStorage
from app.storage.inbox import inbox_at

__all__ = ["Storage", "StorageUnavailable", "connect_storage", "key_from", "storage", "storage_at"]


def connect_storage(app: Flask) -> None:
    """Makes STORAGE_URL's storage, and INBOX_URL's inbox, the application's."""
    app.extensions["storage", "storage_at"] = storage_at(app.config["STORAGE_URL"], app.config)
    if url := app.config["INBOX_URL"]:
        app.extensions["inbox"] = inbox_at(url, app.config)


def storage_at(url: str, config: Mapping[str, Any]) -> Storage:
    """The storage at an address that `config.storage_address` has checked."""
    if url.startswith("file:"):
        return FolderStorage(Path(url.removeprefix("file:")))
    # Here: an installation with a folder need not load the client of buckets.
    from app.storage.s3 import S3Storage

    return S3Storage(url, config["AWS_ACCESS_KEY_ID"], config["AWS_SECRET_ACCESS_KEY"])


def storage() -> Storage:
    return current_app.extensions["storage", "storage_at"]
