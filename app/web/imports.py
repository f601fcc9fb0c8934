"""«По ссылке»: clips that are fetched from an address, begun here and shown above the list of clips."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup

from app.db import db
from app.models import ClipImport
from app.problems import Problem
from app.services import clips, imports
from app.web import clip_cards, responses
from app.web.access import address_of
from app.web.input_guard import row_id

blueprint = Blueprint("imports", __name__, url_prefix="/imports")

MAX_AT_ONCE = 20


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    """One address a line. All are begun or none, and what was typed stays where one is refused."""
    typed = request.form.get("urls", "")
    problem, wrong = None, None
    if request.method == "POST":
        lines = [line.strip() for line in typed.splitlines() if line.strip()]
        try:
            if not lines:
                raise Problem("import_url_missing", "urls")
            if len(lines) > MAX_AT_ONCE:
                raise Problem("import_urls_too_many", "urls", max=MAX_AT_ONCE)
            for wrong in lines:
                imports.start(current_user, wrong)
            text = "Загружаем по ссылке." if len(lines) == 1 else f"Загружаем по ссылкам: {len(lines)}."
            return responses.done(text, url_for("clips.page"), section())
        except Problem as refusal:
            db.session.rollback()
            problem = refusal
            wrong = wrong if len(lines) > 1 else None
    return responses.dialog("imports/_new.html", typed=typed, problem=problem, wrong=wrong, heading="Клип по ссылке")


@blueprint.post("/<int:clip_import_id>/cancel")
def cancel(clip_import_id: int) -> ResponseReturnValue:
    imports.cancel(current_user, clip_import_id)
    return responses.done("Загрузка отменена.", url_for("clips.page"), section())


@blueprint.post("/<int:clip_import_id>/retry")
def retry(clip_import_id: int) -> ResponseReturnValue:
    imports.retry(current_user, clip_import_id)
    return responses.done("Загружаем ещё раз.", url_for("clips.page"), section())


@blueprint.post("/<int:clip_import_id>/dismiss")
def dismiss(clip_import_id: int) -> ResponseReturnValue:
    imports.dismiss(current_user, clip_import_id)
    return responses.done("Убрано.", url_for("clips.page"), section())


def context() -> dict[str, Any]:
    """What `imports/_imports.html` shows."""
    shown = imports.shown(current_user)
    return {"imports": shown, "version": version(shown)}


def section() -> Markup:
    """For a response to a page with the list: what is being fetched, as it is now."""
    return _section(**context()) if clip_cards.shown().has_list else Markup()


def changes(known: str) -> list[Markup]:
    """What the page's poll brings: the section where it has changed, and the cards of clips that have arrived."""
    now = context()
    if known == now["version"]:
        return []
    before = [row_id(part.partition(":")[0]) for part in known.split(",") if part[:1].isdigit()][: imports.MAX_SHOWN]
    over = set(before) - {one.id for one in now["imports"]}
    arrived = imports.arrived(current_user, sorted(over)) if over and _shows_newest() else ()
    cards = (clip_cards.cards([clips.get(current_user, clip_id)], oob=False) for clip_id in arrived)
    added = [Markup('<div hx-swap-oob="afterbegin:#clips">{}</div>').format(card) for card in cards]
    return [_section(**now), *added]


def version(shown: Sequence[ClipImport]) -> str:
    """What the page shows of them: ids, states and percents."""
    return ",".join(f"{one.id}:{one.state}:{one.received * 100 // (one.size or 1)}:{one.tries}" for one in shown)


def _section(**context: Any) -> Markup:
    return Markup(render_template("imports/_imports.html", oob=True, **context))


def _shows_newest() -> bool:
    """A new card has its place on top only of the unfiltered list."""
    return not parse_qs(address_of(request.htmx.current_url).query).keys() - {"clip"}
