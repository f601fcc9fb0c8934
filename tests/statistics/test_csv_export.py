"""The table of all publications: in order, with what each has gained, however many there are."""

from datetime import timedelta

from app import clock
from app.db import db
from app.models import Publication, StatsSample
from app.statistics import csv_export
from tests import asking


def test_more_than_are_read_at_once(owner):
    clip, place = asking.clip(owner, "Закат"), asking.connection(owner, "-100")
    db.session.add_all(asking.publication(clip, place) for _ in range(csv_export.BATCH + 2))
    db.session.commit()
    for number, one in enumerate(db.session.scalars(db.select(Publication).order_by(Publication.id)), 1):
        one.url, one.views = f"https://t.me/vezde_demo/{number}", number
    db.session.commit()
    head, *rows = csv_export.rows(owner, 7)
    assert head[4:6] == ["Ссылка", "Просмотры, всего"]
    assert [row[5] for row in rows] == list(range(csv_export.BATCH + 2, 0, -1))
    assert {row[8] for row in rows} == {0}, "nothing of it was seen to be gained"


def test_what_each_has_gained(owner):
    one = asking.publication(asking.clip(owner, "Закат"), asking.connection(owner, "-100"))
    db.session.add(one)
    db.session.flush()
    for days, views, likes in ((40, 100, None), (8, 90, 5), (3, 130, 4), (0, 120, 9)):
        at = clock.now() - timedelta(days=days)
        db.session.add(StatsSample(publication_id=one.id, at=at, views=views, likes=likes))
    one.views, one.likes = 120, 9
    db.session.commit()
    for days, views, likes in ((7, 30, 4), (30, 30, 9), (90, 130, 9)):
        [_, row] = csv_export.rows(owner, days)
        assert row[5:11] == [120, 9, None, views, likes, None], days
