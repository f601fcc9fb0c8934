"""What the rules do with a clip that is ready, each once; and what a person decides about those that are held.

A run is written in the transaction of its publications. Whoever acts for a user has `lock_plan`: two at once, a worker
and a person, are one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import select

from app import clock, texts
from app.db import db
from app.models import (
    UNDO_TIME,
    WITH_DELETED,
    Clip,
    Publication,
    Render,
    Rule,
    RuleCheck,
    RuleRun,
    RunState,
    User,
    lock_plan,
    record_event,
)
from app.problems import NotFound, Problem
from app.services import publications, rule_checks, rule_plans, rule_texts, rule_times, rules, when_parsing
from app.services.drafts import Item
from app.services.rule_plans import Obstacle, Plan, Wanted
from app.services.rule_times import Pressure
from app.services.when_parsing import When

log = structlog.get_logger(__name__)


def apply(check: RuleCheck) -> None:
    """Applies the rules to the clip of a check that was claimed, and deletes the check."""
    if db.session.get(User, check.user_id) is None:
        return
    user = lock_plan(check.user_id)
    mine = select(RuleCheck).where(RuleCheck.id == check.id, RuleCheck.tries == check.tries).with_for_update()
    row = db.session.scalar(mine.execution_options(populate_existing=True))
    if row is None:
        return  # another worker has it, or was faster
    found = select(Clip).where(Clip.id == row.clip_id, Clip.user_id == user.id)
    clip = db.session.scalar(found.execution_options(populate_existing=True, **WITH_DELETED))
    if clip is not None and clip.deleted_at:  # it may be taken back
        row.wake_at, row.tries = clock.now() + UNDO_TIME, 0
        return
    db.session.delete(row)
    if clip is None:
        return
    if check.tries > rule_checks.MAX_TRIES:
        log.error("the rules could not be applied", clip=clip.id)
        _tell_of_clip(user, clip, Problem("rules_failed"))
        return
    _apply(user, clip, check)


def _apply(user: User, clip: Clip, check: RuleCheck) -> None:
    announced = select(Render).where(Render.clip_id == clip.id, Render.user_id == user.id).with_for_update()
    render = db.session.scalar(announced.execution_options(populate_existing=True))
    if render:
        render.settled_at = clock.now()
        if render.cancelled_at:
            return
    if render and render.names_rule:
        _apply_named(user, clip, check, render)
        return
    matching = [one for one in rules.all_of(user) if _is_on(user, one) and one.enabled_at <= check.ready_at]
    matching = [one for one in matching if rule_texts.matches(one, clip)]
    for rule in matching:
        _run(user, rule, clip, check, _when(render))
    if render and render.when and not matching:
        _tell_of_clip(user, clip, Problem("no_rule_matches"))


def _apply_named(user: User, clip: Clip, check: RuleCheck, render: Render) -> None:
    try:
        rule = rules.get(user, render.rule_id or 0)
    except NotFound:
        _tell_of_clip(user, clip, Problem("named_rule_gone"))
        return
    _run(user, rule, clip, check, _when(render))


def _is_on(user: User, rule: Rule) -> bool:
    return rule.enabled and user.rules_paused_at is None


def _when(render: Render | None) -> When | None:
    return when_parsing.read(render.when) if render and render.when else None


def _run(user: User, rule: Rule, clip: Clip, check: RuleCheck, when: When | None) -> None:
    """All of it or nothing: a clip that does not fit on one of the accounts is held."""
    if db.session.scalar(select(RuleRun.id).where(RuleRun.rule_id == rule.id, RuleRun.clip_id == clip.id)):
        return
    run = RuleRun(
        user_id=user.id,
        rule_id=rule.id,
        rule_name=rule.name,
        clip_id=clip.id,
        clip_title=clip.title,
        ready_at=check.ready_at,
    )
    under = rule_times.pressure(user, rule) if rule.daily_limit else None
    [plan] = rule_plans.of(user, rule, [Wanted(clip, check.ready_at, when)], under=under, lock=True)
    if plan.is_done:
        run.state = RunState.SKIPPED
    elif not _is_on(user, rule):
        _hold(run, [Obstacle.of(Problem("rule_off"))])
    elif plan.obstacles:
        _hold(run, plan.obstacles)
    elif rule.needs_approval:
        _hold(run, [Obstacle.of(Problem("needs_approval"))])
    else:
        _publish(user, run, plan)
    db.session.add(run)
    db.session.flush()
    if run.state == RunState.HELD:
        _tell(user, run)


class _Refused(Exception):
    """Ends the savepoint: nothing of it is made."""

    def __init__(self, obstacles: Sequence[Obstacle]) -> None:
        self.obstacles = obstacles


def _publish(user: User, run: RuleRun, plan: Plan) -> None:
    try:
        with db.session.begin_nested():
            made, refused = _make(user, plan.items)
            if refused:
                raise _Refused(refused)
    except _Refused as refusal:
        _hold(run, refusal.obstacles)
    else:
        _settle(run, RunState.PUBLISHED, plan, made)


def _make(user: User, items: Sequence[Item]) -> tuple[list[Publication], list[Obstacle]]:
    """Those that are made, and why others are not; what is there already is neither."""
    results = publications.publish_many(user, items)
    refused = []
    for result in results:
        if isinstance(result, NotFound):
            refused.append(Obstacle.of(Problem("account_disconnected")))
        elif isinstance(result, Problem) and result.code not in rule_plans.ALREADY:
            refused.append(Obstacle.of(result))
    return [one for one in results if isinstance(one, Publication)], refused


def _hold(run: RuleRun, obstacles: Sequence[Obstacle]) -> None:
    run.state, run.reason = RunState.HELD, obstacles[0].code
    run.problems = [one.stored() for one in obstacles]


def _settle(run: RuleRun, state: RunState, plan: Plan, made: Sequence[Publication]) -> None:
    run.state, run.reason, run.problems = state, None, []
    run.publication_ids = [one.id for one in made]
    run.due_at = (plan.time and plan.time.due_at) or clock.now()


def _tell(user: User, run: RuleRun) -> None:
    """By an event, from which a notification is made."""
    why = " ".join(obstacle.text for obstacle in obstacles_of(run))
    facts = {"title": run.clip_title, "rule": run.rule_name, "why": why, "run": run.id, "reason": run.reason}
    record_event(user.id, "clip.held", facts, clip_id=run.clip_id)


def _tell_of_clip(user: User, clip: Clip, problem: Problem) -> None:
    """There is no run that could be released."""
    record_event(user.id, "clip.not_published", {"title": clip.title, "why": problem.text}, clip_id=clip.id)


def obstacles_of(run: RuleRun) -> list[Obstacle]:
    """Why it is held, or what was left out when it was released."""
    return [Obstacle(one["label"], one["code"], one["params"]) for one in run.problems if one["code"] in texts.PROBLEMS]


# What a person decides


@dataclass(frozen=True)
class Released:
    run: RuleRun
    made: Sequence[Publication]
    left_out: Sequence[Obstacle]


def get_held(user: User, run_id: int) -> RuleRun:
    """Raises NotFound; Problem where it is decided already."""
    run = get(user, run_id)
    if run.state != RunState.HELD:
        raise Problem("run_settled")
    return run


def get(user: User, run_id: int) -> RuleRun:
    """Raises NotFound, for another user's too, and where its clip is gone."""
    run = db.session.scalar(
        select(RuleRun)
        .join(Clip, Clip.id == RuleRun.clip_id)
        .where(RuleRun.id == run_id, RuleRun.user_id == user.id)
        .execution_options(populate_existing=True)
    )
    if run is None:
        raise NotFound
    return run


def release(user: User, run_id: int) -> Released:
    """«Выпустить»: on all accounts where it is possible, whatever the limit of a day. Raises NotFound, Problem."""
    user = lock_plan(user.id)
    run = get_held(user, run_id)
    plan = plans_of(user, [run], lock=True).get(run.id)
    if plan is None:
        raise NotFound
    if plan.is_done:
        run.state, run.reason, run.problems = RunState.SKIPPED, None, []
        run.settled_at = clock.now()
        return Released(run, [], [])
    if not plan.fitting:
        raise Problem("run_fits_nowhere", why=" ".join(obstacle.text for obstacle in plan.obstacles))
    made, refused = _make(user, plan.fitting)
    left_out = [*plan.obstacles, *refused]
    _settle(run, RunState.RELEASED, plan, made)
    run.problems, run.settled_at = [one.stored() for one in left_out], clock.now()
    db.session.flush()
    return Released(run, made, left_out)


def reject(user: User, run_id: int) -> RuleRun:
    """«Не выпускать». Raises NotFound, Problem."""
    user = lock_plan(user.id)
    run = get_held(user, run_id)
    run.state, run.settled_at = RunState.REJECTED, clock.now()
    db.session.flush()
    return run


def plans_of(user: User, runs: Sequence[RuleRun], *, lock: bool = False) -> dict[int, Plan]:
    """What would go out if they were released now, by the rules as they are now; without those whose clip or rule is
    gone. As many queries for many clips of a rule as for one.
    """
    ids = [run.clip_id for run in runs]
    clips = {one.id: one for one in db.session.scalars(select(Clip).where(Clip.user_id == user.id, Clip.id.in_(ids)))}
    found = select(Render).where(Render.user_id == user.id, Render.clip_id.in_(ids))
    whens_of = {one.clip_id: _when(one) for one in db.session.scalars(found)}
    plans: dict[int, Plan] = {}
    for rule in rules.all_of(user):
        of_rule = [run for run in runs if run.rule_id == rule.id and run.clip_id in clips]
        if of_rule:
            wanted = [Wanted(clips[run.clip_id], run.ready_at, whens_of.get(run.clip_id)) for run in of_rule]
            made = rule_plans.of(user, rule, wanted, by_person=True, under=Pressure(), lock=lock)
            plans |= {run.id: plan for run, plan in zip(of_rule, made, strict=True)}
    return plans
