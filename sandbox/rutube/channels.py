"""Channels: whose video it is."""

from dataclasses import dataclass

from sandbox.state import World


@dataclass
class Channel:
    id: str
    name: str


class Channels:
    def __init__(self, world: World) -> None:
        self._world = world
        self._channels = world.table("rutube_channel", Channel)

    def keep(self, channel: Channel) -> None:
        with self._world.lock:
            self._channels.put(channel.id, channel)

    def find(self, number: str) -> Channel | None:
        return self._channels.get(number)
