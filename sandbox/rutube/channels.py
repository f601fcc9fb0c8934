"""Channels, the owners of videos."""

from dataclasses import dataclass

from sandbox.state import State


@dataclass
class Channel:
    id: str
    name: str


class Channels:
    def __init__(self, state: State) -> None:
        self._state = state
        self._channels = state.table("rutube_channel", Channel)

    def save(self, channel: Channel) -> None:
        with self._state.lock:
            self._channels.put(channel.id, channel)

    def find(self, number: str) -> Channel | None:
        return self._channels.get(number)
