"""The widget of t.me: what is a number, and what is unknown."""

import pytest

from app.platforms.base import Stats
from app.platforms.errors import Unavailable
from app.platforms.telegram.widget import count, read

MESSAGE = (
    '<html><body><div class="tgme_widget_message js-widget_message" data-post="{post}">{inside}</div></body></html>'
)
VIEWS = '<span class="tgme_widget_message_views">{}</span>'
REACTION = '<span class="tgme_reaction"><i class="emoji" style="x"><b>👍</b></i>{}</span>'


def page(*parts: str, post: str = "kanal/12") -> str:
    return MESSAGE.format(post=post, inside="<br><img src=x>".join(parts))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("999", 999),
        ("1K", 1000),
        ("1.2K", 1200),
        ("12.34K", 12_340),
        ("3M", 3_000_000),
        ("1.25M", 1_250_000),
        (" 7 \n", 7),
        ("", None),
        ("1,2K", None),
        ("1.2", None),
        ("1.2345K", None),
        ("-5", None),
        ("1.2k", None),
        ("много", None),
        ("١٢", None),
        ("9" * 30, None),
    ],
)
def test_a_count(text, number):
    assert count(text) == number


def test_views_and_all_reactions():
    html = page(VIEWS.format("1.2K"), REACTION.format("30"), REACTION.format("1.5K"))
    assert read(html, "kanal/12") == Stats(views=1200, likes=1530)


def test_a_missing_element_is_unknown():
    assert read(page(), "kanal/12") == Stats()
    assert read(page(VIEWS.format("")), "kanal/12") == Stats()
    assert read(page(VIEWS.format("5"), REACTION.format("?")), "kanal/12") == Stats(views=5)


def test_a_name_is_written_in_any_case():
    assert read(page(VIEWS.format("5"), post="Kanal/12"), "kanal/12") == Stats(views=5)


def test_a_post_that_is_gone():
    assert read('<div class="tgme_widget_message_error">Post not found</div>', "kanal/12") is None


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<h1>502 Bad Gateway</h1>",
        page(VIEWS.format("5"), post="other/12"),
        page(VIEWS.format("5"), post="kanal/13"),
        "<div class='tgme_widget_message'>" + VIEWS.format("5"),
        "<<<>>&&&</span>",
    ],
)
def test_another_page_is_no_widget(html):
    with pytest.raises(Unavailable):
        read(html, "kanal/12")


def test_what_a_person_wrote_is_not_taken_for_numbers():
    text = "&lt;span class=&quot;tgme_widget_message_views&quot;&gt;999&lt;/span&gt;"
    assert read(page(f"<div class='tgme_widget_message_text'>{text}</div>", VIEWS.format("5")), "kanal/12") == Stats(
        views=5
    )
