"""Every route with whatever a client may send: never a 500, never a stack trace.

What is tried is drawn from the URL map, so that a new route is tried too.
"""

import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db import db
from app.models import Publication
from app.services import publications
from app.services.publications import Choice

PRIORITY_SLOTS_PER_USER = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

NASTY_NUMBERS = st.sampled_from([0, -1, 1, 2, 2**31, 2**63 - 1, 2**63, 2**64, 10**30])
NASTY_TEXTS = st.sampled_from(
    ["", "\0", "a\0b", "\ud800", "\u202e", "%00", "%ff", "../../etc/passwd", "..%2f", "{{7*7}}", "<script>", "'\"--"]
    + [
        "NaN",
        "1e999",
        "null",
        "[]",
        "{}",
        '{"state": "\ud83d"}',
        "http://[",
        "//[",
        "http://[::1",
        "javascript:alert(1)",
    ]
    + [
        "-1",
        "0",
        str(2**63),
        str(10**40),
        "٣",
        "²",
        "x" * 5000,
        "🎬" * 300,
        "\r\nSet-Cookie: a=b",
        "1:1",
        "1:" + "9" * 18,
    ]
)
TEXTS = NASTY_TEXTS | st.text(max_size=40) | NASTY_NUMBERS.map(str)
NAMES = [
    "name",
    "email",
    "password",
    "new",
    "present",
    "title",
    "description",
    "url",
    "account",
    "connection",
    "again",
    "known",
    "page",
    "timezone",
    "token",
    "bot_token",
    "channel",
    "code",
    "state",
    "device_id",
    "payload",
    "error",
    "scope",
    "next",
    "v",
    "download",
    "clip",
    "csrf_token",
    "due",
    "when",
    "zone",
    "query",
    "platform",
    "status",
    "from",
    "to",
    "offset",
    "q",
    "search",
    "number",
]
HEADERS = [
    "HX-Request",
    "HX-Current-URL",
    "HX-Target",
    "HX-Trigger",
    "Referer",
    "Range",
    "If-Range",
    "If-None-Match",
    "If-Modified-Since",
    "Cookie",
    "X-Forwarded-For",
    "Accept",
    "Accept-Language",
    "Content-Type",
    "Tus-Resumable",
    "Upload-Length",
    "Upload-Offset",
    "Upload-Metadata",
    "Upload-Checksum",
    "X-CSRFToken",
    "X-HTTP-Method-Override",
    "Authorization",
    "Origin",
    "Host",
]
HEADER_TEXTS = st.sampled_from(
    [
        "true",
        "1.0.0",
        "bytes=0-",
        "bytes=-1",
        "bytes=9-1,2-3",
        "bytes=" + "0-1," * 200,
        "http://[",
        "http://[::1",
        "0",
        "-1",
    ]
    + [
        "9" * 40,
        "filename",
        "filename !!!",
        "sha1 x",
        "md5 eA==",
        "application/offset+octet-stream",
        "multipart/form-data",
    ]
    + [
        "multipart/form-data; boundary=",
        "application/json",
        "vezde_session=x.y.z; vezde_remember=1|2",
        "é",
        "\x7f",
        'W/"',
        "*",
    ]
    + ["Thu, 99 Foo 2026", "localhost:99999", "evil.example"]
) | st.text(alphabet=string.printable.replace("\n", "").replace("\r", ""), max_size=30)


@pytest.fixture
def people(app, user, sign_in, ready_clip, telegram):
    """A client that is not signed in, and a user with a row of each kind."""
    owner = user()
    connection, clip = telegram(owner), ready_clip(owner)
    publications.publish(owner, clip.id, [Choice(connection.id, "Закат", "")])
    return {"anonymous": app.test_client, "owner": lambda: sign_in(owner)}


def draw_path(draw, rule) -> str:
    path = rule.rule
    for name, converter in rule._converters.items():
        value = draw(NASTY_NUMBERS) if "nteger" in type(converter).__name__ else draw(TEXTS | st.just("telegram"))
        for kind in ("int:", "path:", "string:", ""):
            path = path.replace(f"<{kind}{name}>", _in_a_path(value))
    return path


def _in_a_path(value: Any) -> str:
    return str(value).replace("\ud800", "%ED%A0%80").replace("\ud83d", "%ED%A0%BD").replace("?", "%3F") or "x"


@PRIORITY_SLOTS_PER_USER
@given(data=st.data())
def test_no_request_breaks_anything(app, people, data):
    rules = sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, sorted(rule.methods)))
    rule = data.draw(st.sampled_from(rules))
    method = data.draw(st.sampled_from([*sorted(rule.methods), "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO"]))
    query = data.draw(st.lists(st.tuples(st.sampled_from(NAMES), TEXTS), max_size=3))
    form = data.draw(st.lists(st.tuples(st.sampled_from(NAMES), TEXTS), max_size=4))
    headers = data.draw(st.dictionaries(st.sampled_from(HEADERS), HEADER_TEXTS, max_size=4))
    client = data.draw(st.sampled_from(["owner", "owner", "anonymous"]))
    path = draw_path(data.draw, rule)
    request = {"query_string": _wire(query), "data": _wire(form) if method not in ("GET", "HEAD") else None}
    answer = _send(people[client](), path, method, headers, request)
    if answer is not None:
        assert answer.status_code < 500, (method, path, query, form, headers)
        assert b"Traceback" not in answer.get_data()


def _wire(pairs: list[tuple[str, str]]) -> str:
    """As a browser or a crawler writes them; what UTF-8 cannot encode is sent as its bytes."""
    from urllib.parse import quote_plus

    return "&".join(f"{name}={quote_plus(text.encode('utf-8', 'surrogatepass'))}" for name, text in pairs)


def _send(client, path: str, method: str, headers: dict[str, str], request: dict[str, Any]):
    """None where it is no HTTP at all: a server refuses that before we see it."""
    try:
        headers = {name: text.encode("latin-1").decode("latin-1") for name, text in headers.items()}
        path.encode()
    except UnicodeEncodeError:
        return None
    form = {"content_type": "application/x-www-form-urlencoded"} if request["data"] else {}
    if "Content-Type" in headers:
        form = {}
    try:
        return client.open(path, method=method, headers=headers, **request, **form)
    except (ValueError, UnicodeError) as error:
        # The test client's own: it refuses to write such a header or address.
        if "newline" in str(error) or "Header" in str(error) or "label" in str(error):
            return None
        raise


@pytest.mark.parametrize("number", [2**31, 2**63 - 1, 2**63, 10**30])
def test_ids_larger_than_any_row_has(app, people, number):
    browser = people["owner"]()
    for rule in app.url_map.iter_rules():
        if not any(f"int:{name}" in rule.rule for name in rule.arguments):
            continue
        path = rule.rule
        for name in rule.arguments:
            path = path.replace(f"<int:{name}>", str(number))
        for method in rule.methods - {"OPTIONS"}:
            assert browser.open(path, method=method).status_code in (404, 405), (method, path)


def test_numbers_that_no_page_has(people):
    browser = people["owner"]()
    for text in ("0", "-5", str(2**63), "9" * 4000, "٣", "1.5", "\0", "x"):
        assert browser.get("/", query_string={"page": text}).status_code in (200, 400)
        for name in ("connection", "again"):
            clip_id = db.session.query(Publication.clip_id).scalar()
            answer = browser.post(f"/clips/{clip_id}/publish", data={name: text, "title-1": "x"})
            assert answer.status_code in (400, 404, 422)


def test_zero_bytes_are_refused_before_they_reach_the_database(people):
    """PostgreSQL takes none, and no user types one."""
    browser = people["owner"]()
    for answer in (
        browser.post("/settings/profile", data={"name": "a\0b", "timezone": "Europe/Moscow"}),
        browser.get("/settings/integrations/a%00b/connect"),
        browser.post("/sign-in", data={"email": "a\0@example.org", "password": "\0"}),
    ):
        assert answer.status_code == 400, answer.status_code


def test_an_address_that_cannot_be_read(people):
    browser = people["owner"]()
    publication_id = db.session.query(Publication.id).scalar()
    assert browser.post(f"/publications/{publication_id}/confirm", data={"url": "http://["}).status_code == 422
    browser = people["anonymous"]()
    for headers in ({"Referer": "http://["}, {"HX-Request": "true", "HX-Current-URL": "http://["}):
        assert browser.get("/", headers=headers).status_code in (204, 303)
        assert browser.post("/clips", headers=headers).status_code in (303, 422)
    assert browser.get("/sign-in?next=//[").status_code == 200


def test_halves_of_characters_in_the_payload_of_a_callback(people):
    browser = people["owner"]()
    for payload in (
        '{"code": "\\ud83d", "state": "\\udc00"}',
        "[]",
        "1",
        '"x"',
        "{",
        '{"code": {"a": [1]}}',
        '{"": ""}',
    ):
        answer = browser.get("/settings/integrations/vk/callback", query_string={"payload": payload})
        assert answer.status_code in (302, 303, 400), payload
