"""TikTok's form, point by point as its audit lists them, and what TikTok is sent in the end."""

import hashlib

import pytest
from playwright.sync_api import Page, expect

from tests import clips as test_clips
from tests.journeys.conftest import Running
from tests.journeys.steps import PUBLISHING_MS, begin, close_progress, row, upload


@pytest.fixture(scope="module")
def tall(tmp_path_factory):
    """TikTok takes nothing under three seconds, and nothing smaller."""
    return test_clips.write(tmp_path_factory.mktemp("clips") / "Закат.mp4", seconds=4, shape=(360, 640))


def test_the_form_is_as_the_audit_wants_it(page: Page, vezde: Running, tall):
    begin(page, vezde, "tiktok@example.org", "Pro", ("tiktok",))
    vezde.control("options", tiktok_privacy_levels=["PUBLIC_TO_EVERYONE", "SELF_ONLY"], tiktok_duet_disabled=True)
    card = upload(page, tall)
    dialog, tab = page.get_by_role("dialog"), page.get_by_role("dialog").get_by_role("tabpanel", name="TikTok")

    def open_window() -> None:
        card.get_by_role("button", name="Опубликовать").click()
        dialog.get_by_role("tab", name="TikTok").click()
        expect(privacy).to_be_visible()

    privacy = tab.get_by_label("Кто увидит")
    comment, duet, stitch = (tab.get_by_role("checkbox", name=name) for name in ("Комментарии", "Дуэт", "Склейка"))
    ad, group = tab.get_by_role("switch", name="Реклама"), tab.get_by_role("group", name="Реклама")
    own_brand = tab.get_by_role("checkbox", name="Свой бренд")
    branded = tab.get_by_role("checkbox", name="Платное партнёрство")
    private, music = privacy.locator("[value=SELF_ONLY]"), tab.get_by_text("Публикуя, вы соглашаетесь с")
    policy = tab.get_by_text("Публикуя платное партнёрство, вы соглашаетесь с")

    # The account as TikTok has it, asked now; nothing is chosen beforehand; what is off is greyed.
    open_window()
    expect(tab.get_by_text("Студия «Берег»")).to_be_visible()
    expect(tab.locator(".asked-account img")).to_have_js_property("complete", True)
    assert tab.locator(".asked-account img").evaluate("image => image.naturalWidth") > 0
    expect(tab.get_by_role("status")).to_have_text("TikTok ответил: настройки ниже.")
    expect(privacy).to_have_value("")
    assert privacy.locator("option").all_inner_texts() == ["Выберите…", "Все", "Только вы"]
    for box in (comment, duet, stitch, ad):
        expect(box).not_to_be_checked()
    expect(duet).to_be_disabled()
    expect(tab).to_contain_text("Дуэты выключены в настройках вашего аккаунта TikTok.")
    expect(comment).to_be_enabled()
    expect(dialog.get_by_label("Как это увидят")).to_be_visible()
    expect(tab).to_contain_text("несколько минут")
    link = music.get_by_role("link")
    assert link.get_attribute("href").startswith("https://www.tiktok.com/legal/page/global/music-usage-confirmation")

    # The switch, by the keyboard; the sentence follows; a paid partnership is never private, whichever was first.
    expect(group).to_be_hidden()
    ad.focus()
    page.keyboard.press("Space")
    expect(group).to_be_visible()
    page.keyboard.press("Tab")
    expect(own_brand).to_be_focused()
    branded.check()
    expect(private).to_have_attribute("disabled", "")
    expect(tab.get_by_text("Платное партнёрство не бывает только для вас.")).to_be_visible()
    expect(policy).to_be_visible()
    expect(music).to_be_hidden()
    hrefs = [one.get_attribute("href") for one in policy.get_by_role("link").all()]
    assert ["bc-policy" in hrefs[0], "music-usage-confirmation" in hrefs[1]] == [True, True]
    branded.uncheck()
    expect(music).to_be_visible()
    privacy.select_option("SELF_ONLY")
    expect(branded).to_be_disabled()
    privacy.select_option("")
    expect(branded).to_be_enabled()

    # Refused at its field, and nothing is lost: without who may see it, and without whose the advertising is.
    press = dialog.get_by_role("button", name="Опубликовать в TikTok")
    tab.get_by_label("Описание").fill("Волга")
    comment.check()
    press.click()
    expect(tab.get_by_text("Выберите, что указать в настройке «Кто увидит».")).to_be_visible()
    expect(privacy).to_be_focused()
    privacy.select_option("PUBLIC_TO_EVERYONE")
    press.click()
    expect(tab.get_by_text("Реклама включена, но не сказано, чья она")).to_be_visible()
    expect(privacy).to_have_value("PUBLIC_TO_EVERYONE")
    expect(comment).to_be_checked()
    expect(tab.get_by_label("Описание")).to_have_value("Волга")
    assert vezde.posts == []

    # Another showing asks anew: by now the creator may not post so long a clip.
    vezde.control("options", tiktok_max_seconds=2)
    page.keyboard.press("Escape")
    page.get_by_role("alertdialog").get_by_role("button", name="Закрыть").click()
    open_window()
    expect(privacy).to_have_value("")
    expect(tab).to_contain_text("а TikTok берёт от этого аккаунта не длиннее 0:02")
    privacy.select_option("SELF_ONLY")
    press.click()
    expect(dialog).to_contain_text("Клип длиннее, чем разрешено этому аккаунту (2 с)")
    vezde.control("options", tiktok_max_seconds=600)

    # In a tab of its own it does not fill in by itself: it is looked at again, with all that is typed.
    page.goto(f"/clips/{card.get_attribute('id').removeprefix('clip-')}/publish")
    page.wait_for_load_state()
    page.get_by_role("tab", name="TikTok").click()
    alone = page.get_by_role("tabpanel", name="TikTok")
    alone.get_by_label("Описание").fill("Ока")
    expect(alone.get_by_text("Спрашиваем TikTok")).to_be_visible()
    while alone.get_by_role("button", name="Обновить").is_visible():
        alone.get_by_role("button", name="Обновить").click()
        page.wait_for_load_state()
        page.get_by_role("tab", name="TikTok").click()
    expect(alone.get_by_label("Кто увидит")).to_have_value("")
    expect(alone.get_by_label("Описание")).to_have_value("Ока")
    page.goto("/")
    page.wait_for_load_state()

    # What TikTok gets is what was chosen, the user's own texts, and the bytes of the file.
    open_window()
    tab.get_by_label("Название").fill("Закат над Волгой")
    tab.get_by_label("Описание").fill("")
    privacy.select_option("PUBLIC_TO_EVERYONE")
    stitch.check()
    ad.check()
    branded.check()
    press.click()
    close_progress(page)
    published = row(card, "TikTok").get_by_role("link", name="Опубликовано")
    expect(published).to_be_visible(timeout=PUBLISHING_MS)
    [post] = vezde.posts
    assert post["sha256"] == hashlib.sha256(tall.read_bytes()).hexdigest()
    sent = post["facts"]["post_info"]
    assert sent["title"] == "Закат над Волгой"
    assert (sent["privacy_level"], sent["brand_content_toggle"], sent["brand_organic_toggle"]) == (
        "PUBLIC_TO_EVERYONE",
        True,
        False,
    )
    assert [sent[f"disable_{name}"] for name in ("comment", "duet", "stitch")] == [True, True, False]
