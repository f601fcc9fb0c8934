"""Connections that find their host, connect, and are watched within the deadline of the call."""

import socket
from contextlib import suppress

from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family

from app.outgoing.deadline import current, within

CONNECT_SECONDS = 10


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name. Raises socket.gaierror, UnicodeError, or TimeoutError by the deadline."""
    deadline = current()
    seconds = min(CONNECT_SECONDS, deadline.left()) if deadline else CONNECT_SECONDS
    ask = (host.strip("[]"), port, allowed_gai_family(), socket.SOCK_STREAM)
    found = within(seconds, lambda: socket.getaddrinfo(*ask))
    return list(dict.fromkeys(address[0] for *_, address in found))


def connect(host: str, port: int, seconds: float = CONNECT_SECONDS) -> socket.socket:
    """To one of the addresses of a name, watched by the deadline, which there must be. Raises OSError.

    `seconds`: for each address, and from then on the socket's time-out.
    """
    deadline = current()
    error: OSError | None = None
    for address in resolve(host, port):
        try:
            connected = socket.create_connection((address, port), min(seconds, deadline.left()))
        except OSError as failure:
            error = failure
            continue
        connected.settimeout(seconds)
        deadline.watch(connected)
        return connected
    raise error or OSError("the name has no address")


class WatchedConnection:
    """Before a connection class of urllib3's: the deadline of the call watches its socket."""

    def _new_conn(self) -> socket.socket:
        if (deadline := current()) is None:
            return super()._new_conn()
        left = deadline.left()
        self.timeout = left if self.timeout is None else min(self.timeout, left)
        connected = super()._new_conn()
        deadline.watch(connected)
        return connected

    def request(self, method, url, body=None, *args, **kwargs) -> None:
        if self.sock is not None and (deadline := current()):  # of an earlier call
            deadline.watch(self.sock)
        super().request(method, url, body, *args, **kwargs)


class ResolvingConnection:
    """Before WatchedConnection: finds the addresses of a name within the deadline, and tries each."""

    def check_addresses(self, addresses: list[str]) -> None:
        """For connections that may not go everywhere: raises where it may not go to one of them."""

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        try:
            found = resolve(name, self.port)
        except (socket.gaierror, UnicodeError, TimeoutError) as error:
            raise NameResolutionError(self.host, self, error) from None
        self.check_addresses(found)
        try:
            for self._dns_host in found[:-1]:
                with suppress(NewConnectionError, ConnectTimeoutError):  # the name has more addresses
                    return super()._new_conn()
            self._dns_host = found[-1]
            return super()._new_conn()
        finally:
            self._dns_host = name
