"""Channels: whose video it is."""

from dataclasses import dataclass
from typing import Any

from sandbox.emulator import avatar
from sandbox.world import World


@dataclass
class Channel:
    id: str
    name: str

    def as_author(self) -> dict[str, Any]:
        return {"id": int(self.id), "name": self.name, "avatar_url": avatar(self.name)}

    def as_profile(self) -> dict[str, Any]:
        return {"id": int(self.id), "name": self.name, "avatar": avatar(self.name)}


class Channels:
    def __init__(self, world: World) -> None:
        self._world = world
        self._channels = world.table("rutube_channel", Channel)

    def keep(self, channel: Channel) -> None:
        with self._world.lock:
            self._channels.put(channel.id, channel)

    def find(self, number: str) -> Channel | None:
        return self._channels.get(number)
