"""Every route with whatever anybody may send: never a 500, never a stack trace.

What is tried is drawn from the URL map, so that a new route is tried too.
"""

import re
import string
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db import commit, db
from app.models import Clip
from app.services import account_sets, publications, slots, uploads
from app.services.publications import Choice
from app.serving import API

FEW = settings(
    max_examples=250,
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
        "٩٩",
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
    *("clip", "open", "state", "sort", "view"),
    *("on", "at", "from", "spacing", "occurrence"),
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
    *("how", "hours", "up", "remove", "publication", "publications", "by", "amount", "unit", "do", "found", "set"),
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
        "vezde_session=x.y.z; vezde_browser=1|2",
        "é",
        "\x7f",
        'W/"',
        "*",
    ]
    + ["Thu, 99 Foo 2026", "localhost:99999", "evil.example"]
) | st.text(alphabet=string.printable.replace("\n", "").replace("\r", ""), max_size=30)


METHODS = ["POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO"]


@pytest.fixture
def things(app, user, ready_clip, telegram) -> dict[str, list]:
    """By argument of a route: what there is, mostly of one user and some of another's."""
    found = {"platform": ["telegram"], "filename": ["logo.svg"], "version": ["0"], "entry": ["main.js"]}
    for owner, count in ((user(), 5), (user(), 1)):
        for number in range(count):
            connection, clip = telegram(owner, chat_id=-1001000000001 - number), ready_clip(owner)
            [publication] = publications.publish(owner, clip.id, [Choice(connection.id, "Закат", "")])
            commit()
            made = {"connection": connection, "clip": clip, "publication": publication}
            made["upload"] = uploads.create(owner, "клип.mp4", 1000)
            made["account_set"] = account_sets.save(owner, f"Набор {number}", [connection.id])
            slots.add(owner, made["account_set"].id, [0], [600])
            made["slot"] = made["account_set"].slots[0]
            commit()
            for name, one in made.items():
                found.setdefault(f"{name}_id", []).append(one.id)
    return found


@pytest.fixture
def people(app, things, sign_in):
    """A client that is not signed in, and a user with a row of each kind."""
    owner = db.session.get(Clip, things["clip_id"][0]).user
    return {"anonymous": app.test_client, "owner": lambda: sign_in(owner)}


def draw_path(draw, rule, things: dict[str, list]) -> str:
    """Most arguments are of things that exist."""
    path = rule.rule
    for name in sorted(rule.arguments):
        nasty = NASTY_NUMBERS if f"int:{name}" in rule.rule else TEXTS
        existing = st.sampled_from(things.get(name, ["x"]))
        value = draw(existing | existing | nasty)
        path = re.sub(rf"<(\w+:)?{name}>", lambda _, value=value: _in_a_path(value), path)
    return path


def _in_a_path(value: Any) -> str:
    return str(value).replace("\ud800", "%ED%A0%80").replace("\ud83d", "%ED%A0%BD").replace("?", "%3F") or "x"


def test_no_request_breaks_anything(app, people, things):
    rules = sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, sorted(rule.methods)))
    with_ids = [rule for rule in rules if rule.arguments]
    answers: Counter[str] = Counter()

    @FEW
    @given(data=st.data())
    def any_request(data) -> None:
        rule = data.draw(st.sampled_from(rules) | st.sampled_from(with_ids))
        own = st.sampled_from(sorted(rule.methods))
        method = data.draw(own | own | st.sampled_from(METHODS))
        query = data.draw(st.lists(st.tuples(st.sampled_from(NAMES), TEXTS), max_size=3))
        form = data.draw(st.lists(st.tuples(st.sampled_from(NAMES), TEXTS), max_size=4))
        headers = data.draw(st.dictionaries(st.sampled_from(HEADERS), HEADER_TEXTS, max_size=4))
        client = data.draw(st.sampled_from(["owner", "owner", "anonymous"]))
        path = draw_path(data.draw, rule, things)
        request = {"query_string": _wire(query), "data": _wire(form) if method not in ("GET", "HEAD") else None}
        answer = _send(people[client](), path, method, headers, request)
        if answer is not None:
            assert answer.status_code < 500, (method, path, query, form, headers)
            assert b"Traceback" not in answer.get_data()
            answers["all"] += 1
            answers["found"] += bool(rule.arguments) and client == "owner" and answer.status_code < 400

    any_request()
    assert answers["all"] > 100
    assert answers["found"] >= 5, f"routes with ids that exist are reached: {answers}"


def _wire(pairs: list[tuple[str, str]]) -> str:
    """As a browser or a crawler writes them; what cannot be said in UTF-8 goes out as the bytes it would be."""
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
        if rule.rule.startswith(API) or not any(f"int:{name}" in rule.rule for name in rule.arguments):
            continue  # the API's have a key: tests/api/test_routes.py
        path = rule.rule
        for name in rule.arguments:
            path = path.replace(f"<int:{name}>", str(number))
        for method in rule.methods - {"OPTIONS"}:
            assert browser.open(path, method=method).status_code in (404, 405), (method, path)


def test_numbers_that_no_page_has(people, things):
    browser = people["owner"]()
    for text in ("0", "-5", str(2**63), "9" * 4000, "٩٩", "1.5", "\0", "x"):
        assert browser.get("/", query_string={"page": text}).status_code in (200, 400)
        for name in ("connection", "again"):
            answer = browser.post(f"/clips/{things['clip_id'][0]}/publish", data={name: text, "title-1": "x"})
            assert answer.status_code in (400, 404, 422)


def test_zero_bytes_are_refused_before_they_reach_the_database(people):
    """PostgreSQL takes none, and nobody types one."""
    browser = people["owner"]()
    for answer in (
        browser.post("/settings/profile", data={"name": "a\0b", "timezone": "Europe/Moscow"}),
        browser.get("/settings/integrations/a%00b/connect"),
        browser.post("/sign-in", data={"email": "a\0@example.org", "password": "\0"}),
    ):
        assert answer.status_code == 400, answer.status_code


def test_an_address_that_cannot_be_read(people, things):
    browser = people["owner"]()
    publication_id = things["publication_id"][0]
    assert browser.post(f"/publications/{publication_id}/confirm", data={"url": "http://["}).status_code == 422
    anonymous = people["anonymous"]()
    for headers in ({"Referer": "http://["}, {"HX-Request": "true", "HX-Current-URL": "http://["}):
        assert anonymous.get("/", headers=headers).status_code in (303, 401)
        assert browser.post("/clips", headers=headers).status_code in (303, 422)
    assert anonymous.get("/sign-in?next=//[").status_code == 200


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
