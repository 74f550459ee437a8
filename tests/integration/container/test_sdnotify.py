# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A service manager hears when a container that it has started is ready."""

from __future__ import annotations

import os
import pathlib
import socket
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour

SLEEP = ("sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait")


class Manager:
    """The end of systemd: a datagram socket that messages come to."""

    def __init__(self, path: pathlib.Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))

    def hears(self) -> set[str]:
        self._socket.settimeout(10)
        return set(self._socket.recv(4096).decode().split("\n"))

    def hears_nothing(self) -> bool:
        self._socket.setblocking(False)
        try:
            self._socket.recv(4096)
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Manager]:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


def main_process(harbour: Harbour, name: str) -> str:
    run = harbour.record(name).state.run
    assert run is not None
    assert run.conmon is not None
    return f"MAINPID={run.conmon.pid}"


def environment(harbour: Harbour, name: str) -> list[str]:
    return pathlib.Path(f"/proc/{harbour.status(name).pid}/environ").read_text().split("\0")


def test_conmon(harbour: Harbour, manager: Manager) -> None:
    harbour.start("web", *SLEEP, sdnotify="conmon")
    assert manager.hears() == {main_process(harbour, "web"), "READY=1"}
    assert not [entry for entry in environment(harbour, "web") if entry.startswith("NOTIFY_SOCKET")]


@pytest.mark.parametrize("user", ["0", "1000"])
def test_the_program_itself(harbour: Harbour, manager: Manager, user: str) -> None:
    harbour.start("web", *SLEEP, sdnotify="container", user=user)
    assert manager.hears() == {main_process(harbour, "web")}
    assert "NOTIFY_SOCKET=/run/notify/notify.sock" in environment(harbour, "web")
    assert manager.hears_nothing()
    say_as(int(user), f"/proc/{harbour.status('web').pid}/root/run/notify/notify.sock")
    assert manager.hears() == {"READY=1"}


def say_as(user: int, path: str) -> None:
    """What a program with the user's rights would say; the image has none that can."""
    child = os.fork()
    if child == 0:
        try:
            fd = os.open(path, os.O_PATH)
            os.setgid(user)
            os.setuid(user)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as program:
                program.connect(f"/proc/self/fd/{fd}")
                program.send(b"STATUS=almost\nREADY=1")
            os._exit(0)
        finally:
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_nobody_wants_to_hear(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    harbour.start("quiet", *SLEEP, sdnotify="container")
    assert not [entry for entry in environment(harbour, "quiet") if entry.startswith("NOTIFY_SOCKET")]
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    harbour.start("lonely", *SLEEP, sdnotify="conmon")
    assert harbour.status("lonely").status == "running"


def test_ignored(harbour: Harbour, manager: Manager) -> None:
    harbour.start("web", *SLEEP)
    assert manager.hears_nothing()
    assert not [entry for entry in environment(harbour, "web") if entry.startswith("NOTIFY_SOCKET")]
