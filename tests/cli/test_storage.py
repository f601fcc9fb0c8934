"""Clips' files in another storage: a back-up, and a move from a folder to a bucket and back."""

import sqlite3
from pathlib import Path

import pytest

from app import create_app
from app.cli.storage import Copied, copy_to
from app.db import commit, db
from app.models import Clip, Publication
from app.services import clip_probes, publications
from app.services.publications import Choice
from app.storage import storage
from app.storage.folder import FolderStorage
from app.storage.s3 import S3Storage
from tests.s3 import KEY, SECRET


def test_from_a_folder_to_a_bucket_and_on_to_a_folder(user, ready_clip, s3, tmp_path):
    clip = ready_clip(user())
    url = s3.bucket()
    bucket, folder = S3Storage(url, KEY, SECRET), FolderStorage(tmp_path / "back")
    assert copy_to(bucket) == Copied(new=3, present=0, missing=[])
    assert copy_to(bucket) == Copied(new=0, present=3, missing=[])
    assert copy_to(folder).new == 3
    for key in (clip.storage_key, clip.poster_key):
        original = storage().open(key).read()
        assert bucket.open(key).read() == folder.open(key).read() == original
        assert storage().exists(key)


def test_what_was_copied_by_half_is_copied_again_and_what_is_missing_is_reported(user, ready_clip, tmp_path):
    clip = ready_clip(user())
    target = FolderStorage(tmp_path / "back")
    target.check()
    target.put_bytes(b"half", clip.storage_key)
    storage().delete(clip.poster_key)
    assert copy_to(target) == Copied(new=2, present=0, missing=[clip.poster_key])
    assert target.size(clip.storage_key) == clip.size


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://somewhere", "нужно file:/папка или s3://"),
        ("file:/sys/vezde", "папка клипов /sys/vezde"),
        ("s3://clips?endpoint=http://127.0.0.1:9", "бакет"),
    ],
)
def test_the_command_reports_what_is_wrong(app, url, said):
    app.config.update(AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET)
    result = app.test_cli_runner().invoke(args=["storage", "copy", url])
    assert result.exit_code == 1
    assert said in result.output


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_backup_of_sqlite_is_restored_elsewhere(app, environment, user, ready_clip, telegram, tmp_path: Path):
    """As docs/operations.md has it; tests/test_deployment.py does the same with PostgreSQL and a bucket."""
    owner = user()
    clip, connection = ready_clip(owner), telegram(owner)
    publications.publish(owner, clip.id, [Choice(connection.id, clip.title, "")])
    commit()
    owner_id, clip_id, key = owner.id, clip.id, clip.storage_key
    token = connection.sealed_token
    there = tmp_path / "there"
    there.mkdir()
    result = app.test_cli_runner().invoke(args=["storage", "copy", f"file:{there}/clips"])
    assert result.output == "Скопировано файлов: 3, уже были: 0.\n"
    db.session.commit()
    with sqlite3.connect(environment["DATABASE_URL"].removeprefix("sqlite:///")) as database:
        database.execute(f"VACUUM INTO '{there}/vezde.db'")
    expected = storage().open(key).read()

    other = create_app(
        {**environment, "DATABASE_URL": f"sqlite:///{there}/vezde.db", "STORAGE_URL": f"file:{there}/clips"}
    )
    with other.app_context():
        restored = db.session.get(Clip, clip_id)
        assert storage().open(restored.storage_key).read() == expected
        [publication] = db.session.query(Publication)
        assert (publication.user_id, publication.connection.sealed_token) == (owner_id, token)
        assert other.extensions["vault"].open(token, publication.connection.sealed_for)
        assert clip_probes.due() == []
        db.session.remove()
        db.engine.dispose()
