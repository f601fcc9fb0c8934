"""What TikTok finds wrong with a file once it has all of it:
https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide
"""

from pathlib import Path

import av

FORMATS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
CODECS = {"h264", "hevc", "vp8", "vp9"}
RATES = (23, 60)
SIDES = (360, 4096)
MIN_SECONDS, MAX_SECONDS = 3, 600
# Encoders round: a clip of three seconds may have a frame less.
TOLERANCE = 0.05


def failure(file: Path, max_seconds: float) -> str:
    """The `fail_reason`; empty for a file that is accepted. `max_seconds`: the creator's own limit."""
    try:
        with av.open(str(file)) as container:
            video = container.streams.video[0]
            name = video.codec_context.name.removeprefix("lib").replace("vpx-", "").replace("vpx", "vp8")
            known = container.format.name in FORMATS and name in CODECS
            seconds = (container.duration or 0) / av.time_base
            rate = float(video.average_rate or 0)
            sides = video.codec_context.width, video.codec_context.height
    except (av.FFmpegError, IndexError):
        return "file_format_check_failed"
    if not known:
        return "file_format_check_failed"
    if not MIN_SECONDS - TOLERANCE <= seconds <= min(max_seconds, MAX_SECONDS) + TOLERANCE:
        return "duration_check_failed"
    if not RATES[0] <= round(rate, 2) <= RATES[1]:
        return "frame_rate_check_failed"
    if not all(SIDES[0] <= side <= SIDES[1] for side in sides):
        return "picture_size_check_failed"
    return ""
