"""gunicorn's threaded worker, whose threads serve requests and do not wait for clients.

The poller receives each head and small body, and sends what a client has not taken yet. A thread waits for a client in
two cases: for the rest of a large body, and for room when a response is generated faster than it is read. It has left
its place to another request by then; how many may wait is bounded, and a least rate bounds for how long.
"""

import errno
import resource
import selectors
import socket
import threading
import time
from collections import deque
from concurrent import futures
from functools import partial
from urllib.parse import urlsplit

from gunicorn import http
from gunicorn.workers.gthread import ThreadWorker

from app.server.connection import KIB, Connection, Meter, TooSlow

# Threads that may wait for clients, beside `threads` that serve. app.serving.transfers refuses before they are used up.
TRANSFERS = 48
# A request's response that waits for its reader takes no thread, but a descriptor or two.
MOST_UNREAD_PER_OWNER = 24
_DESCRIPTORS = 16_384
_OTHER_DESCRIPTORS = 256  # the database's, the log's, files that are being written


class Worker(ThreadWorker):
    """The deadlines and rates are class attributes, so that a test can use shorter ones."""

    HEAD_SECONDS = 15.0
    BODY_SECONDS = 45.0  # 64 KiB at 1.5 kB/s
    LEAST_RATE = 1 * KIB  # bytes a second; a poor mobile connection has 20 times that
    UPLOAD_WINDOW = 30.0  # an interruption may last as long
    DOWNLOAD_WINDOW = 60.0  # nginx's send_timeout; a player that is paused for longer asks for the rest by Range
    LINGER_SECONDS = 5.0

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._polled: dict[Connection, None] = {}  # those in the poller's hands, in the order in which they came there
        self._ready: deque[Connection] = deque()
        self._places = self.cfg.threads
        self._transfers = 0
        self._lock = threading.Lock()
        self._swept = time.monotonic()
        self._most = _raise_descriptors()
        self.worker_connections = self._most + 1  # at the limit old connections are closed; accepting never stops

    def get_thread_pool(self) -> futures.ThreadPoolExecutor:
        return futures.ThreadPoolExecutor(max_workers=self.cfg.threads + TRANSFERS)

    # A connection's life, in the poller

    def accept(self, listener: socket.socket) -> None:
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._evict()
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                raise
            return
        if self.nr_conns >= self._most:
            self._evict()
        self.nr_conns += 1
        connection = Connection(client, address, self._leave_place)
        connection.parser = http.get_parser(self.cfg, connection, address)
        self._await_request(connection, self.HEAD_SECONDS)

    def _await_request(self, connection: Connection, seconds: float) -> None:
        meters = (Meter(self.LEAST_RATE, window) for window in (self.UPLOAD_WINDOW, self.DOWNLOAD_WINDOW))
        connection.next_request(*meters)
        if connection.is_ready():
            self.enqueue_req(connection)
        else:
            if connection.begun:
                seconds = self.HEAD_SECONDS
            self._poll(connection, selectors.EVENT_READ, self._on_request, seconds)

    def _on_request(self, connection: Connection) -> None:
        begun, had_head = connection.begun, connection.needed is not None
        if not connection.receive():
            self._close(connection)
        elif connection.is_ready():
            self._unpoll(connection)
            self.enqueue_req(connection)
        elif not begun:
            connection.deadline = time.monotonic() + self.HEAD_SECONDS
        elif connection.needed is not None and not had_head:
            connection.deadline = time.monotonic() + self.BODY_SECONDS

    def _on_writable(self, connection: Connection) -> None:
        connection.flush(rounds=1)
        if not connection.unsent:
            self._unpoll(connection)
            self._after_response(connection)

    def _on_lingering(self, connection: Connection) -> None:
        if not connection.drop():
            self._close(connection)

    def _after_response(self, connection: Connection) -> None:
        if connection.unsent:
            self._make_room_for(connection.owner)
            self._poll(connection, selectors.EVENT_WRITE, self._on_writable, float("inf"))
        elif connection.keep:
            self._await_request(connection, self.cfg.keepalive)
        else:
            # RFC 9112, 9.6: closing at once, with data of the client unread, could take the response from it.
            connection.socket.shutdown(socket.SHUT_WR)
            self._poll(connection, selectors.EVENT_READ, self._on_lingering, self.LINGER_SECONDS)

    def _poll(self, connection: Connection, events: int, callback, seconds: float) -> None:
        connection.deadline = time.monotonic() + seconds
        self._polled[connection] = None
        self.poller.register(connection.socket, events, partial(self._on_event, connection, callback))

    def _unpoll(self, connection: Connection) -> None:
        self.poller.unregister(connection.socket)
        del self._polled[connection]

    def _on_event(self, connection: Connection, callback, _socket) -> None:
        if connection not in self._polled:
            return  # closed by an event before this one
        try:
            callback(connection)
        except OSError:  # the client is gone
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        if connection in self._polled:
            self._unpoll(connection)
        self.nr_conns -= 1
        connection.close()

    # Bounds

    def _evict(self) -> None:
        """Closes what has been waiting for its client the longest: rather one that asks than one that is being read."""
        oldest = next((one for one in self._polled if not one.unsent), next(iter(self._polled), None))
        if oldest:
            self._close(oldest)

    def _make_room_for(self, owner: str | None) -> None:
        unread = [one for one in self._polled if one.owner == owner and one.unsent] if owner else []
        if len(unread) >= MOST_UNREAD_PER_OWNER:
            self._close(unread[0])

    def murder_keepalived(self, force: bool = False) -> None:
        """Called on every pass of the loop: closes what is late, or at the end everything."""
        now = time.monotonic()
        if now - self._swept < 1 and not force:
            return
        self._swept = now
        for connection in list(self._polled):
            try:
                if connection.unsent and not force:
                    connection.waited(1)
                elif connection.deadline <= now or force:
                    self._close(connection)
            except OSError:
                self._close(connection)

    def _cap_keepalive(self, deadline: float) -> None:
        """The worker stops: idle connections have until `deadline` for a request that may be on its way."""
        for connection in self._polled:
            connection.deadline = min(connection.deadline, deadline)

    # Threads

    def enqueue_req(self, connection: Connection) -> None:
        self._ready.append(connection)
        self._start()

    def _start(self) -> None:
        while self._ready and self._places:
            self._places -= 1
            super().enqueue_req(self._ready.popleft())

    def _free_place(self) -> None:
        self._places += 1
        self._start()

    def _leave_place(self, connection: Connection) -> None:
        """In a thread, before it waits for its client. Raises TooSlow when too many wait already."""
        if connection.waits:
            return
        with self._lock:
            if self._transfers >= TRANSFERS:
                raise TooSlow
            self._transfers += 1
        connection.waits = True
        self.method_queue.defer(self._free_place)

    def handle_request(self, req, conn: Connection) -> bool:
        conn.patient = True
        try:
            return super().handle_request(req, conn)
        finally:
            conn.patient = False
            if req.query:
                urlsplit.cache_clear()  # gunicorn's parser has filled it, and the code of a consent is in a query

    def finish_request(self, conn: Connection, fs: futures.Future) -> None:
        if conn.waits:
            with self._lock:
                self._transfers -= 1
        else:
            self._free_place()
        conn.keep = not fs.cancelled() and not fs.exception() and bool(fs.result()) and not conn.ended
        try:
            if conn.closed:
                self._close(conn)
            else:
                self._after_response(conn)
        except OSError:
            self._close(conn)


def _raise_descriptors() -> int:
    """Takes as many descriptors as are allowed. Returns for how many connections: each may be sending a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    bounded = hard != resource.RLIM_INFINITY and hard < _DESCRIPTORS
    wanted = hard if bounded else max(soft, _DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return (min(wanted, _DESCRIPTORS) - _OTHER_DESCRIPTORS) // 2
