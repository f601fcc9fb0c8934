import re

import pytest

from app.services import users
from app.web import time_zones

PASSWORD = "parol-parol"


@pytest.fixture
def browser(app):
    """A browser that has not signed in; it sends each form with the form's own token."""
    client = app.test_client()

    def send(path, follow_redirects=False, **data):
        page = client.get(path).text
        token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        return client.post(path, data={"csrf_token": token, **data}, follow_redirects=follow_redirects)

    client.send = send
    return client


def test_sign_up_leads_into_an_empty_studio(browser):
    page = browser.send(
        "/sign-up", True, name="Анна", email="anna@example.org", password=PASSWORD, timezone="Asia/Omsk", consent="y"
    ).text
    assert "Загрузить клип" in page
    for step in ("Загрузите", "Подключите", "Опубликуйте"):
        assert step in page
    assert users.by_email("anna@example.org").timezone == "Asia/Omsk"


def test_sign_up_keeps_what_was_typed_but_not_the_password(browser):
    answer = browser.send("/sign-up", name="Анна", email="anna", password="secret-secret")
    assert answer.status_code == 422
    assert 'value="anna"' in answer.text
    assert 'value="Анна"' in answer.text
    assert "не похоже на почту" in answer.text
    assert "secret-secret" not in answer.text


def test_sign_in_and_out(browser, user):
    user(email="anna@example.org")
    answer = browser.send("/sign-in?next=/settings/profile", email="Anna@example.org", password=PASSWORD)
    assert (answer.status_code, answer.location) == (303, "/settings/profile")
    cookies = answer.headers.getlist("Set-Cookie")
    assert {cookie.partition("=")[0] for cookie in cookies} == {"vezde_session", "vezde_browser"}
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)
    page = browser.get("/settings/profile")
    assert "anna@example.org" in page.text
    assert browser.get("/sign-in").status_code == 303

    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    assert browser.post("/sign-out", data={"csrf_token": token}).location == "/sign-in"
    assert browser.get("/").status_code == 303


def test_a_stranger_reads_what_this_is_first(browser, user):
    for path, form in (("/sign-in", "Войти"), ("/sign-up", "Новый аккаунт")):
        page = browser.get(path).text
        assert page.index("<h1>Один клип — везде</h1>") < page.index(f"<h2>{form}</h2>") < page.index("<form")
        assert "С возвращением" not in page
        for platform in ("VK", "Rutube", "Дзен", "Telegram", "YouTube", "TikTok"):
            assert f"<span>{platform}</span>" in page
    assert browser.get(re.search(r'src="([^"]*clip\.svg[^"]*)"', page)[1]).mimetype == "image/svg+xml"


def test_a_browser_that_was_here_is_welcomed_back(browser, user):
    user(email="anna@example.org")
    browser.send("/sign-in", email="anna@example.org", password=PASSWORD)
    token = browser.get("/settings/profile").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    browser.post("/sign-out", data={"csrf_token": token})
    page = browser.get("/sign-in").text
    assert "<h1>С возвращением</h1>" in page
    assert "Один клип" not in page


def test_a_wrong_password(browser, user):
    user(email="anna@example.org")
    answer = browser.send("/sign-in", email="anna@example.org", password="wrong-wrong")
    assert answer.status_code == 422
    assert "Почта или пароль не подходят." in answer.text
    assert "wrong-wrong" not in answer.text


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\nb", ""])
def test_the_sign_in_does_not_lead_away(browser, user, to):
    user(email="anna@example.org")
    browser.get("/sign-in")
    page = browser.get("/sign-in").text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    data = {"csrf_token": token, "email": "anna@example.org", "password": PASSWORD}
    assert browser.post("/sign-in", query_string={"next": to}, data=data).location == "/"


def test_a_cyrillic_way_back_is_encoded(browser, user):
    user(email="anna@example.org")
    answer = browser.send("/sign-in?next=/клипы", email="anna@example.org", password=PASSWORD)
    assert answer.location == "/%D0%BA%D0%BB%D0%B8%D0%BF%D1%8B"


def test_a_new_password_signs_other_browsers_out(user, sign_in):
    anna = user(email="anna@example.org")
    here, elsewhere = sign_in(anna), sign_in(anna)
    answer = here.post("/settings/password", data={"present": PASSWORD, "new": "new-new-new"})
    assert answer.status_code == 303
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 303


def test_the_present_password_is_asked(user, sign_in):
    answer = sign_in(user()).post("/settings/password", data={"present": "wrong-wrong", "new": "new-new-new"})
    assert answer.status_code == 422
    assert "не ваш нынешний пароль" in answer.text
    assert "new-new-new" not in answer.text


def test_the_profile(user, sign_in):
    anna = user(email="anna@example.org")
    browser = sign_in(anna)
    page = browser.get("/settings/profile").text
    assert "Екатеринбург, Челябинск (UTC+5)" in page
    assert '<option selected value="Europe/Moscow">' in page
    browser.post("/settings/profile", data={"name": "Аня", "timezone": "Asia/Kamchatka"})
    assert "Профиль сохранён." in browser.get("/settings/profile").text
    assert users.by_email("anna@example.org").timezone == "Asia/Kamchatka"
    assert browser.post("/settings/profile", data={"name": "Аня", "timezone": "x"}).status_code == 422


def test_zones_are_grouped_and_old_names_are_kept():
    groups = time_zones.choices("Asia/Calcutta")
    assert groups["Сейчас"] == [("Asia/Calcutta", "Asia/Calcutta (UTC+5:30)")]
    assert groups["Россия"][0][0] == "Europe/Kaliningrad"
    assert dict(groups["Другие"])["America/New_York"].startswith("Нью-Йорк, Соединенные Штаты (UTC−")
    assert "Сейчас" not in time_zones.choices("Europe/Moscow")


def test_names_are_escaped(user, sign_in):
    page = sign_in(user(name="<img src=x>")).get("/").text
    assert "<img src=x>" not in page
    assert "&lt;img src=x&gt;" in page
