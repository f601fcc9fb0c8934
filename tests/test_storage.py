"""Every storage by the same tests: a folder, and a bucket of a real S3 server."""

import io
import resource
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app import config
from app.storage import Storage, StorageUnavailable, key_from
from app.storage.folder import FolderStorage
from app.storage.s3 import S3Storage
from tests.certificates import write_certificate
from tests.clips import new_key
from tests.dripping import OBJECT, dripping_bucket
from tests.lying_s3 import LIES, lying
from tests.s3 import KEY, SECRET, S3Server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "clips"


@pytest.fixture
def in_folder(folder: Path) -> FolderStorage:
    return FolderStorage(folder)


@pytest.fixture
def in_bucket(s3: S3Server) -> S3Storage:
    return S3Storage(s3.bucket(), KEY, SECRET)


@pytest.fixture(params=["in_folder", "in_bucket"])
def store(request: pytest.FixtureRequest) -> Storage:
    store = request.getfixturevalue(request.param)
    store.check()
    return store


def test_a_file_moves_in_and_is_read_back(store: Storage, tmp_path: Path):
    source = tmp_path / "source"
    source.write_bytes(b"0123456789")

    key = store.put_file(source, new_key())

    assert not source.exists()
    assert store.exists(key)
    assert store.size(key) == 10
    with store.open(key) as whole, store.open(key, start=4) as rest, store.open(key, start=10) as nothing:
        assert whole.read() == b"0123456789"
        assert rest.read(3) == b"456"
        assert rest.read() == b"789"
        assert nothing.read() == b""
    with store.on_disk(key) as path:
        assert path.read_bytes() == b"0123456789"


def test_what_is_kept_is_there(store: Storage, in_folder: Storage, tmp_path: Path):
    source = tmp_path / "source"
    source.write_bytes(b"0123456789")
    store.keep(store.put_file(source, new_key()))
    with pytest.raises(FileNotFoundError):
        in_folder.keep(new_key())


def test_a_file_can_be_sought_in(store: Storage):
    with store.open(store.put_bytes(b"0123456789", new_key())) as file:
        assert file.seek(0, io.SEEK_END) == 10
        assert file.seek(7) == 7
        assert file.read() == b"789"
        assert file.seek(1) == file.tell() == 1
        assert file.read(2) == b"12"


def test_the_same_secret_puts_one_file(store: Storage):
    key = key_from("a secret")
    assert store.put_bytes(b"first", key) == store.put_bytes(b"again", key) == key_from("a secret")
    assert store.open(key).read() == b"again"
    assert key != key_from("another")


def test_keys_are_random_and_sharded():
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert len({key.partition("/")[0] for key in keys}) > 10


def test_deleting_twice_is_fine_and_what_is_gone_is_not_found(store: Storage):
    key = store.put_bytes(b"x", new_key())
    store.delete(key)
    store.delete(key)
    assert not store.exists(key)
    for ask in (store.size, store.open):
        with pytest.raises(FileNotFoundError):
            ask(key)
    with pytest.raises(FileNotFoundError), store.on_disk(key):
        pass


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "ab/../../../etc/passwd", "/etc/passwd", "ab/" + "g" * 38])
def test_only_keys_are_opened(store: Storage, key: str):
    for ask in (store.open, store.path, store.size, store.delete):
        with pytest.raises(ValueError, match="not a key"):
            ask(key)


# A folder


def test_files_are_for_this_user_alone_and_nothing_else_is_left(in_folder: FolderStorage, folder: Path):
    key = in_folder.put_bytes(b"poster", new_key())
    assert in_folder.path(key).stat().st_mode & 0o777 == 0o600
    assert [path for path in folder.rglob("*") if path.is_file()] == [in_folder.path(key)]


def test_a_file_comes_over_from_another_file_system(in_folder: FolderStorage, folder: Path):
    in_folder.check()
    source = Path("/dev/shm") / f"vezde-test-{new_key()[3:]}"
    if not source.parent.is_dir() or source.parent.stat().st_dev == folder.stat().st_dev:
        pytest.skip("there is only one file system here")
    source.write_bytes(b"far away")
    key = in_folder.put_file(source, new_key())
    assert in_folder.path(key).read_bytes() == b"far away"
    assert not source.exists()


def test_check_reports_what_is_wrong(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageUnavailable, match="file/clips"):
        FolderStorage(tmp_path / "file" / "clips").check()


@pytest.mark.parametrize("mount_point", [False, True])
def test_a_folder_that_is_not_mounted_is_no_missing_file(
    in_folder: FolderStorage, folder: Path, tmp_path: Path, mount_point: bool
):
    key = in_folder.put_bytes(b"x", new_key())
    folder.rename(tmp_path / "away")
    if mount_point:
        folder.mkdir()
    with pytest.raises(StorageUnavailable):
        in_folder.open(key)
    with pytest.raises(StorageUnavailable), in_folder.on_disk(key):
        pass
    if not mount_point:
        for ask in (lambda: in_folder.size(key), lambda: in_folder.put_bytes(b"y", new_key()), in_folder.check):
            with pytest.raises(StorageUnavailable):
                ask()
        assert not folder.exists(), "an empty folder in its place would be a storage that has lost its files"


# A bucket


def test_a_heavy_file_goes_through_a_bucket_in_parts_and_in_little_memory(in_bucket: S3Storage, heavy_file, tmp_path):
    copy = tmp_path / "copy"
    copy.write_bytes(heavy_file.read_bytes())
    key = in_bucket.put_file(copy, new_key())

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with in_bucket.open(key) as sent, heavy_file.open("rb") as original:
        while block := original.read(1 << 20):
            assert sent.read(1 << 20) == block
        assert sent.read() == b""
    with in_bucket.on_disk(key) as path:
        assert path.stat().st_size == heavy_file.stat().st_size
    assert not path.exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


def test_a_bucket_that_breaks_off_is_read_on_from_there(s3: S3Server, heavy_file: Path, tmp_path: Path):
    from tests.cutting import CuttingProxy

    url = s3.bucket()
    copy = tmp_path / "copy"
    copy.write_bytes(heavy_file.read_bytes())
    key = S3Storage(url, KEY, SECRET).put_file(copy, new_key())
    with CuttingProxy(s3.port, after=3 << 20) as proxy:
        through = S3Storage(url.replace(s3.url, proxy.url), KEY, SECRET)
        with through.open(key) as file:
            assert file.read() == heavy_file.read_bytes()
        assert proxy.cuts > 3


CONTENT = bytes(range(256)) * 4096  # 1 MiB, in which a shift shows


@pytest.mark.parametrize("start", [0, 1, 500_000])
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_bucket_that_lies_is_asked_again(s3: S3Server, lie, start: int):
    url = s3.bucket()
    key = S3Storage(url, KEY, SECRET).put_bytes(CONTENT, new_key())
    with lying(url, lie, CONTENT, times=1) as (proxy, through):
        with S3Storage(through, KEY, SECRET).open(key, start) as file:
            assert file.read() == CONTENT[start:]
        assert proxy.lies == 1


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_no_wrong_byte_comes_from_a_bucket_that_goes_on_lying(s3: S3Server, lie):
    url = s3.bucket()
    key = S3Storage(url, KEY, SECRET).put_bytes(CONTENT, new_key())
    with lying(url, lie, CONTENT) as (_, through), S3Storage(through, KEY, SECRET).open(key, 1000) as file:
        got = b""
        with pytest.raises(StorageUnavailable):
            while block := file.read1(1 << 20):
                got += block
        assert CONTENT[1000:].startswith(got)


def test_an_object_that_is_replaced_while_it_is_read_is_not_read_on(s3: S3Server):
    store = S3Storage(s3.bucket(), KEY, SECRET)
    key = store.put_bytes(CONTENT, new_key())
    with store.open(key) as file:
        file.read(10)
        store.put_bytes(CONTENT[::-1], key)
        file.seek(600_000)
        with pytest.raises(StorageUnavailable):
            file.read(10)


def test_a_bucket_that_is_gone_is_no_missing_file(s3: S3Server):
    url = s3.bucket()
    store = S3Storage(url, KEY, SECRET)
    key = store.put_bytes(b"x", new_key())
    s3.client().delete_object(Bucket=urlsplit(url).netloc, Key=key)
    with pytest.raises(FileNotFoundError):
        store.open(key)
    s3.client().delete_bucket(Bucket=urlsplit(url).netloc)
    with pytest.raises(StorageUnavailable):
        store.open(key)


@pytest.mark.parametrize("prefix", ["", "/vezde/clips"])
def test_a_bucket_may_be_shared_with_others(s3: S3Server, prefix: str):
    url = s3.bucket()
    bucket = urlsplit(url).netloc
    store = S3Storage(url.replace("?", f"{prefix}?"), KEY, SECRET)
    key = store.put_bytes(b"mine", new_key())
    [found] = s3.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert found["Key"] == f"{prefix}/{key}".lstrip("/")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://no-such-bucket?endpoint={s3}&region=ru-central1", "NoSuchBucket"),
        ("s3://clips?endpoint=http://127.0.0.1:9", "не отвечает"),
    ],
)
def test_a_bucket_that_is_down_is_reported_without_a_key(s3: S3Server, url: str, said: str):
    store = S3Storage(url.format(s3=s3.url), KEY, SECRET)
    for ask in (store.check, lambda: store.put_bytes(b"x", new_key())):
        with pytest.raises(StorageUnavailable, match=said) as error:
            ask()
        assert SECRET not in str(error.value)


def _read(store: Storage, key: str) -> bytes:
    with store.open(key) as file:
        return file.read()


_PART = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-99/100\r\n"


@pytest.mark.parametrize(
    ("at", "head", "dripping", "ask"),
    [
        ("PUT", b"", b"H", lambda store, key: store.put_bytes(b"x", key)),
        ("PUT", b"HTTP/1.1 100 Continue\r\nX: ", b"x", lambda store, key: store.check()),
        ("HEAD", b"HTTP/1.1 200 OK\r\nX: ", b"x", lambda store, key: store.size(key)),
        ("DELETE", b"HTTP/1.1 500 Oh\r\n\r\n", b"x", lambda store, key: store.delete(key)),
        ("GET", b"HTTP/1.1 500 Oh\r\n\r\n", b"x", _read),
        ("GET", _PART + b"Content-Length: 100\r\n\r\n", b"x", _read),
        ("GET", _PART + b"Transfer-Encoding: chunked\r\n\r\n", b"0", _read),
    ],
)
def test_a_bucket_that_drips_is_given_up_at_the_deadline(at, head, dripping, ask):
    """A time-out of the socket begins anew with each byte."""
    with (
        dripping_bucket(at, head, dripping) as url,
        pytest.raises(StorageUnavailable, match="DeadlinePassed"),
    ):
        ask(S3Storage(url, KEY, SECRET, seconds=0.3), new_key())


@pytest.mark.parametrize(
    ("at", "ask"), [("PUT", lambda store, key: store.put_bytes(b"x", key)), ("GET", _read)], ids=["PUT", "GET"]
)
def test_an_error_without_end_is_not_read_to_it(at, ask):
    with (
        dripping_bucket(at, b"HTTP/1.1 500 Oh\r\n\r\n", b"<" * (256 << 10), pause=0) as url,
        pytest.raises(StorageUnavailable, match="HTTPClientError"),
    ):
        ask(S3Storage(url, KEY, SECRET), new_key())


def test_a_bucket_behind_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_certificate(tmp_path)
    with dripping_bucket("", b"", b"", certificate=tmp_path) as url:
        with pytest.raises(StorageUnavailable, match="SSLError"):
            S3Storage(url, KEY, SECRET).check()
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "certificate.pem"))
        store = S3Storage(url, KEY, SECRET)
        store.check()
        for _ in range(2):
            assert _read(store, store.put_bytes(OBJECT, new_key())) == OBJECT


@pytest.mark.parametrize("text", ["file:", "s3://", "s3://bucket?color=red", "s3://bucket?endpoint=minio", "/folder"])
def test_an_address_that_is_none_is_refused(text: str):
    with pytest.raises(ValueError, match="нуж"):
        config.storage_address(text)
