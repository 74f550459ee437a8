# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A conmon for one more program in a container: it keeps its terminal when nobody is there, and knows how it
ended.

    <run directory>/exec/<session id>/   process.json  what runs
                                         conmon.pid pid attach ctl winsz oci-log exit/
                                         removed by the exit command, so nothing is left at the end

We are there before the program begins:

    we                      conmon
    start pipe: a byte   →  is a process of its own, has bound `attach`
                         ←  attach pipe: {"data": 0}
    connect to `attach`
    start pipe: a byte   →  lets the runtime run it
                         ←  sync pipe: {"data": PID}, or {"data": -1, "message": …}
                         ←  sync pipe, at the end: {"data": exit code}

Such a session needs nothing of us: it goes on when we end.
"""

from __future__ import annotations

import json
import os
import typing as t

from ..errors import RuntimeFailure
from ..linux.processes import ProcessIdentity, identity
from ..linux.programs import MINIMAL_ENVIRONMENT, find_program, spawn
from .attach_socket import AttachSocket
from .conmon import RUNTIME_TIMEOUT, being_moved, end_launch, read_line
from .oci_runtime import OciRuntime, clean, message_from_log

_LINE_LIMIT = 1 << 16
_UNKNOWN_CODE = 255


class Plan(t.NamedTuple):
    """`directory` holds `process.json` and the directory `exit`; `cgroup` is where conmon belongs."""

    program: str
    runtime: OciRuntime
    container_id: str
    session_id: str
    directory: str
    cgroup: str
    tty: bool


class Session:
    """A program that has begun. `close` lets it go on alone."""

    def __init__(self, conmon: ProcessIdentity | None, sync: int, seen: bytes) -> None:
        self.conmon = conmon
        self._sync = sync
        self._seen = seen

    def exit_code(self) -> int:
        """Waits for it. 128 + n for signal n; 255 if conmon was killed."""
        content = self._seen
        while not content.endswith(b"\n") and len(content) < _LINE_LIMIT:
            piece = os.read(self._sync, _LINE_LIMIT)
            if not piece:
                break
            content += piece
        code = _number(content)
        return _UNKNOWN_CODE if code is None else code

    def close(self) -> None:
        os.close(self._sync)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def launch_session(plan: Plan) -> tuple[Session, AttachSocket]:
    """Start the program. The socket is there from its first byte; closed, it leaves the program alone.

    Raises RuntimeFailure with the runtime's words; then nothing has begun.
    """
    start_reading, start_writing = os.pipe()
    sync_reading, sync_writing = os.pipe()
    attach_reading, attach_writing = os.pipe()
    theirs = {
        "_OCI_STARTPIPE": start_reading,
        "_OCI_SYNCPIPE": sync_writing,
        "_OCI_ATTACHPIPE": attach_writing,
    }
    open_ends = [*theirs.values()]
    process = socket = None
    # Opened before anything can go wrong: a conmon that ends removes the directory, perhaps before we look.
    log = os.open(os.path.join(plan.directory, "oci-log"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        environment = {**MINIMAL_ENVIRONMENT, **{name: str(fd) for name, fd in theirs.items()}}
        argv = arguments(plan)
        process = spawn(argv, env=environment, pass_fds=[*theirs.values()], cwd=plan.directory)
        while open_ends:
            os.close(open_ends.pop())
        with being_moved(process.pid, plan.cgroup):
            pass
        os.write(start_writing, b"1")
        process.wait(timeout=RUNTIME_TIMEOUT)
        _check(log, read_line(attach_reading, RUNTIME_TIMEOUT))
        socket = AttachSocket(plan.directory)
        os.write(start_writing, b"2")
        first, _line_feed, more = read_line(sync_reading, RUNTIME_TIMEOUT).partition(b"\n")
        _check(log, first)
    except BaseException:
        if socket is not None:
            socket.close()
        end_launch(process, lambda: conmon_of(plan.directory))
        os.close(sync_reading)
        raise
    finally:
        for fd in (log, start_writing, attach_reading, *open_ends):
            os.close(fd)
    return Session(conmon_of(plan.directory), sync_reading, more), socket


def arguments(plan: Plan) -> list[str]:
    directory = plan.directory
    exit_command = [find_program("rm"), "-rf", "--", directory]
    pairs = [
        ("--cid", plan.container_id),
        ("--cuuid", plan.session_id),
        ("--runtime", plan.runtime.program),
        ("--bundle", directory),
        ("--exec-process-spec", os.path.join(directory, "process.json")),
        ("--container-pidfile", os.path.join(directory, "pid")),
        ("--conmon-pidfile", os.path.join(directory, "conmon.pid")),
        ("--exit-dir", os.path.join(directory, "exit")),
        ("--log-path", "none"),
        ("--exit-command", exit_command[0]),
        *(("--exit-command-arg", argument) for argument in exit_command[1:]),
        *(("--runtime-arg", argument) for argument in plan.runtime.global_arguments),
        ("--runtime-arg", "--log-format=json"),
        ("--runtime-arg", f"--log={os.path.join(directory, 'oci-log')}"),
    ]
    flags = ["--api-version", "--exec", "--exec-attach", "--full-attach", "--log-level=error"]
    flags += ["--terminal"] if plan.tty else []
    return [plan.program, *flags, *(word for pair in pairs for word in pair)]


def _check(log: int, line: bytes) -> None:
    """`log` is the descriptor of what the runtime has written down."""
    number = _number(line)
    if number is None or number < 0:
        text = message_from_log(os.pread(log, _LINE_LIMIT, 0))
        raise RuntimeFailure(text or _message(line) or "conmon ended without a word")


def _number(line: bytes) -> int | None:
    try:
        return int(json.loads(line)["data"])
    except (ValueError, KeyError, TypeError):
        return None


def _message(line: bytes) -> str:
    try:
        return clean(str(json.loads(line)["message"]))
    except (ValueError, KeyError, TypeError):
        return ""


def conmon_of(directory: str) -> ProcessIdentity | None:
    """The conmon of the session in this directory, if it lives."""
    try:
        with open(os.path.join(directory, "conmon.pid"), encoding="ascii") as file:
            found = identity(int(file.read(16)))
        with open(f"/proc/{found.pid if found else 0}/cmdline", "rb") as file:
            return found if directory.encode() in file.read(_LINE_LIMIT) else None
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None


def program_in(directory: str) -> ProcessIdentity | None:
    """The program of the session in this directory, if it lives."""
    try:
        with open(os.path.join(directory, "pid"), encoding="ascii") as file:
            return identity(int(file.read(16)))
    except (FileNotFoundError, ValueError):
        return None
