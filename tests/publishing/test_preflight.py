import re

import pytest

from app.models import Clip
from app.platforms.base import Limits
from app.publishing import preflight

MB = 1_000_000


class _Limited:
    """As much of an adapter as the checks of a file ask for."""

    def __init__(self, **limits) -> None:
        self._limits = Limits(**limits)

    def limits(self, config: dict) -> Limits:
        return self._limits

    def unready(self, config: dict) -> str:
        return ""


def _numbers(sentence: str) -> list[str]:
    return re.findall(r"\d+(?:,\d+)?", sentence)


@pytest.mark.parametrize("limit", [3 * 60, 180.25, 60])
@pytest.mark.parametrize("over", [0.001, 0.04, 0.2, 0.49, 0.5, 1, 400])
def test_a_length_over_the_limit_never_reads_as_the_limit(limit: float, over: float):
    clip = Clip(duration_ms=round((limit + over) * 1000), size=1, frame_rate=2000)
    [problem] = preflight.problems(_Limited(max_seconds=limit), {}, clip)
    is_, may_be = (float(number.replace(",", ".")) for number in _numbers(problem.text))
    assert is_ > may_be and is_ >= limit + over - 0.001


def test_the_length_is_the_pictures_give_or_take_one():
    """Sound that ends later does not count, nor does a last picture that is shown for longer."""
    fits = Clip(duration_ms=181_000, video_duration_ms=180_033, frame_rate=30, size=1)
    assert list(preflight.problems(_Limited(max_seconds=180, min_seconds=1), {}, fits)) == []
    over = Clip(duration_ms=181_000, video_duration_ms=180_067, frame_rate=30, size=1)
    [problem] = preflight.problems(_Limited(max_seconds=180), {}, over)
    assert problem.text == "Клип длится 180,1 с, принимают до 180 с: укоротите его."
    short = Clip(video_duration_ms=2_970, duration_ms=3_100, frame_rate=30, size=1)
    assert list(preflight.problems(_Limited(min_seconds=3), {}, short)) == []


@pytest.mark.parametrize("limit", [50 * MB, 50 << 20, 2000 * MB])
@pytest.mark.parametrize("over", [1, 4_000, 499_999, 500_000, 10 * MB])
def test_a_size_over_the_limit_never_reads_as_the_limit(limit: int, over: int):
    [problem] = preflight.problems(_Limited(max_bytes=limit), {}, Clip(size=limit + over))
    is_, may_be = (float(number.replace(",", ".")) for number in _numbers(problem.text))
    assert is_ > may_be and is_ * MB >= limit + over


def test_whole_numbers_stay_whole():
    [problem] = preflight.problems(_Limited(max_seconds=180), {}, Clip(duration_ms=190_000, size=1))
    assert problem.text == "Клип длится 190 с, принимают до 180 с: укоротите его."


def test_a_clip_that_is_too_short_gets_a_limit_above_its_length():
    [problem] = preflight.problems(_Limited(min_seconds=0.5), {}, Clip(duration_ms=400, size=1))
    assert problem.text == "Клип короче 0,5 с: такие не принимают."
