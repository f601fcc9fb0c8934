"""«Настройки → Входящие вебхуки»: addresses for other programs, how their calls are read, what they sent last."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.db import db
from app.models import IncomingHook
from app.problems import Problem
from app.services import hook_requests, incoming_hooks
from app.services.incoming_hooks import DEFAULTS, FIELDS, Shown
from app.web import responses
from app.web.access import reads

blueprint = Blueprint("hooks", __name__, url_prefix="/settings/hooks")

# Of each field: its label, and what may stand there.
LABELS = {
    "url": ("Ссылка на файл", "обязательно"),
    "title": ("Название", ""),
    "text": ("Описание", ""),
    "id": ("Свой номер клипа", "повтор с тем же номером второго клипа не сделает"),
    "rule": ("Номер правила", "из «Автопубликации»"),
    "when": ("Когда публиковать", "now или время с поясом"),
    "sha256": ("SHA-256 файла", "сверим после загрузки"),
}


@blueprint.get("")
def page() -> ResponseReturnValue:
    hooks = incoming_hooks.all_of(current_user)
    return render_template("hooks/page.html", hooks=hooks, deliveries=incoming_hooks.deliveries(current_user))


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    return _edit(None)


@blueprint.route("/<int:hook_id>/edit", methods=["GET", "POST"])
def edit(hook_id: int) -> ResponseReturnValue:
    return _edit(incoming_hooks.get(current_user, hook_id))


@blueprint.post("/new/try")
@reads
def try_new() -> ResponseReturnValue:
    return _edit(None, is_trial=True)


@blueprint.post("/<int:hook_id>/edit/try")
@reads
def try_edited(hook_id: int) -> ResponseReturnValue:
    return _edit(incoming_hooks.get(current_user, hook_id), is_trial=True)


@blueprint.route("/<int:hook_id>/renew", methods=["GET", "POST"])
def renew(hook_id: int) -> ResponseReturnValue:
    hook = incoming_hooks.get(current_user, hook_id)
    if request.method == "POST":
        return _shown(incoming_hooks.renew(current_user, hook_id, signed="signed" in request.form))
    return responses.dialog("hooks/_renew.html", hook=hook, heading="Новый адрес вебхука")


@blueprint.route("/<int:hook_id>/delete", methods=["GET", "POST"])
def delete(hook_id: int) -> ResponseReturnValue:
    hook = incoming_hooks.get(current_user, hook_id)
    if request.method == "POST":
        incoming_hooks.remove(current_user, hook_id)
        responses.flash("Вебхук удалён: его адрес больше не работает.", "ok")
        return responses.go(url_for(".page"))
    return responses.dialog("hooks/_delete.html", hook=hook, heading="Удаление вебхука")


def _edit(hook: IncomingHook | None, *, is_trial: bool = False) -> ResponseReturnValue:
    """Name and mapping; a trial reads the example by them, and saves nothing."""
    before = request.form if request.method == "POST" else hook.mapping if hook else DEFAULTS
    typed: dict[str, Any] = {
        "name": request.form.get("name", hook.name if hook else ""),
        "mapping": {name: before.get(name, "") for name in FIELDS},
        "sample": request.form.get("sample", ""),
        "signed": "signed" in request.form,
    }
    problem, found = None, None
    if request.method == "POST":
        try:
            if is_trial:
                mapping = {name: path for name, path in typed["mapping"].items() if path.strip()}
                found = hook_requests.read(mapping, typed["sample"].encode())
            elif hook is None:
                signed = typed["signed"]
                return _shown(incoming_hooks.create(current_user, typed["name"], typed["mapping"], signed=signed))
            else:
                incoming_hooks.edit(current_user, hook.id, typed["name"], typed["mapping"])
                responses.flash("Вебхук сохранён.", "ok")
                return responses.go(url_for(".page"))
        except Problem as refusal:
            db.session.rollback()
            problem = refusal
    return responses.dialog(
        "hooks/_edit.html",
        **typed,
        hook_id=hook.id if hook else None,
        labels=LABELS,
        problem=problem,
        found=found,
        is_trial=is_trial,
        heading="Вебхук",
    )


def _example(mapping: Mapping[str, str]) -> dict[str, Any]:
    """A body that the mapping reads; a list stands for itself by its numbers as names."""
    body: dict[str, Any] = {}
    for name, value in (("url", "https://example.ru/clip.mp4"), ("title", "Название клипа"), ("id", "render-1")):
        *parents, last = mapping.get(name, "").split(".")
        inner: Any = body
        for parent in parents:
            inner = inner.setdefault(parent, {}) if isinstance(inner, dict) else None
        if last and isinstance(inner, dict):
            inner.setdefault(last, value)
    return body


def _shown(shown: Shown) -> Response:
    """The only time that the address is shown. The page behind loads its contents anew."""
    address = current_app.config["PUBLIC_URL"] + url_for("hooks_in.receive", key=shown.key)
    example = json.dumps(_example(shown.hook.mapping), ensure_ascii=False)
    context = {"shown": shown, "address": address, "example": example}
    response = responses.dialog("hooks/_shown.html", **context, heading="Адрес вебхука")
    return responses.reloading(response) if request.htmx else response
