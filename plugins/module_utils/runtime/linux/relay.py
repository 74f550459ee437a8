# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Bytes between our standard input and outputs and somebody else's, whichever is ready, none lost and none
waiting for another.

What cannot be written yet waits, and while much waits no more is read: who is slow slows down the other
side, as in a pipeline. Until the other side has ended: then all that is left is taken, so that nobody who has
to end waits for somebody who does not read.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import stat
import typing as t

from .terminal import Stdio, own_outlet, read_signals

_CHUNK = 1 << 16
_MUCH = 1 << 18

STDOUT, STDERR = 1, 2


class Remote(t.Protocol):
    """The other side."""

    @property
    def ended(self) -> bool:
        """Nothing more will come."""

    @property
    def sources(self) -> t.Sequence[int]:
        """Descriptors to wait for; `receive` is called with one that is ready."""

    @property
    def inlet(self) -> int | None:
        """The descriptor that tells when `send` can go on; None where no input is wanted (any more)."""

    @property
    def end_sign(self) -> int | None:
        """A descriptor that is readable when the other side is about to end, if there is one."""

    def receive(self, fd: int) -> t.Iterable[tuple[int, bytes]]:
        """What came, by stream (STDOUT, STDERR). Never blocks."""

    def send(self, content: bytes) -> int:
        """How much was taken. BlockingIOError; another OSError where nobody listens any more."""

    def end_input(self) -> None: ...

    def refuse(self, stream: int) -> bool:
        """Nobody wants this stream any more. False: the other side cannot be told."""


class Outcome(t.NamedTuple):
    """`ended`: the other side. `detached`: the user did. `left`: a signal said so, SIGPIPE where nobody reads
    our output any more.
    """

    kind: t.Literal["ended", "detached", "left"]
    signum: int = 0


Typed = t.Callable[[bytes], tuple[bytes, bool]]
"""What goes on of what was typed, and whether the user leaves."""


def relay(
    remote: Remote,
    stdio: Stdio,
    *,
    stdin: bool,
    signals: int,
    on_signal: t.Callable[[int], bool],
    typed: Typed | None = None,
) -> Outcome:
    """Until either side ends it. `signals` is the descriptor of `caught_signals`; `on_signal` returns whether
    to leave because of one. `typed` filters the input.
    """
    outlets = {STDOUT: _Outlet(stdio.stdout), STDERR: _Outlet(stdio.stderr)}
    try:
        return _Relay(remote, stdio.stdin if stdin else None, outlets, signals, on_signal, typed).run()
    finally:
        for outlet in outlets.values():
            os.close(outlet.fd)


class _Outlet:
    def __init__(self, fd: int) -> None:
        self.fd = own_outlet(fd)
        self.waiting = bytearray()
        self.broken = False
        self._is_socket = stat.S_ISSOCK(os.fstat(self.fd).st_mode)

    def flush(self) -> None:
        try:
            del self.waiting[: self._write(self.waiting[:_CHUNK])]
        except BlockingIOError:
            pass
        except OSError:
            self.broken = True
            self.waiting.clear()

    def _write(self, content: bytes | bytearray) -> int:
        """A socket, which is what sshd gives, cannot be opened again to be non-blocking."""
        if not self._is_socket:
            return os.write(self.fd, content)
        with socket.socket(fileno=os.dup(self.fd)) as connection:
            return connection.send(content, socket.MSG_DONTWAIT)


class _Relay:
    def __init__(
        self,
        remote: Remote,
        stdin: int | None,
        outlets: dict[int, _Outlet],
        signals: int,
        on_signal: t.Callable[[int], bool],
        typed: Typed | None,
    ) -> None:
        self._remote = remote
        self._stdin = stdin
        self._outlets = outlets
        self._signals = signals
        self._on_signal = on_signal
        self._typed = typed
        self._input = bytearray()
        self._takes_all = False

    def run(self) -> Outcome:
        while not (self._remote.ended and self._is_flushed()):
            for fd, events in self._wait():
                outcome = self._act(fd, events)
                if outcome is not None:
                    return outcome
        return Outcome("ended")

    def _is_flushed(self) -> bool:
        return not any(outlet.waiting for outlet in self._outlets.values())

    def _wait(self) -> list[tuple[int, int]]:
        wanted = {self._signals: select.POLLIN}
        if not self._remote.ended:
            if self._stdin is not None and len(self._input) < _MUCH:
                wanted[self._stdin] = select.POLLIN
            if not self._takes_all and self._remote.end_sign is not None:
                wanted[self._remote.end_sign] = select.POLLIN
            if self._takes_all or all(len(outlet.waiting) < _MUCH for outlet in self._outlets.values()):
                wanted.update(dict.fromkeys(self._remote.sources, select.POLLIN))
            if self._input and self._remote.inlet is not None:
                wanted[self._remote.inlet] = wanted.get(self._remote.inlet, 0) | select.POLLOUT
        for outlet in self._outlets.values():
            if outlet.waiting:
                wanted[outlet.fd] = select.POLLOUT
        poll = select.poll()
        for fd, events in wanted.items():
            poll.register(fd, events)
        return poll.poll()

    def _act(self, fd: int, events: int) -> Outcome | None:
        if fd == self._signals:
            leaving = [signum for signum in read_signals(fd) if self._on_signal(signum)]
            return Outcome("left", leaving[0]) if leaving else None
        if fd == self._stdin:
            return self._take_input(fd)
        if fd == self._remote.end_sign:
            self._takes_all = True
        if events & ~select.POLLOUT and fd in self._remote.sources:
            for stream, content in self._remote.receive(fd):
                if not self._outlets[stream].broken:
                    self._outlets[stream].waiting += content
        if events & select.POLLOUT and fd == self._remote.inlet:
            self._send()
        for stream, outlet in self._outlets.items():
            if outlet.fd == fd:
                outlet.flush()
                if outlet.broken and not self._remote.refuse(stream):
                    return Outcome("left", signal.SIGPIPE)
        return None

    def _take_input(self, fd: int) -> Outcome | None:
        try:
            content = os.read(fd, _CHUNK)
        except OSError:
            content = b""  # the terminal has hung up
        if not content:
            self._stdin = None
            self._end_input_when_sent()
            return None
        leaves = False
        if self._typed is not None:
            content, leaves = self._typed(content)
        if self._remote.inlet is not None:
            self._input += content
            if self._input:
                self._send()
        return Outcome("detached") if leaves else None

    def _send(self) -> None:
        try:
            del self._input[: self._remote.send(bytes(self._input[:_CHUNK]))]
        except BlockingIOError:
            return
        except OSError:
            self._input.clear()
            self._stdin = None
            return
        self._end_input_when_sent()

    def _end_input_when_sent(self) -> None:
        if self._stdin is None and not self._input:
            self._remote.end_input()
