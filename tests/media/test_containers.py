"""One table of containers: what is probed, how it goes out, what may be chosen."""

import re
from pathlib import Path

import pytest

from app import clock
from app.db import db
from app.media import containers, probe
from app.models import Clip, Publication, Status
from app.publishing import fetch_links
from app.services.clips import title_from
from tests import clips

APP = Path(__file__).parents[2] / "app"


def test_types_and_suffixes_are_unique():
    table = containers.CONTAINERS.values()
    assert len({one.content_type for one in table}) == len(table)
    assert len(set(containers.SUFFIXES)) == len(containers.SUFFIXES)
    assert all(re.fullmatch(r"\.[a-z0-9]+", suffix) for suffix in containers.SUFFIXES)


def test_no_other_table_of_them():
    """A MIME type or a rarer suffix in another file is a table that gets out of step."""
    strange = re.compile(r'"video/(mp4|quicktime|webm|x-|3gpp|mp2t)|"\.?(3gp|3g2|m2ts|avi|ts)", "')
    files = list(APP.rglob("*.py"))
    assert files
    assert [path.name for path in files if strange.search(path.read_text())] == ["containers.py"]


@pytest.mark.parametrize("key", containers.CONTAINERS)
def test_a_clip_goes_out_with_its_suffix(key: str, user, ready_clip, telegram):
    container, owner = containers.CONTAINERS[key], user()
    clip, channel = ready_clip(owner), telegram(owner)
    clip.container, clip.content_type = container.key, container.content_type
    assert clip.extension == container.suffix
    publication = Publication(
        user_id=owner.id,
        clip_id=clip.id,
        connection_id=channel.id,
        platform=channel.platform,
        account_id=channel.account_id,
        account_name=channel.account_name,
        title=clip.title,
        status=Status.PUBLISHING,
        due_at=clock.now(),
    )
    db.session.add(publication)
    db.session.commit()
    link = fetch_links.signed_link(publication)
    assert link.endswith(container.suffix)
    assert fetch_links.opened(link.rpartition("/")[2]).file == clip


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("clip.mp4", "mp4"),
        ("clip.m4v", "mp4"),
        ("clip.mov", "mov"),
        ("clip.3gp", "3gp"),
        ("clip.3g2", "3g2"),
        ("clip.mkv", "mkv"),
        ("clip.avi", "avi"),
        ("clip.ts", "ts"),
        ("clip.m2ts", "ts"),
    ],
)
def test_what_is_written_as_such_is_recognized(tmp_path: Path, name: str, key: str):
    written = clips.write(tmp_path / name, seconds=0.2)
    facts = probe.probe(written.rename(tmp_path / "clip.exe"))
    assert (facts.container, facts.content_type) == (key, containers.CONTAINERS[key].content_type)
    assert Clip(content_type=facts.content_type).extension in containers.SUFFIXES


@pytest.mark.parametrize("name", ["c.mp4", "c.mov", "c.3gp", "c.3g2", "c.mkv", "c.webm", "c.avi", "c.ts", "c.m2ts"])
def test_a_file_begins_as_its_container_does(tmp_path: Path, name: str):
    """Or a page would refuse it before it is sent."""
    codec = {"codec": "libvpx"} if name == "c.webm" else {}
    written = clips.write(tmp_path / name, seconds=0.2, **codec)
    assert _begins_as_a_video(written.read_bytes())


@pytest.mark.parametrize("data", [b"", b"GIF89a" + b"G" * 100, b"Good morning" * 100, b"RIFF\0\0\0\0WAVE", b"%PDF-1.7"])
def test_what_is_no_video_begins_otherwise(data: bytes):
    assert not _begins_as_a_video(data)


def _begins_as_a_video(data: bytes) -> bool:
    """By what the page is given."""
    return any(
        all(data[offset:].startswith(bytes.fromhex(expected)) for offset, expected in signature)
        for signature in containers.signatures()
    )


def test_the_page_lets_each_of_them_be_chosen(sign_in, user):
    page = sign_in(user()).get("/").text
    [accepted] = set(re.findall(r'type="file"[^>]*accept="([^"]+)"', page))
    assert {"video/*", *containers.SUFFIXES} == set(accepted.split(","))


@pytest.mark.parametrize(
    ("file_name", "title"),
    [
        ("Закат_над_Волгой.mp4", "Закат над Волгой"),
        ("Выпуск 12.05", "Выпуск 12.05"),
        ("Выпуск 12.05.MP4", "Выпуск 12.05"),
        ("v1.2", "v1.2"),
        ("Серия 3.final", "Серия 3.final"),
        ("Серия 3.final.M2TS", "Серия 3.final"),
        ("a.mp4.mp4", "a"),
        ("clip.mov.mp4", "clip"),
        ("Клип.mp4. ", "Клип"),
        ("Клип .3g2", "Клип"),
        ("И что….webm", "И что…"),
        ("mp4", "mp4"),
        ("Привет.мир", "Привет.мир"),
        (".mp4", "Без названия"),
        ("", "Без названия"),
    ],
)
def test_a_title_loses_only_what_names_the_container(file_name: str, title: str):
    assert title_from(file_name) == title
