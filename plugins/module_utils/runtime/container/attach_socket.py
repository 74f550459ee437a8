# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Talking to a conmon that runs: its attach socket, and the fifo that takes the size of the terminal.

    <run directory>/attach   SOCK_SEQPACKET; a packet to us is one byte for the stream (2 stdout, 3 stderr; a
                             terminal has only the first) and up to 8 KiB; to conmon raw bytes, of which it
                             reads 32 KiB of a packet and drops the rest
    <run directory>/ctl      fifo; `1 ROWS COLUMNS` is a resize

There is no history: a client sees what is written from now on. A client that does not read stops conmon, its
log and then the container, so whoever opens one of these reads on or closes it.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios
import time
import typing as t

from ..errors import Conflict

if t.TYPE_CHECKING:
    from ..linux.terminal import Size

STDOUT, STDERR = 2, 3
LARGEST_PACKET = 32 << 10
_READ_SIZE = 1 << 16
_RESIZE_PATIENCE = 2.0  # seconds; conmon reads the fifo at once unless the machine swaps


class AttachSocket:
    """One client. `fileno` is for an event loop; nothing here blocks."""

    def __init__(self, directory: str) -> None:
        """Conflict where no conmon listens (any more)."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        try:
            _connect(self._socket, os.path.join(directory, "attach"))
            self._socket.setblocking(False)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> tuple[int, bytes] | None:
        """A stream and what came on it; None at the end. BlockingIOError when nothing is there."""
        try:
            packet = self._socket.recv(_READ_SIZE)
        except ConnectionResetError:
            return None
        return (packet[0], packet[1:]) if packet else None

    def send(self, content: bytes | memoryview) -> int:
        """How much of it was taken. BlockingIOError while conmon is busy; BrokenPipeError when it is gone."""
        return self._socket.send(content[:LARGEST_PACKET])

    def end_input(self) -> None:
        """The standard input of the container ends, for every client and for good."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side was faster

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> AttachSocket:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _connect(sock: socket.socket, path: str) -> None:
    """By a descriptor: an address holds 107 bytes, our paths may be longer."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            sock.connect(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)
    except (FileNotFoundError, ConnectionRefusedError):
        raise Conflict("it has just ended, or its conmon was killed") from None


def resize(directory: str, size: Size) -> bool:
    """Tell conmon the size of the terminal; False if it is gone.

    conmon 2.1.6 takes two lines that it reads at once for the first one twice, so a line is written when the
    one before has been read.
    """
    try:
        fd = os.open(os.path.join(directory, "ctl"), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        deadline = time.monotonic() + _RESIZE_PATIENCE
        while _unread(fd) and time.monotonic() < deadline:
            time.sleep(0.002)
        os.write(fd, b"1 %d %d\n" % size)
        return True
    except (BlockingIOError, BrokenPipeError):
        return False
    finally:
        os.close(fd)


def _unread(fd: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0])
