"""HDR posters are tone-mapped: as bright, and as red, as a usual screen shows them."""

from fractions import Fraction

import av
import pytest

from app.media import poster

HLG, PQ = 18, 16


def shown(transfer: int, y: int, u: int = 512, v: int = 512) -> tuple[int, int, int]:
    """Red, green and blue of a picture of one colour: 10 bits, BT.2020."""
    frame = av.VideoFrame(64, 64, "yuv420p10le")
    for plane, value in zip(frame.planes, (y, u, v), strict=True):
        plane.update(value.to_bytes(2, "little") * (plane.buffer_size // 2))
    frame.color_trc, frame.color_primaries, frame.colorspace, frame.color_range = transfer, 9, 9, 1
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    green, blue, red = poster.picture(frame, 64, 64, 0).reformat(format="gbrp").planes
    return bytes(red)[0], bytes(green)[0], bytes(blue)[0]


@pytest.mark.parametrize(("transfer", "white"), [(HLG, 721), (PQ, 573)])
def test_white_of_203_nits_is_light_and_what_is_brighter_still_differs(transfer, white):
    levels = [shown(transfer, y)[1] for y in (64, (64 + white) // 2, white, white + 60)]
    assert levels == sorted(set(levels))
    assert levels[0] < 5 and 150 < levels[2] < 225 and levels[3] < 256


@pytest.mark.parametrize("transfer", [HLG, PQ])
def test_red_stays_red(transfer):
    red, green, blue = shown(transfer, 400, 450, 700)
    assert red > 180 and green < 60 and blue < 90
