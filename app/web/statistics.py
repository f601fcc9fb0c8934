"""«Статистика»: the counts of all publications, as tiles, a chart, tables and a file for a spreadsheet."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from flask import Blueprint, Response, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.services import tables
from app.statistics import csv_export, report
from app.statistics.report import PERIODS, Day, Sum

blueprint = Blueprint("statistics", __name__, url_prefix="/stats")

# The chart's own units; the page stretches it.
WIDTH, HEIGHT = 720, 200
_GAP = 0.28  # of a day's width
_WIDEST = 44.0
_STEPS = 4


class Bar(NamedTuple):
    day: Day
    left: float  # of the day's whole strip
    x: float
    y: float
    height: float


class Chart(NamedTuple):
    bars: Sequence[Bar]
    step: float  # from one day to the next
    width: float  # of a bar
    marks: Sequence[int]  # values of the lines, the highest first
    total: int
    best: Day


@blueprint.get("/")
def page() -> ResponseReturnValue:
    days = _period()
    shown = report.report(current_user, days, request.args.get("page", 1, int))
    return render_template(
        "statistics/page.html",
        report=shown,
        period=days,
        periods=PERIODS,
        chart=chart(shown.days),
        width=WIDTH,
        height=HEIGHT,
        without=without,
    )


@blueprint.get("/stats.csv")
def export() -> Response:
    days = _period()
    response = Response(stream_with_context(tables.write(csv_export.rows(current_user, days))), mimetype="text/csv")
    response.headers["Content-Disposition"] = f"attachment; filename=vezde-stats-{days}.csv"
    return response


def _period() -> int:
    days = request.args.get("days", type=int)
    return days if days in PERIODS else report.DEFAULT_PERIOD


def without(sum: Sum) -> str:
    """«без Telegram», «без Rutube и части VK»: the platforms that a sum lacks."""
    names = [*sum.without, *(f"части {name}" for name in sum.partly)]
    return "без " + " и ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def chart(days: Sequence[Day]) -> Chart:
    """Views gained by day, as bars."""
    best = max(days, key=lambda day: day.gained["views"])
    top = round_top(best.gained["views"])  # what the chart's upper edge stands for
    step = WIDTH / len(days)
    width = min(step * (1 - _GAP), _WIDEST)
    bars = []
    for place, day in enumerate(days):
        left, height = place * step, round(HEIGHT * day.gained["views"] / top, 2)
        bars.append(Bar(day, round(left, 2), round(left + (step - width) / 2, 2), round(HEIGHT - height, 2), height))
    marks = [top * part // _STEPS for part in range(_STEPS, -1, -1)]
    total = sum(day.gained["views"] for day in days)
    return Chart(bars, round(step, 2), round(width, 2), marks, total, best)


def round_top(value: int) -> int:
    """The next number that four lines divide well: 4, 8, 20, 40, 80, 200, …"""
    if value <= _STEPS:
        return _STEPS
    unit = 10 ** math.floor(math.log10(value / _STEPS))
    return next(top for top in (_STEPS * unit * part for part in (1, 2, 5, 10)) if top >= value)
