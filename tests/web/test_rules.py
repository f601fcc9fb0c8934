"""«Автопубликация»: the rules' page, the form of one, the dry run, and what waits for a decision."""

import re

import pytest

from app.db import commit, db
from app.models import Publication, Rule, RuleRun, RunState, Status
from app.services import account_sets, rule_journal, rules, slots
from tests.asking import asked
from tests.services.ruling import apply_rules, listen, made, make_rule

HTMX = {"HX-Request": "true"}
FORM = {"name": "Ферма", "where": "accounts", "when": "now", "title_template": "{title}", "text_template": "{text}"}


@pytest.fixture
def account(owner, telegram):
    return telegram(owner)


def rule() -> Rule:
    db.session.rollback()
    return db.session.query(Rule).one()


def test_a_rule_is_made_by_a_plain_form_and_changed(web, owner, account):
    assert "Правил пока нет" in web.get("/settings/rules").text
    page = web.get("/settings/rules/new").text
    assert 'name="name"' in page and "Везде: демо" in page
    answer = web.post("/settings/rules/new", data=FORM | {"connection": account.id, "daily_limit": "3"})
    assert answer.status_code == 303
    assert (rule().name, rule().connection_ids, rule().daily_limit) == ("Ферма", [account.id], 3)
    shown = web.get("/settings/rules").text
    assert "Ферма" in shown and "не больше 3 клипов в день" in shown.replace("\xa0", " ")
    changed = FORM | {"connection": account.id, "name": "Студия", "when": "after", "after_minutes": "45"}
    web.post(f"/settings/rules/{rule().id}/edit", data=changed | {"needs_approval": "on"})
    assert (rule().name, rule().when_kind, rule().after_minutes) == ("Студия", "after", 45)
    assert rule().needs_approval and rule().daily_limit is None
    page = web.get(f"/settings/rules/{rule().id}/edit").text
    assert 'value="45"' in page and 'value="Студия"' in page


def test_nothing_typed_is_lost_and_what_is_wrong_stands_at_its_field(web, owner, account):
    typed = FORM | {"title_template": "{заголовок}", "text_template": "Мой текст", "name_pattern": "рилс_*"}
    answer = web.post("/settings/rules/new", data=typed | {"daily_limit": "много", "connection": account.id})
    assert answer.status_code == 422
    for text in ("{заголовок}", "Мой текст", "рилс_*", "много", "подставить нечего"):
        assert text in answer.text
    assert re.search(rf'value="{account.id}" checked', answer.text)
    assert re.search(r'id="title_template"[^>]*aria-invalid="true"', answer.text)
    answer = web.post("/settings/rules/new", data=FORM | {"daily_limit": "много", "connection": account.id})
    assert answer.status_code == 422 and re.search(r'id="daily_limit"[^>]*aria-invalid="true"', answer.text)
    assert db.session.query(Rule).count() == 0


def test_a_set_and_its_slots(web, owner, account):
    one = account_sets.save(owner, "Основные", [account.id])
    commit()
    form = FORM | {"where": one.id, "when": "slot"}
    assert "нет слотов" in web.post("/settings/rules/new", data=form).text
    slots.add(owner, one.id, [0], [600])
    commit()
    assert web.post("/settings/rules/new", data=form).status_code == 303
    shown = web.get("/settings/rules").text
    assert "Набор «Основные»" in shown and "в ближайший свободный слот" in shown
    assert web.post("/settings/rules/new", data=FORM | {"where": one.id + 1}).status_code == 404
    assert "В него публикуют правила: «Ферма»" in web.get(f"/settings/sets/{one.id}/delete").text


def test_a_dry_run_of_what_is_typed_with_and_without_a_script(web, owner, account, ready_clip):
    ready_clip(owner, title="Закат <b>")
    form = FORM | {"name": "", "connection": account.id, "title_template": "Новое: {title}"}
    page = web.post("/settings/rules/new/dry-run", data=form)
    assert page.status_code == 200
    assert "Новое: Закат &lt;b&gt;" in page.text and 'value="Новое: {title}"' in page.text
    fragment = web.post("/settings/rules/new/dry-run", data=form, headers=HTMX)
    assert "Новое: Закат" in fragment.text and "<html" not in fragment.text
    refused = web.post("/settings/rules/new/dry-run", data=form | {"title_template": "{"}, headers=HTMX)
    assert refused.status_code == 422 and "Фигурные скобки" in refused.text
    kept = make_rule(owner, account)
    assert web.post(f"/settings/rules/{kept.id}/dry-run", data=form).status_code == 200
    assert db.session.query(Publication).count() == db.session.query(RuleRun).count() == 0


def test_switches_and_order(web, owner, account):
    first, second = make_rule(owner, account, name="Первое"), make_rule(owner, account, name="Второе")
    answer = web.post(f"/settings/rules/{first.id}/off", headers=HTMX)
    assert 'id="rules"' in answer.text and "Выключено" in answer.text
    web.post(f"/settings/rules/{second.id}/up")
    db.session.rollback()
    assert [(one.name, one.enabled) for one in rules.all_of(owner)] == [("Второе", True), ("Первое", False)]
    web.post(f"/settings/rules/{second.id}/down")
    web.post(f"/settings/rules/{first.id}/on")
    db.session.rollback()
    assert [(one.name, one.enabled) for one in rules.all_of(owner)] == [("Первое", True), ("Второе", True)]
    web.post("/settings/rules/all-off")
    page = web.get("/settings/rules").text
    assert "ни одно правило не действует" in page and "Автопубликация выключена" in page
    web.post("/settings/rules/all-on")
    assert "ни одно правило не действует" not in web.get("/settings/rules").text


# What waits


@pytest.fixture
def waiting(owner, account, ready_clip):
    listen()
    make_rule(owner, account, needs_approval=True, name="С утверждением")
    some = [ready_clip(owner, title=title) for title in ("Первый", "Второй", "Третий")]
    apply_rules()
    return some


def test_what_waits_is_shown_and_decided(web, owner, account, waiting):
    assert "Ждут вашего решения" in web.get("/").text
    page = web.get("/settings/rules/approvals").text
    for clip in waiting:
        assert clip.title in page
    first, second, third = (run.id for run in rule_journal.held_page(owner).rows)
    web.post("/settings/rules/approvals/release", data={"one": first, "run": [second, third]})
    assert [len(made(clip)) for clip in waiting] == [1, 0, 0], "its own button is for one, whatever is ticked"
    web.post("/settings/rules/approvals/release", data={"run": [second]})
    web.post("/settings/rules/approvals/reject", data={"run": [first, third, 10**9]})
    assert [len(made(clip)) for clip in waiting] == [1, 1, 0]
    states = [run.state for run in db.session.query(RuleRun).order_by(RuleRun.id)]
    assert states == [RunState.RELEASED, RunState.RELEASED, RunState.REJECTED]
    assert "Ничего не ждёт" in web.get("/settings/rules/approvals").text
    assert "Ждут вашего решения" not in web.get("/").text
    history = web.get("/settings/rules").text
    assert "выпущен вами" in history and "не выпущен" in history and 'href="/publications/' in history


def test_one_that_fits_nowhere_does_not_keep_back_the_others(web, owner, account, waiting):
    waiting[0].container = "avi"
    waiting[0].duration_ms, waiting[0].size = 1000, 10**12
    commit()
    runs = [run.id for run in rule_journal.held_page(owner).rows]
    web.post("/settings/rules/approvals/release", data={"run": runs})
    assert [len(made(clip)) for clip in waiting] == [0, 1, 1]
    page = web.get("/settings/rules/approvals").text
    assert "1 клип" not in page and "клипа вышли или запланированы. Выпустить пока нельзя." in page.replace("\xa0", " ")
    assert waiting[0].title in page and "Пока выпускать некуда" in page


def test_a_stranger_decides_nothing(owner, user, sign_in, waiting):
    other = sign_in(user())
    run_id = rule_journal.held_page(owner).rows[0].id
    for act in ("release", "reject"):
        other.post(f"/settings/rules/approvals/{act}", data={"one": run_id})
    assert rule_journal.held_count(owner) == 3 and made(waiting[0]) == []


def test_a_rule_is_deleted_after_a_look_at_what_waits(web, owner, waiting):
    rule_id = rule().id
    assert "ждут клипы: 3" in web.get(f"/settings/rules/{rule_id}/delete").text
    web.post(f"/settings/rules/{rule_id}/delete")
    db.session.rollback()
    assert db.session.query(Rule).count() == 0 and rule_journal.held_count(owner) == 0
    assert "(удалено)" in web.get("/settings/rules").text


def test_the_history_names_what_has_become_of_each(web, owner, account, ready_clip):
    listen()
    make_rule(owner, account, name="Сразу")
    clip = ready_clip(owner, title="Закат")
    apply_rules()
    [one] = made(clip)
    one.status = Status.PUBLISHED
    commit()
    shown = web.get("/settings/rules").text
    assert f'href="/publications/{one.id}"' in shown and "опубликовано" in shown and "Закат" in shown


def test_the_pages_ask_as_often_for_many_as_for_one(web, owner, account, ready_clip):
    listen()
    make_rule(owner, account, needs_approval=True)
    make_rule(owner, account, name="И сразу", name_pattern="закат*")
    counts = []
    for number in range(4):
        ready_clip(owner, title=f"Закат {number}")
        apply_rules()
        with asked() as found:
            for path in ("/settings/rules", "/settings/rules/approvals"):
                assert web.get(path).status_code == 200
        counts.append(len(found))
    assert counts[0] == counts[-1], counts
