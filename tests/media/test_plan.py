"""What platforms need of clips, and what is offered: from facts alone."""

import re
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest

from app.media.recipes import plan, recipe
from app.media.recipes.recipe import Blur, Crop, Encode, Recipe
from app.platforms.base import Limits
from app.platforms.telegram.adapter import Telegram
from app.texts import renditions as texts

MB = 1_000_000


@dataclass(frozen=True)
class Clip:
    size: int = 30 * MB
    container: str | None = "mp4"
    video_codec: str | None = "h264"
    audio_codec: str | None = "aac"
    duration_ms: int | None = 60_000
    width: int | None = 1080
    height: int | None = 1920
    frame_rate: float | None = 30.0
    is_variable_rate: bool | None = False
    bit_depth: int | None = 8
    transfer: str | None = "bt709"
    video_bit_rate: int | None = 4_000_000
    video_duration_ms: int | None = 60_000
    moov_in_front: bool | None = True
    is_fragmented: bool | None = False


CLIP = Clip()
OLD = replace(
    CLIP,
    **dict.fromkeys(("frame_rate", "is_variable_rate", "bit_depth", "transfer", "video_bit_rate", "video_duration_ms")),
    moov_in_front=None,
    is_fragmented=None,
)
TELEGRAM = Telegram.limits({"TELEGRAM_MAX_MB": 50})
ONLY_MP4 = Limits(containers=frozenset({"mp4"}), video_codecs=frozenset({"h264"}), audio_codecs=frozenset({"aac"}))
RATES = Limits(min_fps=23, max_fps=60, min_side=360, max_side=4096)
LIMITS = (TELEGRAM, ONLY_MP4, RATES, Limits(max_seconds=30, vertical_or_square=True), Limits(max_bytes=5 * MB))


@pytest.mark.parametrize(
    ("limits", "changed", "audio"),
    [
        (TELEGRAM, {}, None),
        (TELEGRAM, {"moov_in_front": False}, "copy"),
        (TELEGRAM, {"moov_in_front": False, "video_codec": "av1"}, "copy"),
        (TELEGRAM, {"is_fragmented": True}, "copy"),
        (TELEGRAM, {"audio_codec": None}, "silent"),
        (TELEGRAM, {"audio_codec": None, "video_codec": "av1"}, None),
        (TELEGRAM, {"container": "mov", "video_codec": "hevc", "moov_in_front": False}, "copy"),
        (TELEGRAM, {"container": "webm", "video_codec": "vp9", "audio_codec": "opus", "moov_in_front": None}, None),
        (ONLY_MP4, {"moov_in_front": False}, None),
        (ONLY_MP4, {"container": "mkv", "moov_in_front": None}, "copy"),
        (ONLY_MP4, {"container": "ts", "audio_codec": None, "moov_in_front": None}, "none"),
        (ONLY_MP4, {"container": "3gp"}, "copy"),
        (ONLY_MP4, {"container": "mov", "video_codec": "hevc"}, None),
        (ONLY_MP4, {"container": "avi"}, None),
        (Limits(), {"container": "avi"}, None),
    ],
)
def test_what_is_done_without_asking(limits, changed, audio):
    wanted = plan.lossless(replace(CLIP, **changed), limits)
    assert wanted == (None if audio is None else Recipe(audio=audio))


def test_clips_of_before_need_nothing():
    for limits in (TELEGRAM, ONLY_MP4, RATES):
        assert plan.lossless(OLD, limits) is None and plan.offers(OLD, limits) == []


def only(clip, limits):
    (offer,) = plan.offers(clip, limits)
    return offer


def kinds(offer):
    return [change.kind for change in offer.changes]


def test_what_fits_is_offered_nothing():
    for limits in (*LIMITS[:3], Limits(max_seconds=60, vertical_or_square=True)):
        assert plan.offers(CLIP, limits) == []


def test_a_size_that_fits():
    offer = only(replace(CLIP, size=100 * MB, duration_ms=180_000, video_duration_ms=180_000), TELEGRAM)
    assert (offer.recipe.width, offer.recipe.height, offer.recipe.max_bytes) == (720, 1280, 50 * MB)
    assert offer.estimate.bytes <= 50 * MB and kinds(offer) == ["size", "scale"]
    assert re.fullmatch(r"сожмём до 49\xa0МБ, 1080×1920 → 720×1280, (около|меньше)\s.*мин.*", texts.offer(offer))


def test_no_picture_is_left_of_twelve_hours():
    assert (
        plan.offers(replace(CLIP, size=5000 * MB, duration_ms=43_200_000, video_duration_ms=43_200_000), TELEGRAM) == []
    )


def test_length_is_judged_with_a_tolerance_of_one_frame():
    limits = Limits(max_seconds=60)
    assert plan.offers(replace(CLIP, video_duration_ms=60_030), limits) == []
    offer = only(replace(CLIP, video_duration_ms=65_000), limits)
    assert (offer.recipe.start_ms, offer.recipe.end_ms) == (None, 60_000) and offer.recipe.audio == "aac"
    assert texts.offer(offer).startswith("оставим первые 1:00, ")
    # Only the sound is longer.
    assert plan.offers(replace(CLIP, duration_ms=65_000), limits) == []


def test_the_user_chooses_the_span_and_the_frame():
    wide = replace(CLIP, width=1920, height=1080)
    limits = Limits(max_seconds=30, vertical_or_square=True)
    chosen = plan.fitting(wide, limits, start_ms=5_500, end_ms=50_000, frame=plan.middle(wide, 0.0))
    assert (chosen.start_ms, chosen.end_ms) == (5_500, 35_500)
    assert chosen.frame == Crop(0, 0, 608, 1080) and (chosen.width, chosen.height) == (608, 1080)
    changed = list(plan.changes(wide, chosen))
    assert texts.lossless(changed[:1]) == "возьмём отрезок 0:05,5–0:35,5"
    assert plan.fitting(wide, limits, start_ms=61_000) is None


def test_a_wide_picture_becomes_vertical_in_two_ways():
    wide = replace(CLIP, width=1280, height=720)
    blurred, cropped = plan.offers(wide, Limits(vertical_or_square=True))
    assert isinstance(blurred.recipe.frame, Blur) and isinstance(cropped.recipe.frame, Crop)
    for offer in (blurred, cropped):
        assert offer.estimate.width / offer.estimate.height == pytest.approx(9 / 16, abs=0.005)
    assert cropped.recipe.frame.x == (1280 - cropped.recipe.frame.w) // 2


@pytest.mark.parametrize(
    ("rate", "variable", "wanted"),
    [(12.0, False, "30"), (22.9, True, "30"), (23.976, False, None), (59.94, False, None), (60.02, False, None)]
    + [(120.0, False, "60"), (24.2, True, None), (None, None, None)],
)
def test_a_rate_within_the_platforms(rate, variable, wanted):
    found = plan.offers(replace(CLIP, frame_rate=rate, is_variable_rate=variable), RATES)
    assert [offer.recipe.fps for offer in found] == ([wanted] if wanted else [])


def test_sides_within_the_platforms():
    small, large = replace(CLIP, width=270, height=480), replace(CLIP, width=2400, height=4320)
    assert (only(small, RATES).recipe.width, only(small, RATES).recipe.height) == (360, 640)
    assert (only(large, RATES).recipe.width, only(large, RATES).recipe.height) == (1080, 1944)


def test_what_a_platform_does_not_play_becomes_h264():
    phone = replace(
        CLIP, container="mov", video_codec="hevc", bit_depth=10, transfer="arib-std-b67", width=2160, height=3840
    )
    offer = only(phone, ONLY_MP4)
    assert offer.recipe.tone_map and offer.recipe.audio == "copy" and kinds(offer) == ["scale", "format", "tone_map"]
    assert only(replace(CLIP, bit_depth=10), ONLY_MP4).recipe.video == Encode()


def test_the_picture_is_not_encoded_for_the_sound_alone():
    offer = only(replace(CLIP, container="mkv", audio_codec="opus"), ONLY_MP4)
    assert offer.recipe == Recipe(audio="aac") and not offer.recipe.is_lossless
    assert texts.offer(offer).startswith("переложим в MP4: картинка останется как есть, звук сохраним как AAC, ")
    assert only(replace(CLIP, audio_codec="opus", bit_depth=10), ONLY_MP4).recipe.video == Encode()


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("shape", [(1920, 1080), (1080, 1920), (333, 777), (4320, 7680), (640, 640), (3, 5000)])
@pytest.mark.parametrize("seconds", [1, 59, 7_200])
def test_whatever_is_offered_is_a_recipe_that_fits(limits, shape, seconds):
    clip = replace(
        CLIP,
        size=900 * MB,
        container="webm",
        video_codec="vp9",
        width=shape[0],
        height=shape[1],
        frame_rate=240.0,
        duration_ms=seconds * 1000,
        video_duration_ms=seconds * 1000,
    )
    for offer in plan.offers(clip, limits):
        made, expected = offer.recipe, offer.estimate
        assert Recipe.from_json(made.to_json()) == made and not made.is_lossless
        assert limits.max_bytes is None or expected.bytes <= limits.max_bytes
        assert expected.seconds > 0 and expected.width % 2 == expected.height % 2 == 0
        assert not limits.vertical_or_square or expected.width <= expected.height
        assert not limits.max_fps or float(Fraction(made.fps)) <= limits.max_fps
        assert texts.offer(offer)


def test_a_recipe_is_found_by_its_key():
    one = Recipe(video=Encode(), frame=Crop(0, 2, 4, 6), start_ms=0, end_ms=5, fps="30000/1001", max_bytes=7)
    assert Recipe.from_json(one.to_json()) == one and Recipe.from_json(one.to_json()).key == one.key
    assert len({one.key, replace(one, fps=None).key, replace(one, frame=None).key, Recipe().key}) == 4
    assert Recipe().is_lossless and Recipe(audio="silent").is_lossless and not one.is_lossless


@pytest.mark.parametrize(
    "how",
    [{"fps": "30"}, {"max_bytes": 5}, {"start_ms": 5}, {"tone_map": True}, {"frame": Blur()}]
    + [{"video": Encode(), "width": 3, "height": 4}, {"video": Encode(), "width": 4}, {"video": Encode(), "fps": "-1"}]
    + [{"video": Encode(), "frame": Blur()}],
)
def test_what_is_no_recipe(how):
    with pytest.raises(ValueError):
        Recipe(**how)


def test_sentences():
    assert [texts.duration(seconds) for seconds in (3, 30, 60, 130, 1270, 7000)] == [
        "несколько секунд",
        "меньше минуты",
        "около минуты",
        "около\xa02 минут",
        "около\xa021 минуты",
        "около\xa02 часов",
    ]
    assert [texts.size(count) for count in (1, 450_000, 9_950_001, 48_000_001)] == [
        "0,1\xa0МБ",
        "0,5\xa0МБ",
        "10\xa0МБ",
        "49\xa0МБ",
    ]
    silent = replace(CLIP, audio_codec=None, container="mov")
    assert texts.lossless(plan.changes(silent, plan.lossless(silent, TELEGRAM))) == (
        "переложим в MP4 без потерь, добавим беззвучную дорожку"
    )


def test_every_reason_says_what_to_do():
    for what, advice in recipe.REASONS.values():
        assert what and not what.endswith(".") and advice.endswith(".")
