from app.services import users


def test_the_four_plans_and_mine(user, sign_in):
    page = sign_in(user(plan="start")).get("/plans").text
    for title in ("Free", "Start", "Pro", "Business"):
        assert f">{title}</h2>" in page
    assert page.count("Ваш тариф") == 1
    assert "напишите администратору" in page
    assert "Выбрать" not in page


def test_outside_the_demo_users_cannot_change_their_plan(user, sign_in):
    anna = user(plan="free", email="anna@example.org")
    assert sign_in(anna).post("/plans/business").status_code == 403
    assert users.by_email("anna@example.org").plan_key == "free"


def test_in_the_demo_a_button_does(app, user, sign_in):
    app.config["DEMO"] = True
    browser = sign_in(user(plan="free", email="anna@example.org"))
    assert browser.get("/plans").text.count("Выбрать</button>") == 3
    assert browser.post("/plans/pro").location == "/plans"
    assert "Теперь у вас тариф Pro." in browser.get("/plans").text
    assert "/plans?to=connect" not in browser.get("/").text, "the plan has platforms"
    assert browser.post("/plans/gold", headers={"HX-Request": "true"}).status_code == 422


def test_a_new_user_is_led_from_the_first_page_to_the_accounts(app, user, sign_in):
    app.config["DEMO"] = True
    browser = sign_in(user(plan="free"))
    assert 'href="/plans?to=connect"' in browser.get("/").text
    assert '<input type="hidden" name="to" value="connect">' in browser.get("/plans?to=connect").text
    assert browser.post("/plans/pro", data={"to": "connect"}).location == "/settings/integrations"
