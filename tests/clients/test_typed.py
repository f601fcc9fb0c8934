"""What people type, without a service: times, places, options."""

import pytest

from vezde_client import destinations, when
from vezde_client.errors import Exit, Refused, TimedOut, Unavailable, WrongUsage, exit_of
from vezde_client.output import printable, table

VK = {"id": 1, "platform": "vk", "account": "Олег", "options": [{"name": "wall", "kind": "checkbox"}]}
VK_2 = {"id": 2, "platform": "vk", "account": "Вера", "options": []}
YOUTUBE = {"id": 3, "platform": "youtube", "account": "Волга", "options": [{"name": "privacy", "kind": "select"}]}


@pytest.mark.parametrize(
    ("typed", "utc"),
    [
        ("2026-12-01 10:00", "2026-12-01T05:00:00Z"),
        (" 2026-12-01T10:00:30 ", "2026-12-01T05:00:30Z"),
        ("2026-12-01 10:00Z", "2026-12-01T10:00:00Z"),
        ("2026-12-01 10:00 +0300", "2026-12-01T07:00:00Z"),
    ],
)
def test_a_time_is_in_the_zone_of_the_account_unless_it_has_one(typed: str, utc: str):
    assert when.at(typed, "Asia/Yekaterinburg") == {"kind": "at", "at": utc}


@pytest.mark.parametrize(
    "typed", ["", "завтра", "10:00", "2026-13-01 10:00", "2026-02-30 10:00", "2026-12-01 25:00", "٢٠٢٦-12-01 10:00"]
)
def test_a_time_that_is_none(typed: str):
    with pytest.raises(WrongUsage):
        when.at(typed, "Europe/Moscow")


@pytest.mark.parametrize(("typed", "said"), [("2027-03-28 02:30", "не наступает"), ("2027-10-31 02:30", "дважды")])
def test_hours_that_clocks_skip_or_repeat_need_an_offset(typed: str, said: str):
    with pytest.raises(WrongUsage, match=said):
        when.at(typed, "Europe/Berlin")
    assert when.at(f"{typed}+02:00", "Europe/Berlin")
    with pytest.raises(WrongUsage, match="смещение"):
        when.at(typed, "Mars/Olympus")


@pytest.mark.parametrize(
    ("typed", "minutes"), [("30m", 30), ("2h", 120), ("1d 12h", 2160), ("90 мин", 90), ("1ч30м", 90), ("0m", 0)]
)
def test_a_while(typed: str, minutes: int):
    assert when.after(typed) == {"kind": "after", "minutes": minutes}


@pytest.mark.parametrize("typed", ["", "30", "m", "-5m", "1.5h", "5 weeks"])
def test_a_while_that_is_none(typed: str):
    with pytest.raises(WrongUsage):
        when.after(typed)


def test_a_platform_is_its_one_account():
    assert destinations.choose([VK, YOUTUBE], ["VK", " youtube ", 1]) == [VK, YOUTUBE]
    with pytest.raises(WrongUsage, match=r"1 \(«Олег»\), 2 \(«Вера»\)"):
        destinations.choose([VK, VK_2], ["vk"])
    assert destinations.choose([VK, VK_2], ["2"]) == [VK_2]
    with pytest.raises(WrongUsage, match="ни одного"):
        destinations.choose([], ["vk"])


def test_options_go_where_they_are_known():
    options = destinations.options_for([VK, YOUTUBE], ["youtube.privacy=a=b", "1.wall=нет"])
    assert options == {1: {"wall": False}, 3: {"privacy": "a=b"}}
    for wrong in ("vk.privacy=x", "rutube.x=y", "vk.wall=может", "vk", "vk.=1", ".x=1"):
        with pytest.raises(WrongUsage):
            destinations.options_for([VK, YOUTUBE], [wrong])


def test_exit_codes_of_several():
    refused, away, late = Refused("-"), Unavailable("-"), TimedOut("-")
    assert exit_of([], 3) == Exit.OK
    assert exit_of([refused, Refused("-")], 0) == Exit.REFUSED
    assert exit_of([away], 0) == Exit.UNAVAILABLE
    assert exit_of([late], 0) == Exit.TIMED_OUT
    assert exit_of([refused, away], 0) == Exit.PARTIAL
    assert exit_of([refused], 1) == Exit.PARTIAL


def test_a_title_does_not_steer_the_terminal():
    assert printable("Закат\x1b[2J\r🌅") == "Закат·[2J·🌅"
    assert table([["\x07", "b"], ["aaa", ""]]) == ["·    b", "aaa"]
