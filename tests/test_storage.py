from pathlib import Path

import pytest

from app.storage import FolderStorage, StorageUnavailable, key_from, new_key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "clips"


@pytest.fixture
def store(folder: Path) -> FolderStorage:
    store = FolderStorage(folder)
    store.check()
    return store


def test_a_file_moves_in_and_is_read_back(store: FolderStorage, tmp_path: Path):
    source = tmp_path / "source"
    source.write_bytes(b"0123456789")

    key = store.put_file(source)

    assert not source.exists()
    assert store.exists(key)
    assert store.size(key) == 10
    with store.open(key) as whole, store.open(key, start=4) as rest:
        assert whole.read() == b"0123456789"
        assert rest.read() == b"456789"
    with store.on_disk(key) as path:
        assert path == store.path(key)


def test_files_are_for_this_user_alone_and_nothing_else_is_left(store: FolderStorage, folder: Path):
    key = store.put_bytes(b"poster")
    assert store.path(key).stat().st_mode & 0o777 == 0o600
    assert [path for path in folder.rglob("*") if path.is_file()] == [store.path(key)]


def test_the_same_secret_puts_one_file(store: FolderStorage, folder: Path):
    key = key_from("a secret")
    assert store.put_bytes(b"first", key) == store.put_bytes(b"again", key) == key_from("a secret")
    assert store.path(key).read_bytes() == b"again"
    assert key != key_from("another")


def test_keys_are_random_and_sharded():
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert len({key.partition("/")[0] for key in keys}) > 10


def test_a_file_comes_over_from_another_file_system(store: FolderStorage, folder: Path):
    source = Path("/dev/shm") / f"vezde-test-{new_key()[3:]}"
    if not source.parent.is_dir() or source.parent.stat().st_dev == folder.stat().st_dev:
        pytest.skip("there is only one file system here")
    source.write_bytes(b"far away")
    key = store.put_file(source)
    assert store.path(key).read_bytes() == b"far away"
    assert not source.exists()


def test_deleting_twice_is_fine(store: FolderStorage):
    key = store.put_bytes(b"x")
    store.delete(key)
    store.delete(key)
    assert not store.exists(key)
    with pytest.raises(FileNotFoundError):
        store.size(key)


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "ab/../../../etc/passwd", "/etc/passwd", "ab/" + "g" * 38])
def test_only_keys_are_opened(store: FolderStorage, key: str):
    with pytest.raises(ValueError, match="not a key"):
        store.open(key)


def test_check_tells_what_is_wrong(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageUnavailable, match="file/clips"):
        FolderStorage(tmp_path / "file" / "clips").check()
