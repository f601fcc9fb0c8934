"""The inbox in a bucket: of a real S3 server. What is done with its files is in tests/services/test_inbox.py."""

from dataclasses import replace

import boto3
import pytest

from app import clock
from app.db import db
from app.jobs import arrivals
from app.models import Clip, InboxFile, InboxState, Source
from app.storage import StorageUnavailable, storage
from app.storage.inbox import Changed
from app.storage.inbox_s3 import S3Inbox
from tests.publishing.conftest import at_work
from tests.s3 import KEY, SECRET, S3Server
from tests.services.test_inbox import BODY, look


@pytest.fixture
def bucket(s3: S3Server, environment: dict[str, str]):
    """The inbox's, below «in». Before `app`."""
    url = s3.bucket()
    name, _, query = url.removeprefix("s3://").partition("?")
    environment |= {
        "INBOX_URL": f"s3://{name}/in?{query}",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }
    client = boto3.resource("s3", endpoint_url=s3.url, aws_access_key_id=KEY, aws_secret_access_key=SECRET)
    return client.Bucket(name)


def names(bucket) -> list[str]:
    return sorted(one.key for one in bucket.objects.all())


def test_a_file_becomes_a_clip_once(bucket, environment, owner):
    bucket.put_object(Key=f"in/{owner.email}/reels/a.mp4", Body=BODY)
    bucket.put_object(Key=f"in/{owner.email}/reels/a.json", Body=b'{"title": "Premiere"}')
    bucket.put_object(Key="in/a.mp4", Body=BODY)
    bucket.put_object(Key=f"elsewhere/{owner.email}/b.mp4", Body=BODY)
    clock.correct(clock.now().replace(year=clock.now().year + 1))  # the note is old by then
    look(4)
    [clip] = db.session.scalars(db.select(Clip)).all()
    assert (clip.title, clip.source, clip.source_name) == ("Premiere", Source.INBOX, "reels")
    assert storage().open(clip.storage_key).read() == BODY
    done = f"in/{owner.email}/done/reels"
    assert names(bucket) == sorted([f"elsewhere/{owner.email}/b.mp4", "in/a.mp4", f"{done}/a.json", f"{done}/a.mp4"])
    assert db.session.scalar(db.select(InboxFile)).state == InboxState.DONE


def test_a_file_that_is_replaced_is_noticed(bucket, environment, owner, app):
    source = S3Inbox(environment["INBOX_URL"], KEY, SECRET)
    bucket.put_object(Key=f"in/{owner.email}/a.mp4", Body=BODY)
    [entry] = source.entries()
    assert b"".join(source.blocks(entry)) == BODY
    bucket.put_object(Key=f"in/{owner.email}/a.mp4", Body=BODY + b"x")
    with pytest.raises((Changed, StorageUnavailable)):
        list(source.blocks(entry))
    assert source.put_away(entry) and names(bucket) == [f"in/{owner.email}/a.mp4"]
    [entry] = source.entries()
    assert source.put_away(entry) and source.put_away(entry)
    assert names(bucket) == [f"in/{owner.email}/done/a.mp4"]
    assert not source.put_away(replace(entry, size=6 << 30)), "too large to be copied at once"


def test_a_bucket_that_is_away_is_said(bucket, environment, app):
    app.extensions["inbox"].check()
    away = S3Inbox(environment["INBOX_URL"].replace("s3://", "s3://no-such-"), KEY, SECRET)
    with pytest.raises(StorageUnavailable):
        away.check()
    app.extensions["inbox"] = away
    at_work(arrivals.read_inbox, 0)
