"""«Статистика»: the counts of all publications, as tiles, a chart, tables and a file for a spreadsheet."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.statistics import csv_export, report
from app.statistics.report import PERIODS, Day, Sum

blueprint = Blueprint("statistics", __name__, url_prefix="/stats")

# The chart's own units; the page stretches it.
WIDTH, HEIGHT = 720, 200
_GAP = 0.28  # of a day's width
_WIDEST = 44.0
_STEPS = 4

# A cell that begins so is a formula for a spreadsheet, also as full-width characters.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_PIECE = 16_384  # characters sent at once
_BOM = "\ufeff"  # without it Excel takes UTF-8 for a code page


@dataclass(frozen=True)
class Bar:
    """One day. `x` and `width` are of the bar, `left` and `step` of the day's whole strip."""

    day: Day
    x: float
    y: float
    width: float
    height: float
    left: float
    step: float


@dataclass(frozen=True)
class Chart:
    bars: Sequence[Bar]
    top: int  # what the chart's upper edge stands for
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
    name = f"vezde-stats-{days}.csv"
    return Response(
        stream_with_context(table(csv_export.rows(current_user, days))),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f"attachment; filename={name}", "Cache-Control": "no-store"},
    )


def _period() -> int:
    days = request.args.get("days", type=int)
    return days if days in PERIODS else report.DEFAULT_PERIOD


def without(sum: Sum) -> str:
    """«без Telegram», «без Rutube и части VK»: the platforms that a sum lacks."""
    names = [*sum.without, *(f"части {name}" for name in sum.partly)]
    return "без " + " и ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def chart(days: Sequence[Day]) -> Chart:
    """Views gained by day, as bars."""
    values = [day.gained["views"] for day in days]
    top = round_top(max(values))
    step = WIDTH / len(days)
    bars = []
    for place, (day, value) in enumerate(zip(days, values, strict=True)):
        height = round(HEIGHT * value / top, 2)
        left = place * step
        width = min(step * (1 - _GAP), _WIDEST)
        bars.append(
            Bar(
                day=day,
                x=round(left + (step - width) / 2, 2),
                y=round(HEIGHT - height, 2),
                width=round(width, 2),
                height=height,
                left=round(left, 2),
                step=round(step, 2),
            )
        )
    return Chart(
        bars=bars,
        top=top,
        marks=[top * part // _STEPS for part in range(_STEPS, -1, -1)],
        total=sum(values),
        best=max(days, key=lambda day: day.gained["views"]),
    )


def round_top(value: int) -> int:
    """The next number that four lines divide well: 4, 8, 20, 40, 80, 200, …"""
    if value <= _STEPS:
        return _STEPS
    unit = 10 ** math.floor(math.log10(value / _STEPS))
    return next(top for top in (_STEPS * unit * part for part in (1, 2, 5, 10)) if top >= value)


def table(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """CSV with semicolons and CRLF, as a Russian Excel reads it, in pieces. No cell is a formula."""
    text = io.StringIO()
    text.write(_BOM)
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    for row in rows:
        writer.writerow([_cell(value) for value in row])
        if text.tell() >= _PIECE:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip(" \u00a0").startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
