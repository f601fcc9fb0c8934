"""YouTube: the contract, and what is peculiar: sessions that are asked, privacy, covers, quotas."""

from tests.platforms import consent
from tests.platforms.contract import Contract

START = r"POST /upload/youtube/v3/videos$"
SEND = r"PUT /upload/youtube/v3/videos$"
LOOK = r"GET /youtube/v3/videos$"
COVER = r"POST /upload/youtube/v3/thumbnails/set$"


class TestYouTube(Contract):
    platform = "youtube"
    calls = (START, SEND, LOOK, COVER)
    upload = SEND
    commit = SEND
    findable = True
    once = (START,)
    removes_drafts = False  # an unfinished session shows nothing and expires by itself
    refusals = {
        "error:invalidTitle": "youtube_title",
        "error:invalidDescription": "youtube_description",
        "error:uploadLimitExceeded": "youtube_upload_limit",
        "error:youtubeSignupRequired": "youtube_no_channel",
        "error:channelClosed": "youtube_channel_closed",
        "status:403": "youtube_forbidden",
    }
    stats_calls = (LOOK,)
    gone_id = "-_________A"

    def connect(self, user):
        return consent.connect(user, "youtube")
