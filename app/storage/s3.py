"""Clips in a bucket of Amazon S3 or of anything with its API: `s3://bucket/prefix?endpoint=…&region=…`.

The client is made before processes fork and is used only after: no connection is shared. It asks for no checksums
beyond what S3 always had, since other vendors lack the newer ones.
"""

import functools
import io
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.session
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import get_environ_proxies

from app.storage.base import StorageUnavailable, checked
from app.storage.s3_session import BoundedSession

# A request and its answer, in all; sent bytes have their time on top. A work horse waits for the bucket in the middle
# of an upload: a block that does not come, two tries to go on, and a block again stay within its lease, below a minute.
REQUEST_SECONDS, CONNECT_SECONDS, TRIES = 12, 5, 2
CHECK_SECONDS = 3
BLOCK_BYTES = 256 << 10
# Parts are read from the disk as they are sent; S3 accepts 10,000 of them at most.
_PARTS = TransferConfig(multipart_threshold=32 << 20, multipart_chunksize=16 << 20, max_concurrency=4)
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_MISSING = "NoSuchKey"
# A HEAD's refusal has no body that could name its code.
_HEAD_MISSING = "404"


@functools.cache
def _sessions(access_key: str | None, secret_key: str | None) -> tuple[boto3.session.Session, botocore.session.Session]:
    """One for all storages with these keys, and its core: each one reads a megabyte of JSON, which describes S3."""
    core = botocore.session.get_session()
    return boto3.session.Session(access_key, secret_key, botocore_session=core), core


def place(url: str) -> tuple[str, str]:
    """The bucket, and what the names of its files begin with: nothing, or a text that ends with a slash."""
    parts = urlsplit(url)
    return parts.netloc, f"{parts.path.strip('/')}/".lstrip("/")


def make_client(url: str, access_key: str, secret_key: str, *, seconds: float = REQUEST_SECONDS, tries: int) -> Any:
    """Bounded in time and tries, for the bucket of `url`."""
    options = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
    session, core = _sessions(access_key or None, secret_key or None)
    connect_seconds = min(seconds, CONNECT_SECONDS)
    made = session.client(
        "s3",
        region_name=options.get("region", "us-east-1"),
        endpoint_url=options.get("endpoint"),
        config=Config(
            connect_timeout=connect_seconds,
            read_timeout=seconds,
            retries={"total_max_attempts": tries, "mode": "standard"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # bucket.host needs a name and a certificate that own servers seldom have.
            s3={"addressing_style": "path" if "endpoint" in options else "auto"},
        ),
    )
    bounded = BoundedSession(
        seconds,
        timeout=(connect_seconds, seconds),
        # As the client's own session has them.
        verify=core.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or True,
        proxies=get_environ_proxies(made.meta.endpoint_url),
    )
    made.meta.events.register("before-send.s3", bounded.respond)
    return made


class S3Storage:
    def __init__(
        self, url: str, access_key: str = "", secret_key: str = "", *, seconds: float = REQUEST_SECONDS
    ) -> None:
        """`url` as in the setting STORAGE_URL. Without keys boto3 uses those of AWS programs: a role, a profile.

        Those it fetches by itself, within its own time-outs: from the machine it runs on and from AWS, not the bucket.
        """
        self._bucket, self._prefix = place(url)

        def client(seconds: float, tries: int) -> Any:
            return make_client(url, access_key, secret_key, seconds=seconds, tries=tries)

        self._client, self._quick_client = client(seconds, TRIES), client(min(seconds, CHECK_SECONDS), 1)

    def put_file(self, path: Path, key: str) -> str:
        with storage_errors():
            self._client.upload_file(str(path), **self._object(key), Config=_PARTS)
        path.unlink()
        return key

    def keep(self, key: str) -> None:
        """A bucket responds when the file is durable."""

    def put_bytes(self, data: bytes, key: str) -> str:
        with storage_errors():
            self._client.put_object(**self._object(key), Body=data)
        return key

    def open(self, key: str, start: int = 0) -> BinaryIO:
        head = self._head(key)
        return open_object(self._client, self._object(key), head["ContentLength"], head.get("ETag"), start)

    def size(self, key: str) -> int:
        return self._head(key)["ContentLength"]

    def _head(self, key: str) -> Mapping[str, Any]:
        with storage_errors():
            try:
                head = self._client.head_object(**self._object(key))
            except ClientError as error:
                if error.response["Error"]["Code"] != _HEAD_MISSING:
                    raise
                # Only the response to a GET names what is missing, the object or the whole bucket.
                self._client.get_object(**self._object(key), Range="bytes=0-0")["Body"].close()
                raise StorageUnavailable("бакет: HEAD не находит файла, GET находит") from None
        if "ContentLength" not in head:
            raise StorageUnavailable("бакет не назвал длину файла")
        return head

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except FileNotFoundError:
            return False
        return True

    def delete(self, key: str) -> None:
        with storage_errors():
            self._client.delete_object(**self._object(key))

    def path(self, key: str) -> Path | None:
        checked(key)
        return None

    @contextmanager
    def on_disk(self, key: str) -> Iterator[Path]:
        with NamedTemporaryFile(prefix="vezde-clip-") as copy:
            with self.open(key) as original:
                shutil.copyfileobj(original, copy, BLOCK_BYTES)
            copy.flush()
            yield Path(copy.name)

    def check(self) -> None:
        with storage_errors():
            self._quick_client.put_object(Bucket=self._bucket, Key=f"{self._prefix}check", Body=b"ok")

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + checked(key)}


def open_object(client: Any, where: Mapping[str, str], size: int, etag: str | None, start: int = 0) -> BinaryIO:
    """Reads an object of that size from `start` on; `where`: its bucket and its key."""

    def get(offset: int) -> Mapping[str, Any]:
        # The object may have been replaced since the last range.
        unchanged = {"IfMatch": etag} if etag else {}
        return client.get_object(**where, Range=f"bytes={offset}-", **unchanged)

    return io.BufferedReader(_Reader(get, size, etag, start), BLOCK_BYTES)


class _WrongResponse(Exception):
    """Not the requested bytes."""


class _Reader(io.RawIOBase):
    """A file of the bucket as it comes in. After a cut connection it continues at the same byte."""

    def __init__(self, get: Callable[[int], Mapping[str, Any]], size: int, etag: str | None, start: int) -> None:
        self._get, self._size, self._etag, self._position = get, size, etag, start
        self._body: Any = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if origin + offset != self._position:
            self._disconnect()
            self._position = origin + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:
        amount = min(len(buffer), self._size - self._position, BLOCK_BYTES)
        if amount <= 0:
            return 0
        block = self._read(amount)
        buffer[: len(block)] = block
        self._position += len(block)
        return len(block)

    def _read(self, amount: int) -> bytes:
        with storage_errors():
            try:
                return self._read_once(amount)
            except (BotoCoreError, _WrongResponse):
                self._disconnect()
                return self._read_once(amount)

    def _read_once(self, amount: int) -> bytes:
        if self._body is None:
            got = self._get(self._position)
            self._body = got["Body"]
            self._check(got)
        block = self._body.read(amount)
        if not block:
            raise _WrongResponse("файл отдан не до конца")
        return block

    def _check(self, got: Mapping[str, Any]) -> None:
        """A proxy or a server that ignores `Range` or compresses would shift every byte that follows."""
        status, encoding = got["ResponseMetadata"]["HTTPStatusCode"], got.get("ContentEncoding") or "identity"
        if encoding.lower() != "identity":
            raise _WrongResponse(f"ответ сжат: {encoding}")
        left = self._size - self._position
        wanted = f"bytes {self._position}-{self._size - 1}/{self._size}"
        # RFC 9110, 14.2: a server may ignore the header, and then sends all of the file.
        all_of_it = status == 200 and left == self._size and "ContentRange" not in got
        if not all_of_it and (status, got.get("ContentRange")) != (206, wanted):
            raise _WrongResponse(f"HTTP {status}, {got.get('ContentRange') or 'без Content-Range'} вместо {wanted}")
        if got.get("ContentLength", left) != left:
            raise _WrongResponse(f"{got['ContentLength']} байт вместо {left}")
        if self._etag and got.get("ETag", self._etag) != self._etag:
            raise _WrongResponse("файл заменён")

    def close(self) -> None:
        self._disconnect()
        super().close()

    def _disconnect(self) -> None:
        if self._body:
            self._body.close()
            self._body = None


@contextmanager
def storage_errors() -> Iterator[None]:
    """The client's errors as those of a storage. Their texts hold no keys, but addresses: they stay in the log."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == _MISSING:
            raise FileNotFoundError(f"{error.operation_name}: {code}") from None
        raise StorageUnavailable(f"бакет: {error.operation_name}: {code}") from error
    except (BotoCoreError, Boto3Error) as error:
        raise StorageUnavailable(f"бакет не отвечает: {type(error).__name__}") from error
    except _WrongResponse as error:
        raise StorageUnavailable(f"бакет: {error}") from None
