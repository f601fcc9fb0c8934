"""«Статистика», the numbers on a card, and the file for a spreadsheet."""

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import pytest

from app import clock
from app.db import db
from app.models import Clip, Publication, StatsSample, Status
from app.services import clips, tables
from app.statistics import daily, report
from app.statistics.report import Day, Sum
from app.web import filters
from app.web.statistics import chart, round_top, without
from tests.asking import asked
from tests.web.test_clips import publish

pytestmark = pytest.mark.usefixtures("sandbox")

NBSP = "\u00a0"


@pytest.fixture
def published(owner, ready_clip, telegram) -> Callable[..., Publication]:
    """A clip that stands on a platform; `history` gives its samples: (days ago, views, likes, shares)."""
    made: dict[str, Clip] = {}

    def make(history=(), title: str = "Закат", platform: str = "vk", **state) -> Publication:
        clip = made[title] = made.get(title) or ready_clip(owner, title=title)
        now = clock.now()
        defaults = {
            "status": Status.PUBLISHED,
            "external_id": "1_2",
            "published_at": now,
            "url": "https://vk.com/clip1_2",
        }
        one = publish(clip, telegram(owner), **{**defaults, **state})
        one.platform = platform
        for days, views, likes, shares in history:
            at = now - timedelta(days=days)
            sample = StatsSample(publication_id=one.id, at=at, views=views, likes=likes, shares=shares)
            daily.record(daily.lock(owner.id), [(one, sample)])
            one.views, one.likes, one.shares, one.stats_at = views, likes, shares, at
        db.session.commit()
        return one

    return make


def text_of(page: str) -> str:
    """The text of a page, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).replace("&nbsp;", " ").replace(NBSP, " ").split())


def test_without_publications_the_page_leads_on(web):
    page = web.get("/stats/").text
    assert "Опубликуйте первый клип" in page
    assert 'href="/"' in page
    assert "<table" not in page


def test_a_card_shows_numbers_and_why_one_is_missing(web, published):
    one = published([(0, 12_345, 7, None)], platform="rutube")
    for page in (web.get("/").text, web.get(f"/clips/{one.clip_id}").text):
        assert f"12,3{NBSP}тыс." in page
        assert ">0<" not in page
    assert "Rutube не считает репосты." in text_of(page)


def test_numbers_that_are_not_there_yet(web, published):
    one = published(stats_due_at=clock.now() + timedelta(seconds=5))
    panel = web.get(f"/clips/{one.clip_id}").text
    assert text_of(panel).count("Ещё не собрано.") == 3
    for page in (panel, web.get("/").text):
        assert 'data-pace="fast"' in page, "the page waits for the first numbers"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"connection_id": None}, "Аккаунт отключён"),
        ({"external_id": None}, "отмечена вручную"),
        ({"stats_at": datetime(2026, 1, 1, tzinfo=UTC)}, "VK не показал это число."),
    ],
)
def test_each_dash_has_its_reason(web, published, state, reason):
    one = published()
    for name, value in state.items():
        setattr(one, name, value)
    db.session.commit()
    page = web.get(f"/clips/{one.clip_id}").text
    assert reason in text_of(page)
    assert 'data-pace="fast"' not in page


def test_the_periods_sums_are_what_was_gained_in_it(web, published):
    published([(40, 100, 10, 1), (20, 150, 12, 1), (3, 1500, 20, 4)])
    published([(5, 50, None, None)], title="Волга", platform="telegram")
    gained = {days: stats_of(web, days) for days in (7, 30, 90)}
    assert gained[7]["Просмотры"] == "1 400"
    assert gained[30]["Просмотры"] == "1 450"
    assert gained[90]["Просмотры"] == "1 550"
    assert gained[30]["Лайки"].startswith("10 без Telegram")
    assert gained[90]["Репосты"].startswith("4 без Telegram")


def stats_of(web, days: int) -> dict[str, str]:
    page = web.get(f"/stats/?days={days}").text
    return {
        text_of(name): text_of(value)
        for name, value in re.findall(r'<div class="tile">\s*<dt>(.*?)</dt>\s*(.*?)</div>', page, re.S)
    }


def test_what_no_platform_gives_is_a_dash(web, published):
    published([(1, 10, 1, None)], platform="rutube")
    assert stats_of(web, 7)["Репосты"] == "— Rutube не считает репосты."


def test_a_count_that_falls_gains_nothing(app, owner, published):
    published([(40, 100, 5, 0), (3, 90, 5, 0), (2, 95, 5, 0), (1, 101, 5, 0)])
    assert report.report(owner, 30).sums["views"].value == 1


def test_lines_of_platforms_and_clips(web, owner, published):
    published([(1, 10, 1, 0)], title="Закат")
    published([(1, 300, 1, None)], title="Закат", platform="rutube")
    published([(1, 50, 1, 0)], title="Волга")
    gone = published([(1, 5, 0, 0)], title="Удалённый")
    clips.delete(owner, gone.clip_id)
    db.session.commit()
    page = web.get("/stats/").text
    by_clip = page[page.index('id="by-clip"') :]
    titles = re.findall(r'class="line-title">(.*?)</span>', by_clip)
    assert titles == ["Закат", "Волга", "Удалённый"]
    assert "VK, Rutube" in text_of(by_clip)
    assert "клип удалён" in by_clip
    platforms = page[page.index('id="by-platform"') : page.index('id="by-clip"')]
    assert re.findall(r'class="line-title">(.*?)</span>', platforms) == ["VK", "Rutube"]


def test_a_long_list_of_clips_is_paged(app, owner, published):
    one = published([(1, 10, 1, 0)])
    for number in range(report.PER_PAGE + 4):
        db.session.add(copy_of(one, title=f"Клип {number}"))
    db.session.commit()
    first, second = report.report(owner, 30, 1), report.report(owner, 30, 2)
    assert (len(first.clips.rows), len(second.clips.rows), first.clips.pages) == (report.PER_PAGE, 5, 2)
    assert report.report(owner, 30, 99).clips.page == 2


def copy_of(one: Publication, **changes) -> Publication:
    return Publication(
        **{
            name: getattr(one, name)
            for name in ("user_id", "connection_id", "platform", "account_id", "account_name", "status", "due_at")
        },
        **changes,
    )


def test_days_are_the_users(app, owner, published):
    """Half past one at night in Moscow is still yesterday in UTC."""
    one = published()
    midnight = clock.to_zone(clock.now(), "Europe/Moscow").replace(hour=0, minute=30, second=0, microsecond=0)
    daily.record(daily.lock(owner.id), [(one, StatsSample(publication_id=one.id, at=midnight, views=10))])
    one.views = 10
    db.session.commit()
    days = report.report(owner, 7).days
    assert days[-1].day == midnight.date()
    assert days[-1].gained["views"] == 10
    owner.timezone = "America/New_York"
    assert report.report(owner, 7).days[-1].day <= midnight.date()


def test_the_chart_is_drawn_and_described(web, published):
    published([(2, 40, 1, 1), (0, 1240, 1, 1)])
    page = web.get("/stats/?days=7").text
    svg = ElementTree.fromstring(re.search(r"<svg viewBox.*?</svg>", page, re.S)[0].replace("&nbsp;", NBSP))
    assert svg.get("role") == "img"
    assert f"1{NBSP}240{NBSP}просмотров" in svg.find("desc").text
    heights = [float(bar.get("height")) for bar in svg.iter("rect") if bar.get("class") == "chart-bar"]
    assert len(heights) == 7
    assert heights.index(max(heights)) == 6
    assert len(re.findall(r'<th scope="row">\d', page)) == 7, "the same as a table"


def test_nothing_inline_on_the_page(web, published):
    published([(0, 1240, 1, 1)])
    page = web.get("/stats/").text
    assert not re.search(r'\sstyle="|<style|\son\w+="', page)


def test_the_page_sends_a_constant_number_of_queries(app, web, published):
    published([(1, 10, 1, 0)])
    few = queries(app, web)
    for number in range(12):
        published([(1, 10, 1, 0)], title=f"Клип {number}")
    assert queries(app, web) == few


def queries(app, web) -> int:
    with asked() as found:
        web.get("/stats/")
    return len([statement for statement, _ in found if statement.startswith("SELECT")])


def test_samples_are_found_by_their_index(app, owner, published):
    published([(1, 10, 1, 0)])
    plan = db.session.execute(
        db.text(
            "EXPLAIN QUERY PLAN SELECT * FROM stats_samples WHERE publication_id IN"
            " (SELECT id FROM publications WHERE user_id = 1) AND at >= '2026-01-01' ORDER BY publication_id, at"
        )
    ).all()
    assert any("ix_stats_samples_publication" in row[-1] for row in plan)


def test_another_user_sees_none_of_it(web, published, user, sign_in):
    published([(0, 1240, 1, 1)], title="Секрет")
    other = sign_in(user())
    assert "Опубликуйте первый клип" in other.get("/stats/").text
    assert "Секрет" not in other.get("/stats/stats.csv").text


def test_the_file_for_a_spreadsheet(web, published):
    published([(40, 100, 10, None), (1, 1500, 12, None)], title="Закат; над «Волгой»", platform="rutube")
    published([(1, 5, 1, 1)], title='=HYPERLINK("https://evil.example","x")')
    response = web.get("/stats/stats.csv?days=30")
    assert response.content_type == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == "attachment; filename=vezde-stats-30.csv"
    assert response.data.startswith(b"\xef\xbb\xbf")
    head, formula, sunset = csv.reader(io.StringIO(response.data.decode("utf-8-sig")), delimiter=";")
    assert head[:2] == ["Клип", "Площадка"]
    assert head[5] == "Просмотры, всего" and head[8] == "Просмотры, за 30 дней"
    assert formula[0].startswith("'=")
    assert sunset[:2] == ["Закат; над «Волгой»", "Rutube"]
    assert sunset[5:11] == ["1500", "12", "", "1400", "2", ""]


@pytest.mark.parametrize("text", ["=1+1", "+7", "-1", "@sum", "\t=1", " =1", "＝1"])
def test_no_cell_is_a_formula(text):
    [cell] = next(csv.reader(io.StringIO("".join(tables.write([[text]])).removeprefix("\ufeff")), delimiter=";"))
    assert cell == f"'{text}"


def test_an_unknown_period_is_the_usual_one(web, published):
    published([(1, 10, 1, 0)])
    for days in ("5", "x", "-1", ""):
        assert 'aria-current="page">30' in web.get("/stats/", query_string={"days": days}).text
    assert web.get("/stats/?page=-3").status_code == 200


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1234, "1 234"),
        (9999, "9 999"),
        (10_000, "10 тыс."),
        (12_345, "12,3 тыс."),
        (999_999, "999,9 тыс."),
        (1_000_000, "1 млн"),
        (1_290_000, "1,2 млн"),
        (2_500_000_000, "2,5 млрд"),
    ],
)
def test_big_numbers(number, shown):
    assert filters.short(number).replace(NBSP, " ") == shown


def test_numbers_in_words():
    assert filters.views(1) == f"1{NBSP}просмотр"
    assert filters.views(1234).replace(NBSP, " ") == "1 234 просмотра"
    assert filters.day(date(2026, 11, 5)) == f"5{NBSP}ноября"


def test_the_platforms_that_a_sum_lacks():
    assert without(Sum(1, ("Telegram",))) == "без Telegram"
    assert without(Sum(1, ("Rutube", "Telegram"), ("VK",))) == "без Rutube, Telegram и части VK"
    assert without(Sum(1, (), ("VK",))) == "без части VK"


@pytest.mark.parametrize(("value", "top"), [(0, 4), (4, 4), (5, 8), (9, 20), (21, 40), (81, 200), (1240, 2000)])
def test_the_charts_edge_is_a_round_number(value, top):
    assert round_top(value) == top


def test_a_chart_of_nothing():
    drawn = chart([Day(date(2026, 11, number), {"views": 0}) for number in range(1, 8)])
    assert {bar.height for bar in drawn.bars} == {0}
    assert drawn.marks == [4, 3, 2, 1, 0]
