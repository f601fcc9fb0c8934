"""Clips' cards as fragments of a page."""

from collections.abc import Sequence

from flask import render_template
from flask_login import current_user
from markupsafe import Markup

from app.models import Clip
from app.services import history


def cards(some: Sequence[Clip], *, oob: bool = True) -> str:
    """Cards as fragments; out of band they replace those that the page shows."""
    by_clip = history.for_clips(current_user, [clip.id for clip in some])
    return Markup("").join(
        Markup(render_template("clips/_card.html", clip=clip, publications=by_clip.get(clip.id, []), oob=oob))
        for clip in some
    )


def removed(clip_ids: Sequence[int]) -> str:
    return Markup("").join(
        Markup('<article id="clip-{}" hx-swap-oob="delete"></article>').format(clip_id) for clip_id in clip_ids
    )
