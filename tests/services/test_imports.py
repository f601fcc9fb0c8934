import hashlib
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta

import pytest

from app import clock, queue
from app.db import db
from app.jobs import arrivals
from app.models import Clip, ClipImport, Event, ImportState, Source, User
from app.platforms.http import download, timeouts
from app.problems import NotFound, Problem
from app.queue.table import IMPORTS
from app.services import clips, import_outcomes, import_worker, imports, renders, upload_files, uploads
from app.storage import key_from, storage
from tests import fileserver
from tests.edges import committed
from tests.fileserver import Server, plain, ranged, redirect
from tests.publishing.conftest import at_work, fresh, wait_until

HEAD = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"
BODY = HEAD + bytes(range(256)) * 4000


@pytest.fixture
def far(environment: dict[str, str]) -> Iterator[Server]:
    """A file server that imports may reach. Before `app`."""
    with fileserver.serving() as server:
        environment["LOCAL_HOSTS"] += f" 127.0.0.1:{server.port}"
        yield server


def begin(owner: User, url: str, **more) -> ClipImport:
    return committed(imports.start(owner, url, **more))


def work(one: ClipImport, times: int = 1) -> ClipImport:
    """Each time a worker's turn, when the import wants it."""
    for _ in range(times):
        one = fresh(one)  # another object, where a claim has detached this one
        if one.wake_at is None:
            break
        wait_until(one.wake_at)
        at_work(arrivals.import_next)
    return fresh(one)


def clip_of(one: ClipImport) -> Clip:
    return db.session.get(Clip, one.clip_id)


def file_of(one: ClipImport) -> bytes:
    return storage().open(clip_of(one).storage_key).read()


def test_a_file_becomes_a_clip(far, owner):
    far.answers["/Закат_над.mp4"] = far.answers["/%D0%97%D0%B0%D0%BA%D0%B0%D1%82_%D0%BD%D0%B0%D0%B4.mp4"] = ranged(BODY)
    one = begin(owner, f"{far.url}/Закат_над.mp4?token=secret", sha256=hashlib.sha256(BODY).hexdigest())
    assert [job.args for job in queue.queue(IMPORTS).jobs] == [[one.id]]
    one = work(one)
    clip = clip_of(one)
    assert (one.state, one.size, one.received) == (ImportState.DONE, len(BODY), len(BODY))
    assert (clip.title, clip.file_name, clip.size) == ("Закат над", "Закат_над.mp4", len(BODY))
    assert (clip.source, clip.source_name) == (Source.IMPORT, "127.0.0.1")
    assert file_of(one) == BODY
    assert "secret" not in one.url
    assert not upload_files.path(one.key).exists()
    # Nothing of it is done twice.
    at_work(arrivals.import_next)
    assert db.session.scalar(db.select(db.func.count()).select_from(Clip)) == 1


def test_it_fulfils_its_announcement(far, owner):
    far.answers["/a"] = ranged(BODY)
    render = renders.announce(owner, external_id="job-1", title="Премьера", description="Сегодня")
    one = work(begin(owner, f"{far.url}/a", render=render, source=Source.HOOK, source_name="Ферма"))
    clip = clip_of(one)
    assert (clip.title, clip.description, clip.source, clip.source_name) == ("Премьера", "Сегодня", "hook", "Ферма")
    assert fresh(render).clip_id == clip.id


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="clip one.mp4"', "clip one.mp4"),
        ("attachment; filename=x.mp4; filename*=UTF-8''%D0%96.mp4", "Ж.mp4"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ("attachment", "a.mov"),
    ],
)
def test_the_name_is_the_servers(far, owner, header, name):
    far.answers["/x/a.mov"] = plain(BODY, Content_Disposition=header)
    assert clip_of(work(begin(owner, f"{far.url}/x/a.mov"))).file_name == name


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (plain(b"<!DOCTYPE html><title>Video</title>" + bytes(2000)), "import_web_page"),
        (plain(b"hello"), "import_not_video"),
        (plain(b""), "import_empty"),
        (plain(bytes(1000), Content_Encoding="gzip"), "import_packed"),
        (plain(b"", status=401), "import_denied"),
        (plain(b"", status=403), "import_denied"),
        (plain(b"", status=404), "import_not_found"),
        (plain(b"", status=418), "import_refused"),
        (plain(BODY, Content_Length=str(600 << 20)), "import_too_large"),
        (redirect("/same"), "import_redirects"),
        (redirect("ftp://127.0.0.1/"), "import_address"),
        (redirect("http://10.0.0.1/x"), "import_forbidden_address"),
        (redirect("http://169.254.169.254/latest"), "import_forbidden_address"),
        (redirect("http://[::ffff:127.0.0.1]:1/"), "import_forbidden_address"),
        (redirect("http://localhost:1/x"), "import_forbidden_address"),
        (redirect("http://user:password@127.0.0.1/x"), "import_forbidden_address"),
    ],
)
def test_what_is_final(far, owner, answer, reason):
    far.answers["/same"] = answer
    one = work(begin(owner, f"{far.url}/same"))
    assert (one.state, one.reason, one.clip_id) == (ImportState.FAILED, reason, None)
    [event] = db.session.scalars(db.select(Event).where(Event.kind == "clip.import_failed")).all()
    assert event.data["reason"] == reason
    assert not upload_files.path(one.key).exists()


def test_private_addresses_are_refused_at_once(owner, environment):
    for url in ("http://127.0.0.1:9/x", "http://localhost:9/x", "http://[::1]/x", "http://0/x", "http://2130706433/x"):
        one = work(begin(owner, url))
        assert (one.state, one.reason) == (ImportState.FAILED, "import_forbidden_address"), url


def test_a_cut_connection_is_resumed(far, owner):
    far.answers["/a"] = ranged(BODY, cuts=[200_000, 300_000])
    one = work(begin(owner, f"{far.url}/a"))
    assert (one.state, one.reason, one.received) == (ImportState.WAITING, "import_unavailable", 200_000)
    one = work(one, 2)
    assert one.state == ImportState.DONE and file_of(one) == BODY
    assert far.ranges("/a") == [None, "bytes=200000-", "bytes=500000-"]


def test_another_file_meanwhile_is_fetched_from_its_beginning(far, owner):
    far.answers["/a"] = ranged(BODY, cuts=[200_000], etags=['"old"', '"new"'])
    one = work(begin(owner, f"{far.url}/a"), 2)
    assert one.state == ImportState.DONE and file_of(one) == BODY


@pytest.mark.parametrize(
    "second",
    [
        plain(BODY[:1000], status=206, etag='"1"', Content_Range=f"bytes 0-999/{len(BODY)}"),
        plain(BODY[200_000:], status=206, etag='"2"', Content_Range=f"bytes 200000-{len(BODY) - 1}/{len(BODY)}"),
        plain(BODY[200_000:], status=206, etag='"1"', Content_Range=f"bytes 200000-{len(BODY) + 9}/{len(BODY) + 10}"),
        plain(b"", status=416),
    ],
)
def test_a_wrong_range_begins_anew(far, owner, second):
    far.answers["/a"] = ranged(BODY, cuts=[200_000], etags=['"1"'])
    one = work(begin(owner, f"{far.url}/a"))
    far.answers["/a"] = second
    one = work(one)
    far.answers["/a"] = ranged(BODY, etags=['"2"'])
    one = work(one)
    assert one.state == ImportState.DONE and file_of(one) == BODY


def test_without_ranges_each_try_begins_anew(far, owner):
    far.answers["/a"] = plain(BODY[:5000], Content_Length=str(len(BODY)), Connection="close")
    one = work(begin(owner, f"{far.url}/a"))
    assert one.state == ImportState.WAITING
    far.answers["/a"] = plain(BODY)
    assert file_of(work(one)) == BODY


def test_tries_without_progress_come_to_an_end_and_may_be_repeated(far, owner):
    far.answers["/a"] = plain(b"", status=502)
    one = work(begin(owner, f"{far.url}/a"), 20)
    assert (one.state, one.reason, one.detail) == (ImportState.FAILED, "import_unavailable", "HTTP 502")
    assert len(far.asked) == len(import_outcomes.PAUSES) + 1
    far.answers["/a"] = ranged(BODY)
    committed(imports.retry(owner, one.id))
    assert work(one).state == ImportState.DONE


def test_a_server_that_asks_to_wait_is_waited_for(far, owner):
    far.answers["/a"] = plain(b"", status=429, Retry_After="120")
    one = work(begin(owner, f"{far.url}/a"))
    assert (one.state, one.reason) == (ImportState.WAITING, "import_busy")
    assert timedelta(seconds=110) < one.wake_at - clock.now() < timedelta(seconds=121)


@pytest.mark.parametrize(
    "answer",
    [
        fileserver.raw(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 60_000) for n in range(101))),
        fileserver.raw(b"no http at all\r\n\r\n"),
        fileserver.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n12345"),
        fileserver.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        plain(b"", status=301, Location="http://no-such-host.invalid/x"),
    ],
)
def test_what_is_no_answer_is_tried_again(far, owner, answer):
    far.answers["/a"] = answer
    one = work(begin(owner, f"{far.url}/a"))
    assert (one.state, one.reason) == (ImportState.WAITING, "import_unavailable"), one.detail


def test_an_endless_body_ends_at_the_largest_size(far, owner, app):
    app.config["MAX_CLIP_MB"] = 2
    far.answers["/a"] = fileserver.endless(HEAD)
    one = work(begin(owner, f"{far.url}/a"))
    assert (one.state, one.reason) == (ImportState.FAILED, "import_too_large")
    assert not upload_files.path(one.key).exists()


def test_a_slow_drip_is_given_up(far, owner, monkeypatch):
    # A second stands for the half minute of a stalled connection.
    monkeypatch.setattr(download, "STALL_SECONDS", 1)
    far.answers["/a"] = fileserver.endless(HEAD + bytes(400), b"x", pause=0.05)
    one = work(begin(owner, f"{far.url}/a"))
    assert (one.state, one.detail) == (ImportState.WAITING, "файл идёт слишком медленно")
    assert timeouts.STALL_SECONDS == 30


def test_a_checksum_that_differs_makes_no_clip(far, owner):
    far.answers["/a"] = ranged(BODY)
    one = work(begin(owner, f"{far.url}/a", sha256="0" * 64))
    assert (one.state, one.reason, one.clip_id) == (ImportState.FAILED, "import_checksum_mismatch", None)
    assert not storage().exists(key_from(one.key))


def test_the_plans_quota_counts_what_is_being_fetched(far, user):
    owner = user("free")
    far.answers["/a"] = plain(BODY, Content_Length=str(400 << 20))
    first = begin(owner, f"{far.url}/a")
    db.session.get(ClipImport, first.id).size = owner.plan.storage_gb << 30
    db.session.commit()
    with pytest.raises(Problem, match="quota_full"):
        uploads.create(owner, "clip.mp4", 1)
    db.session.rollback()
    with pytest.raises(Problem, match="quota_full"):
        imports.start(owner, f"{far.url}/a")
    db.session.rollback()
    db.session.get(ClipImport, first.id).size = None
    db.session.add(
        Clip(user_id=owner.id, title="x", file_name="x", storage_key="k", size=(owner.plan.storage_gb << 30) - 9)
    )
    db.session.commit()
    one = work(first)
    assert (one.state, one.reason) == (ImportState.FAILED, "import_quota_full")


class Killed(BaseException):
    """The worker's process ends here."""


def _receive_until(one: ClipImport, notes: int) -> None:
    """A worker that is killed at its n-th write."""
    counted = iter(range(notes))

    def note(**values) -> bool:
        if next(counted, None) is None:
            raise Killed
        kept = import_worker.note(claimed, **values)
        db.session.commit()
        return kept

    claimed = committed(import_worker.claim_turn(one.id, one.user_id))
    import_worker.receive(claimed, note, lambda _size: None)


def test_a_worker_killed_at_any_write_leaves_one_clip(far, owner):
    for notes in (0, 1, 2, 3):
        path = f"/{notes}"
        far.answers[path] = ranged(BODY)
        one = begin(owner, far.url + path)
        with pytest.raises(Killed) if notes < 3 else nullcontext():
            _receive_until(one, notes)
        db.session.rollback()
        one = work(one)
        assert one.state == ImportState.DONE and file_of(one) == BODY, notes
        # All bytes were here, or in the storage: they are not asked for again.
        assert len([asked for asked, _ in far.asked if asked == path]) == (1 if notes else 2), notes
    assert db.session.scalar(db.select(db.func.count()).select_from(Clip)) == 4


def test_a_worker_that_has_lost_its_import_changes_nothing(far, owner):
    far.answers["/a"] = ranged(BODY)
    one = begin(owner, f"{far.url}/a")
    late = committed(import_worker.claim_turn(one.id, owner.id))
    wait_until(fresh(one).wake_at)
    one = work(one)
    import_outcomes.settle(late, import_outcomes.Received(5))
    db.session.commit()
    assert fresh(one).state == ImportState.DONE and file_of(one) == BODY
    assert db.session.scalar(db.select(db.func.count()).select_from(Clip)) == 1


def test_a_cancelled_import_stops_and_leaves_nothing(far, owner):
    far.answers["/a"] = ranged(BODY)
    one = begin(owner, f"{far.url}/a")
    claimed = committed(import_worker.claim_turn(one.id, owner.id))
    committed(imports.cancel(owner, one.id))
    outcome = import_worker.receive(claimed, lambda **values: import_worker.note(claimed, **values), lambda _size: None)
    db.session.commit()
    import_outcomes.settle(claimed, outcome)
    db.session.commit()
    assert fresh(one).state == ImportState.CANCELLED
    assert not upload_files.path(one.key).exists() and not storage().exists(key_from(one.key))
    committed(imports.retry(owner, one.id))
    assert file_of(work(one)) == BODY


def test_one_users_imports_leave_a_worker_for_others(far, user, app):
    busy, other = user(), user()
    for _ in range(3):
        begin(busy, f"{far.url}/a")
    waiting = begin(other, f"{far.url}/a")
    assert committed(import_worker.claim_turn(*import_worker.next_turn())).user_id == busy.id
    assert import_worker.next_turn().id == waiting.id
    assert app.config["IMPORT_WORKERS"] == 2


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("example.org/a.mp4", "import_url_malformed"),
        ("ftp://example.org/a.mp4", "import_url_malformed"),
        ("https:///a.mp4", "import_url_malformed"),
        ("https://example.org:port/", "import_url_malformed"),
        ("https://example.org/\n", None),
        ("https://example.org/\tx", "import_url_malformed"),
        ("https://example.org/" + "x" * 4000, "import_url_malformed"),
        ("https://user:password@example.org/a.mp4", "import_url_with_password"),
        ("https://user@example.org/a.mp4", "import_url_with_password"),
    ],
)
def test_addresses_are_checked(owner, url, code):
    if code is None:
        imports.start(owner, url)
        return
    with pytest.raises(Problem, match=code):
        imports.start(owner, url)


def test_a_strangers_import_is_not_found(owner, user):
    one, stranger = begin(owner, "https://example.org/a.mp4"), user()
    for refused in (imports.get, imports.cancel, imports.retry, imports.dismiss):
        with pytest.raises(NotFound):
            refused(stranger, one.id)
    assert list(imports.shown(stranger)) == [] and list(imports.arrived(stranger, [one.id])) == []


def test_a_large_file_takes_little_memory(far, owner, heavy_file):
    body = heavy_file.read_bytes()
    far.answers["/a"] = ranged(body)
    one = begin(owner, f"{far.url}/a")
    before = _peak()
    one = work(one)
    assert one.state == ImportState.DONE and clips.get(owner, one.clip_id).size == len(body)
    assert _peak() - before < 12 << 20, "40 MB came through"


def _peak() -> int:
    """Of this process, since the last call."""
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]  # noqa: PTH123, SIM115
    with open("/proc/self/clear_refs", "w") as file:  # noqa: PTH123
        file.write("5")
    return int(line.split()[1]) << 10
