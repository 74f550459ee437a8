# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import fcntl
import os
import pathlib
import signal
import struct
import termios
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.terminal import (
    Size,
    caught_signals,
    own_outlet,
    raw_mode,
    read_signals,
    window_size,
)


@pytest.fixture
def terminal() -> t.Iterator[tuple[int, int]]:
    """The person's side, and the program's."""
    sides = os.openpty()
    yield sides
    for fd in sides:
        os.close(fd)


def test_sizes(terminal: tuple[int, int]) -> None:
    assert window_size(terminal[1]) is None
    fcntl.ioctl(terminal[0], termios.TIOCSWINSZ, struct.pack("4H", 31, 97, 0, 0))
    assert window_size(terminal[1]) == Size(31, 97)
    with open(os.devnull, "rb") as file:
        assert window_size(file.fileno()) is None


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, SystemExit])
def test_raw_and_back(terminal: tuple[int, int], error: type[BaseException] | None) -> None:
    person, program = terminal
    before = termios.tcgetattr(program)
    os.write(person, b"typed ahead")
    seen = b""
    try:
        with raw_mode(program) as make_raw:
            os.write(person, b"\x03\x11\r")
            while not seen.endswith(b"\r"):
                seen += os.read(program, 100)
            os.write(program, b"\n")
            termios.tcsetattr(program, termios.TCSANOW, before)  # as a shell does to whom it stops
            make_raw()
            raw = termios.tcgetattr(program)
            if error is not None:
                raise error
    except (KeyboardInterrupt, SystemExit):
        assert error is not None
    assert seen == b"typed ahead\x03\x11\r"
    assert os.read(person, 100).endswith(b"\n")
    assert not raw[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
    assert termios.tcgetattr(program) == before


def test_a_terminal_that_has_gone_is_no_error() -> None:
    person, program = os.openpty()
    with raw_mode(program):
        os.close(person)
    os.close(program)


def test_signals_are_bytes_and_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with caught_signals([signal.SIGUSR1, signal.SIGTERM]) as fd:
        assert read_signals(fd) == []
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert set(read_signals(fd)) == {signal.SIGUSR1, signal.SIGTERM}
        assert read_signals(fd) == []
    assert signal.getsignal(signal.SIGUSR1) == before
    assert signal.set_wakeup_fd(-1) == -1


def test_an_outlet_of_our_own_is_non_blocking_and_the_other_is_not(tmp_path: pathlib.Path) -> None:
    reading, writing = os.pipe()
    own = own_outlet(writing)
    assert os.get_blocking(writing)
    assert not os.get_blocking(own)
    os.write(own, b"same")
    assert os.read(reading, 9) == b"same"
    with open(tmp_path / "file", "wb", buffering=0) as file:
        file.write(b"one")
        copy = own_outlet(file.fileno())
        os.write(copy, b"two")
    assert (tmp_path / "file").read_bytes() == b"onetwo"
    for fd in (reading, writing, own, copy):
        os.close(fd)
