# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The relay between pipes that the test holds, and a remote side in a thread."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.attach_socket import (
    LARGEST_PACKET,
    AttachSocket,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.attached import SocketRemote
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.detach_keys import KeyWatcher
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.relay import Outcome, relay
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.terminal import (
    Stdio,
    caught_signals,
)

MUCH = os.urandom(3_000_000)
Serve = t.Callable[[socket.socket], None]


class Pipes:
    """Standard input and outputs of whoever relays, and our ends of them; the signals that reach him."""

    def __init__(self, signals: int) -> None:
        self.signals = signals
        (stdin, self.typing), (self.out, stdout), (self.err, stderr) = os.pipe(), os.pipe(), os.pipe()
        self.stdio = Stdio(stdin, stdout, stderr)

    def close(self) -> None:
        for fd in (*self.stdio, self.typing, self.out, self.err):
            with contextlib.suppress(OSError):
                os.close(fd)


@pytest.fixture
def pipes() -> t.Iterator[Pipes]:
    with caught_signals([signal.SIGUSR1]) as signals:  # from before there is anybody who might send one
        pipes = Pipes(signals)
        yield pipes
        pipes.close()


@contextlib.contextmanager
def conmon(directory: t.Any, serve: Serve) -> t.Iterator[AttachSocket]:
    """A client of somebody who does as conmon does: `serve` is given the other end."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(directory / "attach"))
    listener.listen()

    def answer() -> None:
        connection, _address = listener.accept()
        with connection:
            serve(connection)

    thread = threading.Thread(target=answer)
    thread.start()
    with AttachSocket(str(directory)) as client:
        yield client
        client.close()
        thread.join(20)
    listener.close()
    assert not thread.is_alive()


def go(client: AttachSocket, pipes: Pipes, **options: t.Any) -> Outcome:
    return relay(
        SocketRemote(client, None, takes_input=True),
        pipes.stdio,
        **{"stdin": True, "signals": pipes.signals, "on_signal": bool, **options},
    )


def reader(fd: int, kept: bytearray) -> threading.Thread:
    def read() -> None:
        while piece := os.read(fd, 1 << 16):
            kept.extend(piece)

    thread = threading.Thread(target=read)
    thread.start()
    return thread


def test_everything_comes_out_on_its_stream(tmp_path: t.Any, pipes: Pipes) -> None:
    def serve(connection: socket.socket) -> None:
        for start in range(0, len(MUCH), 8000):
            connection.send(b"\2" + MUCH[start : start + 8000])
            connection.send(b"\3" + MUCH[start : start + 10])

    out, err = bytearray(), bytearray()
    threads = [reader(pipes.out, out), reader(pipes.err, err)]
    with conmon(tmp_path, serve) as client:
        assert go(client, pipes, stdin=False) == Outcome("ended")
    for fd in pipes.stdio[1:]:
        os.close(fd)
    for thread in threads:
        thread.join()
    assert out == MUCH
    assert err == b"".join(MUCH[start : start + 10] for start in range(0, len(MUCH), 8000))


def test_everything_goes_in_and_ends(tmp_path: t.Any, pipes: Pipes) -> None:
    """In packets that conmon reads whole."""
    received: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        while piece := connection.recv(1 << 20):
            received.append(piece)

    def type_all() -> None:
        content = memoryview(MUCH)
        while content:
            content = content[os.write(pipes.typing, content) :]
        os.close(pipes.typing)

    threading.Thread(target=type_all).start()
    with conmon(tmp_path, serve) as client:
        assert go(client, pipes) == Outcome("ended")
    assert b"".join(received) == MUCH
    assert max(map(len, received)) <= LARGEST_PACKET


def test_who_is_slow_slows_down_the_other(tmp_path: t.Any, pipes: Pipes) -> None:
    sent = 0
    stopped = threading.Event()

    def serve(connection: socket.socket) -> None:
        nonlocal sent
        connection.settimeout(0.5)
        with contextlib.suppress(socket.timeout):
            while sent < 100_000_000:
                sent += connection.send(b"\2" + bytes(8000))
        stopped.set()
        os.kill(os.getpid(), signal.SIGUSR1)

    with conmon(tmp_path, serve) as client:
        assert go(client, pipes) == Outcome("left", signal.SIGUSR1)
    assert stopped.is_set()
    assert sent < 3_000_000


def test_keys_leave(tmp_path: t.Any, pipes: Pipes) -> None:
    received: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        while piece := connection.recv(1 << 20):
            received.append(piece)

    os.write(pipes.typing, b"before\x10\x11after")
    with conmon(tmp_path, serve) as client:
        assert go(client, pipes, typed=KeyWatcher(b"\x10\x11").feed) == Outcome("detached")
    assert received == [b"before"]


def test_signals_are_asked_about(tmp_path: t.Any, pipes: Pipes) -> None:
    asked: list[int] = []

    def decide(signum: int) -> bool:
        asked.append(signum)
        return len(asked) > 1

    def serve(connection: socket.socket) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        while not asked:
            pass
        os.kill(os.getpid(), signal.SIGUSR1)
        connection.recv(1)

    with conmon(tmp_path, serve) as client:
        assert go(client, pipes, on_signal=decide) == Outcome("left", signal.SIGUSR1)
    assert asked == [signal.SIGUSR1, signal.SIGUSR1]


def test_nobody_reads(tmp_path: t.Any, pipes: Pipes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.send(b"\2hello")
        connection.recv(1)

    os.close(pipes.out)
    with conmon(tmp_path, serve) as client:
        assert go(client, pipes) == Outcome("left", signal.SIGPIPE)


def test_long_paths(tmp_path: t.Any, pipes: Pipes) -> None:
    directory = tmp_path / ("d" * 200)
    directory.mkdir()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    place = os.open(directory, os.O_PATH)
    listener.bind(f"/proc/self/fd/{place}/attach")
    listener.listen()
    AttachSocket(str(directory)).close()
    listener.close()
    os.close(place)
    with pytest.raises(Conflict, match="just ended"):
        AttachSocket(str(directory))
    (directory / "attach").unlink()
    with pytest.raises(Conflict, match="just ended"):
        AttachSocket(str(directory))
