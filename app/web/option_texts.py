"""What templates call for publication options: their texts, and what is shown to begin with."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

from app.models import Publication
from app.platforms import options
from app.platforms.options import Condition, Notice
from app.services import asked_options


def facts(publication: Publication) -> list[tuple[str, str]]:
    """What the user chose of the platform's publication options: label, text."""
    return list(options.facts(asked_options.with_texts(publication), publication.options))


def has_options(publication: Publication) -> bool:
    """Whether its platform asks anything about a publication beside its texts."""
    return bool(asked_options.offered(publication.platform))


def holds(condition: Condition, answers: Mapping[str, Any]) -> bool:
    """Whether it holds for answers as they are stored, or as a form sends them. options.js follows every change."""
    name, wanted = condition
    value = answers.get(name, "")
    return (value in (True, "on")) == wanted if isinstance(wanted, bool) else value == wanted


def with_links(notice: Notice) -> Markup:
    """A notice of a platform, its links in their places."""
    link = Markup('<a href="{}" target="_blank" rel="noopener">{}</a>')
    return escape(notice.text).format(*(link.format(address, label) for label, address in notice.links))
