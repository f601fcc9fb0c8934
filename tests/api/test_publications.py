"""Publications by the API: for one account, a set, many at once; at a time, in a slot; and what is done with them."""

from datetime import timedelta

import pytest

from app import clock
from app.db import commit, db
from app.models import Publication, Status
from app.services import account_sets, slots

SOON = timedelta(hours=2)


@pytest.fixture
def clip(owner, ready_clip):
    return ready_clip(owner, title="Закат")


@pytest.fixture
def account(owner, telegram):
    return telegram(owner)


@pytest.fixture
def account_set(owner, account):
    one = account_sets.save(owner, "Утро", [account.id])
    slots.add(owner, one.id, [0, 1, 2, 3, 4, 5, 6], [600])
    commit()
    return one


def at(moment) -> dict[str, str]:
    return {"kind": "at", "at": moment.isoformat()}


def test_a_clip_is_published_now_with_its_own_texts(api, clip, account):
    answer = api.post("/publications", {"clip_id": clip.id, "to": [{"connection_id": account.id}]})
    assert answer.status_code == 201, answer.json
    [result] = answer.json["items"]
    made = result["publication"]
    assert result["problem"] is None
    assert (made["title"], made["status"], made["when"], made["platform"]) == ("Закат", "publishing", None, "telegram")
    assert api.get(f"/publications/{made['id']}").json["history"][0]["kind"] == "created"


def test_a_time_has_a_zone_and_comes_back_in_utc(api, clip, account):
    to = [{"connection_id": account.id, "title": "Утро", "text": "Текст"}]
    wrong = api.post(
        "/publications", {"clip_id": clip.id, "to": to, "when": {"kind": "at", "at": "2026-11-30T10:00:00"}}
    )
    assert wrong.status_code == 422
    assert wrong.json["errors"] == [
        {"field": "when", "code": "time_without_zone", "detail": wrong.json["errors"][0]["detail"]}
    ]
    due = (clock.now() + SOON).replace(microsecond=0)
    local = due.astimezone(clock.zone("Asia/Kolkata"))
    made = api.post("/publications", {"clip_id": clip.id, "to": to, "when": at(local)}).json["items"][0]["publication"]
    assert made["due_at"] == made["when"]["at"] == due.isoformat().replace("+00:00", "Z")
    assert (made["status"], made["title"], made["text"]) == ("scheduled", "Утро", "Текст")


def test_what_is_refused_on_every_account_is_a_refusal_with_all_reasons(api, clip, account):
    body = {"clip_id": clip.id, "to": [{"connection_id": account.id}, {"connection_id": 999}]}
    assert [one["problem"] and one["problem"]["status"] for one in api.post("/publications", body).json["items"]] == [
        None,
        404,
    ]
    again = api.post("/publications", body)
    assert again.status_code == 409 and again.json["code"] == "already_live"
    assert [(one["field"], one["code"]) for one in again.json["errors"]] == [
        ("to.0", "already_live"),
        ("to.1", "not_found"),
    ]
    assert db.session.query(Publication).count() == 1
    assert api.post("/publications", {"clip_id": clip.id}).json["code"] == "no_destination"
    assert api.post("/publications", {"clip_id": 999, "set_id": 1}).status_code == 404


def test_a_set_and_its_next_free_slots(api, owner, clip, ready_clip, account, account_set):
    when = {"kind": "slot", "set_id": account_set.id}
    made = api.post("/publications", {"clip_id": clip.id, "set_id": account_set.id, "when": when}).json["items"]
    assert made[0]["publication"]["when"] == when
    others = [ready_clip(owner, title=f"Клип {number}") for number in range(3)]
    items = [{"clip_id": one.id, "connection_id": account.id, "when": when} for one in others]
    answer = api.post("/publications/batch", {"items": items}).json["items"]
    times = [one["publication"]["due_at"] for one in [*made, *answer]]
    assert times == sorted(set(times)) and len(times) == 4
    free = api.get(f"/sets/{account_set.id}/slots?count=1").json["items"]
    assert free[0]["at"] > times[-1]


def test_a_batch_has_a_result_for_each(api, owner, clip, account):
    items = [
        {"clip_id": clip.id, "connection_id": account.id, "when": at(clock.now() + SOON)},
        {"clip_id": 999, "connection_id": account.id},
        {"clip_id": clip.id, "connection_id": account.id, "when": {"kind": "slot", "set_id": 999}},
    ]
    answer = api.post("/publications/batch", {"items": items})
    assert answer.status_code == 201
    assert [one["problem"] and one["problem"]["code"] for one in answer.json["items"]] == [
        None,
        "not_found",
        "not_found",
    ]
    assert api.post("/publications/batch", {"items": items[1:]}).status_code == 404
    assert api.post("/publications/batch", {"items": []}).status_code == 422
    assert api.post("/publications/batch", {"items": [items[1]] * 1201}).status_code == 422


def test_what_can_be_done_with_a_publication(api, clip, account, account_set):
    to = [{"connection_id": account.id}]
    body = {"clip_id": clip.id, "to": to, "when": at(clock.now() + SOON)}
    one = api.post("/publications", body).json["items"][0]["publication"]
    path = f"/publications/{one['id']}"
    later = at((clock.now() + timedelta(days=3)).replace(microsecond=0))
    assert api.post(f"{path}/move", {"when": later}).json["due_at"] == later["at"].replace("+00:00", "Z")
    moved = api.post(f"{path}/move", {"when": {"kind": "slot", "set_id": account_set.id}})
    assert moved.json["when"] == {"kind": "slot", "set_id": account_set.id}
    assert api.post(f"{path}/move", {"when": {"kind": "after", "minutes": 1}}).json["code"] == "due_too_soon"
    assert api.post(f"{path}/retry").json["code"] == "publication_changed"
    assert api.post(f"{path}/cancel").json["status"] == "cancelled"
    assert api.post(f"{path}/cancel").status_code == 409
    two = api.post("/publications", body).json["items"][0]["publication"]
    assert api.post(f"/publications/{two['id']}/publish-now").json["status"] == "publishing"
    row = db.session.get(Publication, two["id"])
    row.status, row.wake_at = Status.AWAITING_USER, None
    db.session.commit()
    assert api.post(f"/publications/{two['id']}/confirm").json["code"] == "link_missing"
    link = "https://example.org/1"
    confirmed = api.post(f"/publications/{two['id']}/confirm", {"url": link}).json
    assert (confirmed["status"], confirmed["url"]) == ("published", link)
    assert api.get(f"/publications/{two['id']}/statistics").json["views"] is None


def test_the_list_is_narrowed_down(api, owner, ready_clip, account):
    clips = [ready_clip(owner, title=f"Клип {number}") for number in range(3)]
    due = (clock.now() + SOON).replace(microsecond=0)
    for number, one in enumerate(clips):
        when = at(due + timedelta(days=number))
        api.post("/publications", {"clip_id": one.id, "to": [{"connection_id": account.id}], "when": when})

    def found(**filters):
        return [one["clip_id"] for one in api.get("/publications", query_string=filters).json["items"]]

    assert found() == [one.id for one in reversed(clips)]
    assert found(clip_id=clips[0].id) == [clips[0].id] and found(state="published") == []
    assert found(state="upcoming", connection_id=account.id) == found(status="scheduled") == found()
    window = {"from": due.isoformat(), "to": (due + timedelta(days=1)).isoformat()}
    assert found(**window) == [clips[0].id]
    assert api.get("/publications?from=2026-11-28T10:00:00").json["errors"][0]["code"] == "time_without_zone"


def test_statistics_of_a_period(api, owner):
    answer = api.get("/statistics?from=2026-11-01&to=2026-11-03").json
    assert [one["day"] for one in answer["days"]] == ["2026-11-01", "2026-11-02", "2026-11-03"]
    assert answer["total"] == {"views": 0, "likes": 0, "shares": 0} and answer["timezone"] == "Europe/Moscow"
    assert api.get("/statistics?from=2020-01-01").json["code"] == "period_too_long"
    assert api.get("/statistics?from=2026-11-03&to=2026-11-01").json["days"] == []
    assert api.get("/statistics?from=28.11.2026").status_code == 422
