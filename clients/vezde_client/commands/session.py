"""What every command has: its output, and the API with the key that was given."""

from argparse import Namespace
from functools import cached_property
from typing import Any

from vezde_client import destinations, settings, when
from vezde_client.api import Api
from vezde_client.errors import WrongUsage
from vezde_client.output import Output
from vezde_client.publishing import Deadline


class Session:
    def __init__(self, output: Output, patience: float) -> None:
        self.output, self.patience = output, patience

    @cached_property
    def api(self) -> Api:
        return self.api_of(settings.load())

    def api_of(self, login: settings.Login) -> Api:
        return Api(login.url, login.key, self.patience, self.output.notice)

    @property
    def zone(self) -> str:
        return self.api.me["timezone"]

    def when(self, asked: Namespace) -> dict[str, Any]:
        """Of --at, --in, --slot; now without them."""
        if asked.at is not None:
            return when.at(asked.at, self.zone)
        if asked.after is not None:
            return when.after(asked.after)
        if asked.slot is not None:
            named = asked.slot or getattr(asked, "set", None)
            if not named:
                raise WrongUsage("--slot: назовите набор: --slot НАБОР или --set НАБОР.")
            return when.slot(destinations.account_set(self.api, named)["id"])
        return when.NOW


def deadline(asked: Namespace) -> Deadline:
    return Deadline(asked.timeout)
