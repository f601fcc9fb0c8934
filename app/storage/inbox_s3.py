"""An inbox below a prefix of a bucket: `s3://bucket/prefix?endpoint=…&region=…`."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from app.storage.inbox import MAX_ENTRIES, Changed, Entry, may_be_taken, path_when_done
from app.storage.s3 import BLOCK_BYTES, CHECK_SECONDS, TRIES, make_client, open_object, place, storage_errors

# A bucket copies no larger file in one request; such ones stay where they are.
_MAX_COPIED_BYTES = 5 << 30


class S3Inbox:
    def __init__(self, url: str, access_key: str = "", secret_key: str = "") -> None:
        self._bucket, self._prefix = place(url)
        self._client = make_client(url, access_key, secret_key, tries=TRIES)
        self._quick_client = make_client(url, access_key, secret_key, seconds=CHECK_SECONDS, tries=1)

    def entries(self) -> Iterator[Entry]:
        seen, more = 0, {}
        while seen < MAX_ENTRIES:
            with storage_errors():
                page = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, **more)
            for found in page.get("Contents", ()):
                seen += 1
                path = found["Key"].removeprefix(self._prefix)
                if may_be_taken(path):
                    etag, size = found.get("ETag"), found["Size"]
                    version = f"{size}-{etag}".replace('"', "")
                    yield Entry(path, size, version, found["LastModified"], etag)
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def blocks(self, entry: Entry) -> Iterator[bytes]:
        with storage_errors(), open_object(self._client, self._object(entry.path), entry.size, entry.etag) as file:
            try:
                while block := file.read(BLOCK_BYTES):
                    yield block
            except ClientError as error:
                if _code(error) == "PreconditionFailed":
                    raise Changed from None
                raise

    def put_away(self, entry: Entry) -> bool:
        if entry.size > _MAX_COPIED_BYTES:
            return False
        where, target = self._object(entry.path), self._object(path_when_done(entry))
        with storage_errors():
            # Not every vendor compares while it copies or deletes: a moment is left between.
            if self._is_the_same(entry):
                self._client.copy_object(**target, CopySource=where)
                if self._is_the_same(entry):
                    self._client.delete_object(**where)
        return True

    def _is_the_same(self, entry: Entry) -> bool:
        """Neither gone nor another file by now."""
        try:
            return self._client.head_object(**self._object(entry.path)).get("ETag") == entry.etag
        except ClientError as error:
            if _code(error) != "404":
                raise
            return False

    def check(self) -> None:
        with storage_errors():
            self._quick_client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)

    def _object(self, path: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": self._prefix + path}


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
