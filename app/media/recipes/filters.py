"""The filters between decoder and encoder: only those that a clip needs, none where it fits as it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from av.error import BlockingIOError, EOFError
from av.filter import Graph

from app.media.recipes.picture import BT709, FULL, LIMITED, UNSPECIFIED, Picture
from app.media.recipes.recipe import Blur, Crop, Recipe

_FORMAT = "yuv420p"
# The background is blurred where it is small: that looks the same and takes a tenth of the time.
_BLUR_SCALE = 6
_BLUR_SIGMA = 6


@dataclass(frozen=True)
class Step:
    name: str
    args: str


def size(picture: Picture, recipe: Recipe) -> tuple[int, int]:
    """Of the result, in even pixels."""
    if recipe.width and recipe.height:
        return recipe.width, recipe.height
    width, height = (recipe.frame.w, recipe.frame.h) if isinstance(recipe.frame, Crop) else picture.shown
    return max(2, width // 2 * 2), max(2, height // 2 * 2)


def steps(picture: Picture, recipe: Recipe) -> list[Step]:
    """In their order, for all but the blurred background, which is no chain."""
    found = []
    if picture.is_interlaced:
        found.append(Step("bwdif", "mode=send_frame:deint=interlaced"))
    slower = recipe.fps is not None and picture.rate is not None and Fraction(recipe.fps) < picture.rate
    rate = [Step("fps", f"fps={recipe.fps}:start_time=0:round=near")] if recipe.fps else []
    found += rate if slower else []
    if picture.has_alpha:  # shown on black, as players show it
        found += [Step("format", "pix_fmts=yuva444p"), Step("premultiply", "inplace=1")]
    shape = picture.width, picture.height
    if isinstance(recipe.frame, Crop):
        crop = picture.turn.stored(recipe.frame, *picture.shown)
        crop = _in_stored_pixels(crop, picture)
        found.append(Step("crop", f"{crop.w}:{crop.h}:{crop.x}:{crop.y}:exact=1"))
        shape = crop.w, crop.h
    found += _scaling(picture, shape, _upright(picture, _inner_size(picture, recipe)))
    found += _turning(picture)
    found += [] if slower else rate
    return found


def _inner_size(picture: Picture, recipe: Recipe) -> tuple[int, int]:
    """Of the picture itself, without the background around it."""
    width, height = size(picture, recipe)
    if not isinstance(recipe.frame, Blur):
        return width, height
    shown = picture.shown
    factor = min(Fraction(width, shown[0]), Fraction(height, shown[1]))
    fitted = (round(side * factor) // 2 * 2 for side in shown)
    inner_width, inner_height = (max(2, side) for side in fitted)
    return min(inner_width, width), min(inner_height, height)


def _upright(picture: Picture, shape: tuple[int, int]) -> tuple[int, int]:
    return shape[::-1] if picture.turn.transposed else shape


def _in_stored_pixels(crop: Crop, picture: Picture) -> Crop:
    """Pixels that are not square are narrower or wider in the file than shown."""
    x, w = round(crop.x / picture.aspect), round(crop.w / picture.aspect)
    w, h = min(w, picture.width), min(crop.h, picture.height)
    return Crop(max(0, min(x, picture.width - w)), max(0, min(crop.y, picture.height - h)), w, h)


def _scaling(picture: Picture, shape: tuple[int, int], wanted: tuple[int, int]) -> list[Step]:
    """Size, pixel format and colours in one step."""
    is_bt709 = not picture.is_sd and not picture.is_hdr and picture.matrix in (BT709, UNSPECIFIED)
    if is_bt709 and picture.range != FULL and shape == wanted and picture.format == _FORMAT:
        return []
    colours = ["out_transfer=bt709", "out_primaries=bt709", "intent=perceptual"] if picture.is_hdr else []
    matrix = "in_color_matrix=bt709:" if picture.matrix == UNSPECIFIED and not picture.is_sd else ""
    args = f"{wanted[0]}:{wanted[1]}:flags=bicubic:{matrix}out_color_matrix=bt709:out_range=tv"
    return [Step("scale", ":".join([args, *colours])), Step("format", f"pix_fmts={_FORMAT}")]


def _turning(picture: Picture) -> list[Step]:
    turn = picture.turn
    if turn.transposed:
        return [Step("transpose", str(turn.left_right + 2 * turn.upside_down))]
    return [Step("hflip", "")] * turn.left_right + [Step("vflip", "")] * turn.upside_down


class Filters:
    """Frames in, frames out. `picture` is what the decoder gives; other shapes on the way are scaled to it."""

    def __init__(self, picture: Picture, recipe: Recipe) -> None:
        self._picture = picture
        chain = steps(picture, recipe)
        blur = isinstance(recipe.frame, Blur) and _inner_size(picture, recipe) != size(picture, recipe)
        self._graph = self._source = self._sink = None
        if chain or blur:
            self._build(chain, size(picture, recipe) if blur else None)

    def _build(self, chain: list[Step], background: tuple[int, int] | None) -> None:
        picture, self._graph = self._picture, Graph()
        graph = self._graph
        matrix = {} if picture.matrix == UNSPECIFIED else {"colorspace": str(picture.matrix)}
        pixel_range = {LIMITED: {"range": "tv"}, FULL: {"range": "pc"}}.get(picture.range, {})
        self._source = graph.add(
            "buffer",
            video_size=f"{picture.width}x{picture.height}",
            pix_fmt=picture.format,
            time_base=str(picture.time_base),
            pixel_aspect="1/1",
            **matrix,
            **pixel_range,
        )
        last = self._source
        for step in chain:
            last = _linked(last, graph.add(step.name, step.args or None))
        if background:
            last = self._on_background(last, *background)
        self._sink = _linked(_linked(last, graph.add("setsar", "1")), graph.add("buffersink"))
        graph.configure()

    def _on_background(self, last: Any, width: int, height: int) -> Any:
        graph = self._graph
        split = _linked(last, graph.add("split", "2"))
        small = [max(2, side // _BLUR_SCALE // 2 * 2) for side in (width, height)]
        cover = f"{small[0]}:{small[1]}:force_original_aspect_ratio=increase:flags=area"
        behind = graph.add("scale", cover)
        split.link_to(behind, 0, 0)
        for name, args in (
            ("crop", f"{small[0]}:{small[1]}"),
            ("gblur", f"sigma={_BLUR_SIGMA}"),
            ("scale", f"{width}:{height}:flags=bilinear"),
            ("format", f"pix_fmts={_FORMAT}"),
        ):
            behind = _linked(behind, graph.add(name, args))
        overlay = graph.add("overlay", "(W-w)/2:(H-h)/2:format=yuv420")
        behind.link_to(overlay, 0, 0)
        split.link_to(overlay, 1, 1)
        return overlay

    def push(self, frame: Any | None) -> Iterator[Any]:
        """What comes out after one more frame, or after the last (None)."""
        if self._graph is None:
            if frame is not None:
                yield self._fitting(frame)
            return
        self._source.push(None if frame is None else self._fitting(frame))
        while True:
            try:
                yield self._sink.pull()
            except (BlockingIOError, EOFError):
                return

    def _fitting(self, frame: Any) -> Any:
        picture = self._picture
        if (frame.width, frame.height, frame.format.name) == (picture.width, picture.height, picture.format):
            return frame
        return frame.reformat(picture.width, picture.height, picture.format)


def _linked(first: Any, second: Any) -> Any:
    first.link_to(second)
    return second
