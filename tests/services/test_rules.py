"""A rule as it is written: what it means, what it says, what is refused; and what it would do, without doing it."""

import pytest

from app import clock
from app.db import commit, db
from app.models import Publication, Rule, RuleRun, WhenKind
from app.problems import Problem
from app.services import account_sets, rule_dry_runs, rule_texts, rules, slots
from app.services.rules import Wish
from tests.services.ruling import make_rule


@pytest.fixture
def account(owner, telegram):
    return telegram(owner)


@pytest.mark.parametrize(
    ("pattern", "name", "like"),
    [
        ("*", "", True),
        ("", "", True),
        ("ёлка*", "ЕЛКА в лесу.mp4", True),
        ("*лес*", "Ёлка в лесу", True),
        ("?лка", "Ёлка", True),
        ("лес", "лесу", False),
        ("а*б*в", "абабаб", False),
        ("а*б*в", "абабабв", True),
        ("[а-я]", "а", False),
        ("[а-я].+", "[а-я].+", True),
        ("*a" * 40, "a" * 200 + "b", False),  # a regular expression would not return
    ],
)
def test_patterns_of_names(pattern, name, like):
    assert rule_texts.is_like(pattern, name) is like


def test_what_is_put_into_a_template_is_no_template():
    given = {"title": "{text} {0.__class__} %s", "text": "секрет"}
    assert rule_texts.fill("{title} — {title}", given) == "{text} {0.__class__} %s — {text} {0.__class__} %s"


@pytest.mark.parametrize(
    ("wish", "field", "code"),
    [
        ({"name": " "}, "name", "rule_name_missing"),
        ({"name": "я" * 61}, "name", "rule_name_too_long"),
        ({"source": "fax"}, "source", "rule_source_unknown"),
        ({"source_name": "я" * 65}, "source_name", "rule_source_name_too_long"),
        ({"name_pattern": "я" * 101}, "name_pattern", "rule_pattern_too_long"),
        ({"connection_ids": []}, "where", "rule_accounts_missing"),
        ({"title_template": " "}, "title_template", "rule_title_missing"),
        ({"title_template": "{заголовок}"}, "title_template", "template_field_unknown"),
        ({"title_template": "{0.__class__}"}, "title_template", "template_field_unknown"),
        ({"text_template": "{title"}, "text_template", "template_brace_alone"),
        ({"text_template": "{{title}}"}, "text_template", "template_brace_alone"),
        ({"text_template": "я" * 5001}, "text_template", "clip_description_too_long"),
        ({"when_kind": "at"}, "when", "when_malformed"),
        ({"when_kind": "after"}, "after_minutes", "when_minutes_malformed"),
        ({"when_kind": "after", "after_minutes": 4}, "after_minutes", "when_minutes_malformed"),
        ({"when_kind": "slot"}, "when", "rule_slot_needs_set"),
        ({"daily_limit": 0}, "daily_limit", "rule_daily_limit_malformed"),
        ({"daily_limit": 51}, "daily_limit", "rule_daily_limit_malformed"),
    ],
)
def test_what_is_refused_and_where(owner, account, wish, field, code):
    with pytest.raises(Problem) as refusal:
        rules.save(owner, Wish(**({"name": "Правило", "connection_ids": [account.id]} | wish)))
    assert (refusal.value.field, refusal.value.code) == (field, code)
    assert refusal.value.text
    db.session.rollback()
    assert db.session.query(Rule).count() == 0


def test_a_set_without_slots_has_no_queue(owner, account):
    one = account_sets.save(owner, "Набор", [account.id])
    with pytest.raises(Problem, match="rule_set_without_slots"):
        rules.save(owner, Wish("Правило", account_set_id=one.id, when_kind="slot"))


def test_rules_are_changed_and_put_in_order(owner, account):
    first, second = make_rule(owner, account, name="Первое"), make_rule(owner, account, name="Второе")
    rules.move(owner, second.id, -1)
    commit()
    assert [one.name for one in rules.all_of(owner)] == ["Второе", "Первое"]
    one = account_sets.save(owner, "Набор", [account.id])
    rules.save(owner, Wish("Иначе", account_set_id=one.id, daily_limit=3), first.id)
    commit()
    changed = rules.get(owner, first.id)
    assert (changed.name, changed.account_set_id, changed.members, changed.daily_limit) == ("Иначе", one.id, [], 3)
    assert rules.accounts_of(owner, changed) == [account]


def test_there_are_not_endlessly_many(owner, account):
    for number in range(rules.MAX_RULES):
        db.session.add(Rule(user_id=owner.id, name=str(number), title_template="{title}", text_template=""))
    commit()
    with pytest.raises(Problem, match="too_many_rules"):
        rules.save(owner, Wish("Лишнее", connection_ids=[account.id]))


# The dry run


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(owner, account, ready_clip):
    some = [ready_clip(owner, title=title) for title in ("Закат", "Рассвет", "Закат над морем")]
    rule = rules.build(owner, Wish("Ещё не сохранено", connection_ids=[account.id], name_pattern="закат*"))
    newest, other, oldest = rule_dry_runs.lines(owner, rule)
    assert [newest.clip, other.clip, oldest.clip] == some[::-1]
    assert other.plan is None
    assert [draft.title for draft in newest.plan.drafts] == ["Закат над морем"] and not newest.plan.obstacles
    commit()
    assert not any(db.session.query(model).count() for model in (Rule, RuleRun, Publication))


def test_a_dry_run_shows_the_slots_one_after_the_other_and_what_does_not_fit(owner, account, ready_clip):
    one = account_sets.save(owner, "Набор", [account.id])
    slots.add(owner, one.id, range(7), [600])
    commit()
    for number in range(2):
        ready_clip(owner, title=f"Клип {number}")
    rule = rules.build(owner, Wish("Слоты", account_set_id=one.id, when_kind=WhenKind.SLOT, text_template="я" * 5000))
    newest, oldest = rule_dry_runs.lines(owner, rule)
    free = [slot.due_at for slot in slots.next_free(owner, one.id, 2)]
    assert [oldest.plan.time.due_at, newest.plan.time.due_at] == free
    assert [obstacle.code for obstacle in newest.plan.obstacles] == ["text_too_long"]


def test_a_dry_run_counts_the_limit_by_the_days_on_which_clips_came(owner, account, ready_clip):
    today = ready_clip(owner, title="Один"), ready_clip(owner, title="Два")
    for clip in today:
        clip.created_at = clock.now().replace(hour=9)
    commit()
    rule = rules.build(owner, Wish("Предел", connection_ids=[account.id], daily_limit=1))
    newest, oldest = rule_dry_runs.lines(owner, rule)
    assert not oldest.plan.obstacles and [one.code for one in newest.plan.obstacles] == ["rule_daily_limit"]


def test_a_dry_run_looks_at_what_is_published_as_if_it_was_new(owner, account, ready_clip):
    from app.services import publications
    from app.services.drafts import Choice

    clip = ready_clip(owner)
    publications.publish(owner, clip.id, [Choice(account.id, clip.title, "")])
    commit()
    [line] = rule_dry_runs.lines(owner, rules.build(owner, Wish("Правило", connection_ids=[account.id])))
    assert len(line.plan.drafts) == 1 and not line.plan.obstacles
