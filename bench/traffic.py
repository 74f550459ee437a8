# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What TCP does between two places of a LAN: bytes per second, and seconds per request.

The sockets are made in the places, the processes stay outside: nothing but the way between them differs.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import statistics
import time
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.coracle.engine.tests.integration.network.lan import Lan, Place

_FLOOD, _ECHO = b"f", b"e"
_CHUNK = 1 << 20
_WARM_UP = 0.1


@contextlib.contextmanager
def served(lan: Lan, place: Place, port: int) -> t.Iterator[None]:
    """A server there, in a process of its own."""
    with lan.inside(place), socket.create_server(("0.0.0.0", port), backlog=128) as listener:
        server = multiprocessing.get_context("fork").Process(target=_serve, args=(listener,), daemon=True)
        server.start()
    try:
        yield
    finally:
        server.kill()
        server.join()


def throughput(lan: Lan, place: Place, address: str, port: int, seconds: float) -> float:
    """Bytes per second that somebody there receives from the server, over one connection."""
    with _connected(lan, place, address, port) as connection:
        connection.sendall(_FLOOD)
        buffer = bytearray(_CHUNK)
        _receive(connection, buffer, _WARM_UP)
        started = time.perf_counter()
        return _receive(connection, buffer, seconds) / (time.perf_counter() - started)


def latency(lan: Lan, place: Place, address: str, port: int, requests: int) -> float:
    """Seconds that a request of a byte takes, each over a new connection: the median."""
    times = []
    for _request in range(requests):
        with _new_socket(lan, place) as connection:
            started = time.perf_counter()
            connection.connect((address, port))
            connection.sendall(_ECHO)
            connection.recv(1)
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def _new_socket(lan: Lan, place: Place) -> socket.socket:
    with lan.inside(place):
        connection = socket.socket()
    connection.settimeout(10)
    return connection


@contextlib.contextmanager
def _connected(lan: Lan, place: Place, address: str, port: int) -> t.Iterator[socket.socket]:
    with _new_socket(lan, place) as connection:
        connection.connect((address, port))
        yield connection


def _receive(connection: socket.socket, buffer: bytearray, seconds: float) -> int:
    deadline = time.perf_counter() + seconds
    received = 0
    while time.perf_counter() < deadline:
        received += connection.recv_into(buffer)
    return received


def _serve(listener: socket.socket) -> None:
    zeroes = bytes(_CHUNK)
    while True:
        connection, _peer = listener.accept()
        with connection, contextlib.suppress(OSError):
            if connection.recv(1) == _ECHO:
                connection.sendall(_ECHO)
                continue
            while True:
                connection.sendall(zeroes)
