"""«Вернуть запланированное»: what a disconnection or a smaller plan has cancelled."""

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.models import PlatformConnection
from app.problems import Problem
from app.services import connections, withheld
from app.services.withheld import Returned
from app.web import responses
from app.web.filters import plural

blueprint = Blueprint("withheld", __name__, url_prefix="/withheld")

MOST_SHOWN = 5

blueprint.add_app_template_global(lambda: withheld.offers(current_user), "withheld_offers")


@blueprint.get("")
def page() -> ResponseReturnValue:
    account = _account()
    offers = [one for one in withheld.offers(current_user) if account is None or one.connection_id == account.id]
    return responses.dialog(
        "withheld/_bring_back.html",
        heading="Вернуть запланированное",
        account=account,
        count=sum(one.count for one in offers),
        gone=sum(one.past for one in offers),
        publications=withheld.waiting(current_user, account and account.id, MOST_SHOWN),
    )


@blueprint.post("/return")
def bring_back() -> ResponseReturnValue:
    account = _account()
    try:
        returned = withheld.bring_back(current_user, account and account.id)
    except Problem as problem:
        return responses.refused(problem.text, 422, url_for("publications.page"))
    if not returned.refused:
        return _settled(_said(returned))
    return responses.reloading(
        responses.dialog("withheld/_returned.html", heading="Вернули не всё", returned=returned, said=_said(returned))
    )


@blueprint.post("/dismiss")
def dismiss() -> ResponseReturnValue:
    account = _account()
    withheld.dismiss(current_user, account and account.id)
    return _settled("Хорошо, отменённое не возвращаем.")


def _account() -> PlatformConnection | None:
    """The account that the request is about; None: all of them."""
    connection_id = request.values.get("account", type=int)
    return connections.get(current_user, connection_id) if connection_id else None


def _said(returned: Returned) -> str:
    of = ("публикация снова запланирована", "публикации снова запланированы", "публикаций снова запланированы")
    said = f"{plural(len(returned.made), *of)}."
    if returned.past:
        said += f" {plural(returned.past, 'уже прошла', 'уже прошли', 'уже прошли')}."
    return said


def _settled(text: str) -> Response:
    return responses.reloading(responses.done(text, url_for("publications.page")))
