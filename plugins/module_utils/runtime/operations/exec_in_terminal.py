# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Run one more program in a container, on a terminal that nobody looks at: what it writes is the result."""

from __future__ import annotations

import select
import time
import typing as t

from ..container.conmon_exec import launch_session, program_in
from ..container.status import group_of
from ..errors import doing
from ..linux.processes import wait_until_gone
from ..linux.sessions import kill_session
from .exec_in_container import ExecResult, failures_named, late, prepared_session
from .running_container import running_container

if t.TYPE_CHECKING:
    from ..container.attach_socket import AttachSocket
    from ..container.exec_process import ExecRequest
    from ..engine import Engine

_EVER = float("inf")
_LONGEST_WAIT = 86400.0
_CONMON_TIMEOUT = 5.0


def exec_in_terminal(
    engine: Engine, name: str, request: ExecRequest, input: bytes, timeout: float | None, max_output: int
) -> ExecResult:
    """As `exec_in_container`. A terminal has no end of its input: a program that waits for it has to be told
    with the control character 4.
    """
    running = running_container(engine, name)
    deadline = time.monotonic() + (_EVER if timeout is None else timeout)
    group = group_of(engine.paths, running.record)
    with doing(f"exec in container {running.record.name}"):
        with prepared_session(engine, running, request) as plan, failures_named(request):
            session, socket = launch_session(plan)
        with session, socket:
            talk = _Talk(socket, input, max_output)
            try:
                if not talk.finish(deadline):
                    raise late(request, timeout, bytes(talk.output), b"")
            except BaseException:
                program = program_in(plan.directory)
                kill_session(group, program.pid if program else None)
                raise
            code = session.exit_code()
        if session.conmon is not None:
            wait_until_gone(session.conmon, _CONMON_TIMEOUT)
    return ExecResult(code, bytes(talk.output), b"", talk.truncated)


class _Talk:
    def __init__(self, socket: AttachSocket, content: bytes, limit: int) -> None:
        self.output = bytearray()
        self.truncated = False
        self._socket = socket
        self._unsent = content
        self._limit = limit

    def finish(self, deadline: float) -> bool:
        """Talk until the program ends; False when the deadline comes first."""
        while True:
            poll = select.poll()
            poll.register(self._socket.fileno(), select.POLLIN | (select.POLLOUT if self._unsent else 0))
            left = deadline - time.monotonic()
            ready = poll.poll(max(0, min(left, _LONGEST_WAIT)) * 1000)
            if not ready and left <= _LONGEST_WAIT:
                return False
            for _fd, events in ready:
                if events & select.POLLOUT:
                    self._send()
                if events & ~select.POLLOUT and not self._receive():
                    return True

    def _send(self) -> None:
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self._unsent = b""

    def _receive(self) -> bool:
        try:
            packet = self._socket.receive()
        except BlockingIOError:
            return True
        if packet is None:
            return False
        room = self._limit - len(self.output)
        self.output += packet[1][:room]
        self.truncated |= len(packet[1]) > room
        return True
