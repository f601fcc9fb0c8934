"""A rendition before it goes out: what will be changed, how far it is, and how it looks."""

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.utils import redirect

from app.models import RenditionState
from app.problems import NotFound
from app.publishing import recipes
from app.services import clips, renditions
from app.serving import file_response
from app.web import media

blueprint = Blueprint("renditions", __name__)
blueprint.register_error_handler(RequestedRangeNotSatisfiable, lambda error: error)


@blueprint.get("/clips/<int:clip_id>/renditions/choice")
def choice(clip_id: int) -> ResponseReturnValue:
    """What the choice would change; or what became of it, once it was made."""
    account, chosen = request.args.get("account", 0, int), request.args.get("recipe", "")
    clip, recipe = renditions.chosen(current_user, clip_id, account, chosen)
    if made := renditions.find(clip, recipe):
        return redirect(url_for(".page", rendition_id=made.id), 303)
    return render_template("renditions/choice.html", clip=clip, recipe=recipe, account=account, chosen=chosen)


@blueprint.post("/clips/<int:clip_id>/renditions")
def make(clip_id: int) -> ResponseReturnValue:
    form = request.form
    made = renditions.choose(current_user, clip_id, form.get("account", 0, int), form.get("recipe", ""))
    return redirect(url_for(".page", rendition_id=made.id), 303)


@blueprint.get("/renditions/<int:rendition_id>")
def page(rendition_id: int) -> ResponseReturnValue:
    made = renditions.get(current_user, rendition_id)
    clip = clips.get(current_user, made.clip_id)
    template = "renditions/_state.html" if request.htmx else "renditions/page.html"
    return render_template(template, made=made, clip=clip, recipe=recipes.from_row(made.recipe))


@blueprint.get("/media/renditions/<int:rendition_id>/video")
def video(rendition_id: int) -> Response:
    """The file, for its owner; Range, HEAD and conditional requests work, as with the clip's own."""
    made = renditions.get(current_user, rendition_id)
    if made.state != RenditionState.READY:
        raise NotFound
    response = file_response.send(made.storage_key, made.content_type, made.size)
    if "download" in request.args:
        clip = clips.get(current_user, made.clip_id)
        response.headers["Content-Disposition"] = media.attachment(clip, made.extension)
    return file_response.forbid_execution(response)
