from app.db import db
from app.jobs import arrivals
from app.models import ClipImport, ImportState
from app.services import imports
from tests import fileserver
from tests.edges import committed
from tests.fileserver import ranged
from tests.publishing.conftest import at_work

URL = "https://example.org/clips/a.mp4?key=secret"
HX = {"HX-Request": "true", "HX-Current-URL": "http://localhost/"}
BODY = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(2000)


def of(owner) -> list[ClipImport]:
    return list(db.session.scalars(db.select(ClipImport).where(ClipImport.user_id == owner.id).order_by(ClipImport.id)))


def test_addresses_are_begun_together_or_not_at_all(web, owner):
    assert "Ссылка на файл" in web.get("/imports/new").text
    refused = web.post("/imports/new", data={"urls": f"{URL}\nexample.org/b.mp4"})
    assert refused.status_code == 422
    assert "example.org/b.mp4: Вставьте ссылку" in refused.text and "a.mp4?key=secret" in refused.text
    assert of(owner) == []
    assert web.post("/imports/new", data={"urls": " "}).status_code == 422
    assert web.post("/imports/new", data={"urls": "\n".join([URL] * 21)}).status_code == 422
    assert web.post("/imports/new", data={"urls": f"{URL}\n\n{URL}"}).status_code == 303
    assert len(of(owner)) == 2


def test_the_page_shows_them_and_none_of_their_keys(web, owner):
    one = committed(imports.start(owner, URL))
    page = web.get("/").text
    assert 'id="import-1"' in page and "example.org" in page and "secret" not in page
    assert web.post(f"/imports/{one.id}/cancel", headers=HX).status_code == 200
    assert of(owner)[0].state == ImportState.CANCELLED
    assert f'id="import-{one.id}"' not in web.get("/").text


def test_the_poll_brings_what_has_changed_and_the_clip(web, owner, sign_in, user):
    one = committed(imports.start(owner, URL))
    known = {"imports": f"{one.id}:waiting:0:0"}
    assert web.get("/clips/changes", query_string=known, headers=HX).status_code == 204
    one = of(owner)[0]
    one.state, one.size, one.received = ImportState.RUNNING, 200, 80
    db.session.commit()
    brought = web.get("/clips/changes", query_string=known, headers=HX).text
    assert "40 %" in brought and 'value="1:running:40:0"' in brought
    # A stranger's page learns nothing.
    assert "example.org" not in sign_in(user()).get("/clips/changes", query_string=known, headers=HX).text


def test_what_has_arrived_takes_its_place_in_the_list(environment, request):
    with fileserver.serving() as far:
        environment["LOCAL_HOSTS"] += f" 127.0.0.1:{far.port}"
        web, owner = request.getfixturevalue("web"), request.getfixturevalue("owner")
        far.answers["/Море.mp4"] = far.answers["/%D0%9C%D0%BE%D1%80%D0%B5.mp4"] = ranged(BODY)
        committed(imports.start(owner, f"{far.url}/Море.mp4"))
        at_work(arrivals.import_next)
        known = {"imports": "1:waiting:0:0"}
        brought = web.get("/clips/changes", query_string=known, headers=HX).text
        assert 'hx-swap-oob="afterbegin:#clips"' in brought and "Море" in brought
        filtered = {**HX, "HX-Current-URL": "http://localhost/?state=scheduled"}
        assert "afterbegin" not in web.get("/clips/changes", query_string=known, headers=filtered).text
        clip_id = of(owner)[0].clip_id
        assert "По ссылке, 127.0.0.1" in web.get(f"/clips/{clip_id}").text


def test_a_failed_one_says_why_and_can_be_repeated_or_put_away(web, owner):
    one = committed(imports.start(owner, URL))
    one.state, one.reason, one.wake_at = ImportState.FAILED, "import_web_page", None
    db.session.commit()
    assert "прямая ссылка на файл" in web.get("/").text
    web.post(f"/imports/{one.id}/retry")
    assert of(owner)[0].state == ImportState.WAITING
    one = of(owner)[0]
    one.state, one.reason = ImportState.FAILED, "import_web_page"
    db.session.commit()
    web.post(f"/imports/{one.id}/dismiss")
    assert 'id="import-1"' not in web.get("/").text


def test_a_strangers_import_is_not_found(web, user):
    one = committed(imports.start(user(), URL))
    for what in ("cancel", "retry", "dismiss"):
        assert web.post(f"/imports/{one.id}/{what}").status_code == 404
