# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The terminal of the person who types: its size, its raw mode and its end, and signals as something to
read.

Whatever ends the block of `raw_mode` restores the terminal. Signals must not end us in between, so they are
caught and become bytes on a descriptor that an event loop waits for (`caught_signals`).
Source: termios(3), tty_ioctl(4).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
import struct
import termios
import typing as t

_CHUNK = 1 << 16


class Stdio(t.NamedTuple):
    """Descriptors that one side reads from and writes to."""

    stdin: int = 0
    stdout: int = 1
    stderr: int = 2


OUR_STDIO = Stdio()


class Size(t.NamedTuple):
    rows: int
    columns: int


def window_size(fd: int) -> Size | None:
    """None where there is no terminal, or one that does not know its size."""
    try:
        rows, columns, _x, _y = struct.unpack("4H", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
    except OSError:
        return None
    return Size(rows, columns) if rows and columns else None


@contextlib.contextmanager
def raw_mode(fd: int) -> t.Iterator[t.Callable[[], None]]:
    """Every key goes through as it is; what was typed before is not lost. Yields the function that makes
    the terminal raw again, for whoever was stopped and goes on (SIGCONT).
    """
    before = termios.tcgetattr(fd)
    try:
        _make_raw(fd)
        yield lambda: _make_raw(fd)
    finally:
        with contextlib.suppress(termios.error):  # the terminal itself may be gone
            termios.tcsetattr(fd, termios.TCSANOW, before)


def _make_raw(fd: int) -> None:
    """As cfmakeraw(3). Not `tty.setraw`: it throws away what is typed ahead."""
    mode = termios.tcgetattr(fd)
    mode[0] &= ~(
        termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP
        | termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON
    )  # fmt: skip
    mode[1] &= ~termios.OPOST
    mode[2] = mode[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    mode[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
    termios.tcsetattr(fd, termios.TCSANOW, mode)


@contextlib.contextmanager
def caught_signals(signums: t.Iterable[int]) -> t.Iterator[int]:
    """A descriptor on which each of these signals is a byte (`read_signals`). In the main thread only."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = {signum: signal.signal(signum, _do_nothing) for signum in signums}
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(woken)
        for signum, handler in before.items():
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)
        os.close(reading)
        os.close(writing)


def _do_nothing(_signum: int, _frame: object) -> None:
    """SIG_IGN would not write to the wake-up descriptor, and would be inherited."""


def read_signals(fd: int) -> list[int]:
    try:
        return list(os.read(fd, _CHUNK))
    except BlockingIOError:
        return []


def own_outlet(fd: int) -> int:
    """Another descriptor for the same terminal or pipe, non-blocking without making `fd` so, which others
    may share. For what cannot be opened again, and for files, which never block: a copy of `fd`.
    """
    mode = os.fstat(fd).st_mode
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            return os.open(f"/proc/self/fd/{fd}", flags)
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
