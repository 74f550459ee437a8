# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A person at a program in a container: keys, output, the size of the terminal and signals, until one of
them leaves.
"""

from __future__ import annotations

import contextlib
import os
import signal
import typing as t

from ..errors import InvalidInput
from ..linux import relay
from ..linux.processes import ProcessIdentity, open_pidfd
from ..linux.terminal import Stdio, caught_signals, raw_mode, window_size
from . import attach_socket
from .detach_keys import KeyWatcher

LEAVING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
FORWARDED = (*LEAVING, signal.SIGABRT, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2)


class Manner(t.NamedTuple):
    """How to attach. `stdin`: what is typed goes in. `tty`: the program has a terminal, so ours becomes raw.
    `keys` detach. `forward` hands a signal to the program; None: those that end programs end us.
    """

    stdio: Stdio
    stdin: bool
    tty: bool
    keys: bytes = b""
    forward: t.Callable[[int], None] | None = None


def check_terminal(manner: Manner) -> None:
    """Docker's words: a program that has a terminal can only be typed to from one."""
    if manner.stdin and manner.tty and not os.isatty(manner.stdio.stdin):
        raise InvalidInput("the input device is not a TTY")


def converse(remote: relay.Remote, directory: str | None, manner: Manner) -> relay.Outcome:
    """Relay until one side leaves. `directory` has the fifo for the size of the program's terminal."""
    typed = KeyWatcher(manner.keys).feed if manner.tty else None
    follows = directory is not None and manner.tty
    signums = [*FORWARDED, *([signal.SIGWINCH, signal.SIGCONT] if manner.tty else [])]
    with contextlib.ExitStack() as stack:
        signals = stack.enter_context(caught_signals(signums))
        make_raw = _nothing
        if manner.tty and manner.stdin:
            make_raw = stack.enter_context(raw_mode(manner.stdio.stdin))

        def on_signal(signum: int) -> bool:
            if signum == signal.SIGCONT:
                make_raw()
            if signum in (signal.SIGWINCH, signal.SIGCONT):
                if follows and directory is not None:
                    show_size(directory, manner.stdio)
                return False
            if manner.forward is not None:
                manner.forward(signum)
                return False
            return signum in LEAVING

        return relay.relay(
            remote, manner.stdio, stdin=manner.stdin, signals=signals, on_signal=on_signal, typed=typed
        )


def _nothing() -> None:
    pass


def show_size(directory: str, stdio: Stdio, *, redraw: bool = False) -> None:
    """Give the program's terminal the size of ours. `redraw`: the program is told even if it is the same, and
    draws its screen again.
    """
    size = window_size(stdio.stdout) or window_size(stdio.stdin)
    if size is None:
        return
    if redraw:
        attach_socket.resize(directory, size._replace(rows=size.rows + 1))
    attach_socket.resize(directory, size)


class SocketRemote:
    """A container, or an exec session, behind conmon's socket. conmon does not notice the end of `program`
    while it waits for us to read.
    """

    def __init__(
        self, socket: attach_socket.AttachSocket, program: ProcessIdentity | None, *, takes_input: bool
    ) -> None:
        self._socket = socket
        self._takes_input = takes_input
        self.end_sign = open_pidfd(program) if program is not None else None
        self.ended = False

    def __enter__(self) -> SocketRemote:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.end_sign is not None:
            os.close(self.end_sign)

    @property
    def sources(self) -> t.Sequence[int]:
        return [] if self.ended else [self._socket.fileno()]

    @property
    def inlet(self) -> int | None:
        return self._socket.fileno() if self._takes_input else None

    def receive(self, _fd: int) -> t.Iterable[tuple[int, bytes]]:
        try:
            packet = self._socket.receive()
        except BlockingIOError:
            return
        if packet is None:
            self.ended = True
        else:
            stream = relay.STDERR if packet[0] == attach_socket.STDERR else relay.STDOUT
            yield stream, packet[1]

    def send(self, content: bytes) -> int:
        return self._socket.send(content)

    def end_input(self) -> None:
        if self._takes_input:
            self._takes_input = False
            self._socket.end_input()

    def refuse(self, _stream: int) -> bool:
        return False
