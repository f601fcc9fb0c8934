"""How many calls of one kind a platform takes a day of a whole installation, all its users together."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.platforms.http.client import Window

# The longest day that a zone can have: the night in which clocks are set back.
LONGEST_DAY = timedelta(hours=25)


@dataclass(frozen=True)
class DailyQuota:
    """At most `limit` calls for everything that shares `key`, from midnight to midnight in `zone`."""

    key: str
    limit: int
    zone: str

    def ends_at(self, now: datetime) -> datetime:
        """The next midnight, in UTC."""
        local = now.astimezone(ZoneInfo(self.zone))
        midnight = datetime.combine(local.date() + timedelta(days=1), time(), local.tzinfo)
        return midnight.astimezone(now.tzinfo)

    def window(self, now: datetime) -> Window:
        """Today's, for the pacer: its key is the day's own, so that it is empty again from midnight on."""
        day = now.astimezone(ZoneInfo(self.zone)).date()
        return Window(f"{self.key}:{day}", self.limit, LONGEST_DAY.total_seconds())
