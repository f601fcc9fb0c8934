"""A database whose machine has gone without a word is noticed while a statement waits for it."""

import os
import select
import socket

import psycopg
from psycopg.conninfo import make_conninfo

from app.db import engine_options


def test_the_kernel_looks_after_a_connection_that_waits():
    options = engine_options("postgresql+psycopg://vezde@127.0.0.1/vezde")["connect_args"]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        connecting = psycopg.pq.PGconn.connect_start(make_conninfo(host="127.0.0.1", port=port, **options).encode())
        select.select([], [connecting.socket], [], 10)
        connecting.connect_poll()  # libpq sets them once the connection stands
        with socket.socket(fileno=os.dup(connecting.socket)) as connection:
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 30
            assert 0 < connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 30_000
        connecting.finish()
