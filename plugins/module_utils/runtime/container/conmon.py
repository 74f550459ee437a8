# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Starting conmon, the process that becomes the parent of a container. Its command line is known here, and in
conmon_exec.py for one more program in a container.

conmon gets a directory of its own for every run, so that a second conmon can never take over the first
one's sockets:

    <run directory>/   conmon.pid   who it is (written by its launcher)
                       pidfile      who the container's init is (written by the runtime)
                       exit/<id>    how the container ended, decimal; renamed into place
                       persist/oom  there when the kernel killed something for want of memory
                       attach ctl winsz config.json oci-log ctr.log

It starts with a minimal environment, no descriptor of ours but its two pipes, in its own session, and is
moved out of the caller's control group before it does anything. What is true of conmon 2.1.6 and not
obvious:

  - it waits for a byte on the start pipe before it forks;
  - its launcher ends with 0 whatever happens; only the line on the sync pipe tells;
  - it runs the exit command even if the container could not be created.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import subprocess
import threading
import time
import typing as t

from ..errors import RuntimeFailure, TimedOut, collecting, doing
from ..linux import cgroups
from ..linux.processes import ProcessIdentity, identity, signal_process
from ..linux.programs import MINIMAL_ENVIRONMENT, run, spawn
from .log_values import FILE
from .oci_runtime import OciRuntime, failure_from, message_from_log
from .oci_runtime import clean as clean_message

RUNTIME_TIMEOUT = 120.0  # seconds; a runtime needs a few hundredths of one, a machine that swaps more
_SYNC_LINE_LIMIT = 1 << 16
_SIGKILL = 9


class Launch(t.NamedTuple):
    """Everything conmon is told. `run_directory` holds a `config.json`; `cgroup` is relative to each
    hierarchy.

    `notify_socket`: where conmon passes on READY=1 and WATCHDOG=1 from `notify/notify.sock` in the run
    directory (`notify` has to be there). `log_driver` is k8s-file, journald or none; the first has a file.
    `log_path` may be relative to the run directory, conmon's working directory, and has no colon in it. With
    `kept_logs` above 0 (only where `rotates_logs`) conmon keeps that many full ones as `<log_path>.1` and
    so on.
    """

    program: str
    runtime: OciRuntime
    container_id: str
    name: str
    run_directory: str
    cgroup: str
    exit_command: t.Sequence[str]
    tty: bool = False
    interactive: bool = False
    log_path: str = "ctr.log"
    log_bytes: int = 10 << 20
    kept_logs: int = 0
    log_driver: str = FILE
    log_tag: str = ""
    notify_socket: str = ""


class Launched(t.NamedTuple):
    conmon: ProcessIdentity
    init: ProcessIdentity


def launch(
    plan: Launch, write_bundle: t.Callable[[], None], meanwhile: t.Callable[[], None] | None = None
) -> Launched:
    """Start conmon and let it create the container, up to the point where `start` lets the program go.

    `write_bundle` makes what the runtime will read. It is called while conmon loads and is being moved: on
    cgroup v1 the kernel takes a millisecond for each hierarchy. `meanwhile` is called while the runtime makes
    the container, which takes it tens of milliseconds. Raises RuntimeFailure with the runtime's own words.
    What was started is ended then; the caller undoes the rest.
    """
    start_reading, start_writing = os.pipe()
    sync_reading, sync_writing = os.pipe()
    ours = [start_writing, sync_reading]
    theirs = [start_reading, sync_writing]
    process = None
    try:
        environment = {
            **MINIMAL_ENVIRONMENT,
            "_OCI_STARTPIPE": str(theirs[0]),
            "_OCI_SYNCPIPE": str(theirs[1]),
        }
        process = spawn(arguments(plan), env=environment, pass_fds=theirs, cwd=plan.run_directory)
        while theirs:
            os.close(theirs.pop())
        with being_moved(process.pid, plan.cgroup):
            write_bundle()
        os.write(start_writing, b"1")
        try:
            if meanwhile is not None:
                meanwhile()
        finally:  # a container that is made is easier to undo than one that is being made
            process.wait(timeout=RUNTIME_TIMEOUT)
            line = read_line(sync_reading, RUNTIME_TIMEOUT)
        return _created(plan, line)
    except BaseException:
        end_launch(process, lambda: _conmon_identity(plan))
        raise
    finally:
        for fd in ours + theirs:
            os.close(fd)


@contextlib.contextmanager
def being_moved(pid: int, group: str) -> t.Iterator[None]:
    """The process is in the control group when the block is left without an error."""
    errors: list[BaseException] = []

    def move() -> None:
        with collecting(errors), doing("move conmon into its control group"):
            cgroups.take_over(pid, group)

    mover = threading.Thread(target=move)
    mover.start()
    try:
        yield
    finally:
        mover.join()
    if errors:
        raise errors[0]


def arguments(plan: Launch) -> list[str]:
    directory = plan.run_directory
    pairs = [
        ("--cid", plan.container_id),
        ("--cuuid", plan.container_id),
        ("--name", plan.name),
        ("--runtime", plan.runtime.program),
        ("--bundle", directory),
        ("--container-pidfile", os.path.join(directory, "pidfile")),
        ("--conmon-pidfile", os.path.join(directory, "conmon.pid")),
        ("--exit-dir", os.path.join(directory, "exit")),
        ("--persist-dir", os.path.join(directory, "persist")),
        *_log_pairs(plan),
        *([("--sdnotify-socket", plan.notify_socket)] if plan.notify_socket else []),
        ("--exit-command", plan.exit_command[0]),
        *(("--exit-command-arg", argument) for argument in plan.exit_command[1:]),
        *(("--runtime-arg", argument) for argument in plan.runtime.global_arguments),
        ("--runtime-arg", "--log-format=json"),
        ("--runtime-arg", f"--log={os.path.join(directory, 'oci-log')}"),
    ]
    flags = ["--api-version", "--full-attach", "--log-level=error"]
    # A terminal has both directions; conmon loses input when it is told of both (conmon-and-crun.md 3).
    flags += ["--terminal"] if plan.tty else ["--stdin"] if plan.interactive else []
    flags += ["--log-rotate"] if plan.kept_logs else []
    return [plan.program, *flags, *(word for pair in pairs for word in pair)]


def _log_pairs(plan: Launch) -> list[tuple[str, str]]:
    if plan.log_driver != FILE:
        return [("--log-path", plan.log_driver), *([("--log-tag", plan.log_tag)] if plan.log_tag else [])]
    kept = [("--log-max-files", str(plan.kept_logs))] if plan.kept_logs else []
    return [("--log-path", f"{FILE}:{plan.log_path}"), ("--log-size-max", str(plan.log_bytes)), *kept]


@functools.cache
def rotates_logs(program: str) -> bool:
    """Can this conmon keep old logs when one is full (2.2 and newer)? Older ones throw them away."""
    return b"--log-rotate" in run([program, "--help"], check=False).stdout


def _created(plan: Launch, line: bytes) -> Launched:
    try:
        answer = json.loads(line)
        init_pid = int(answer["data"])
    except (ValueError, KeyError, TypeError):
        raise RuntimeFailure(f"conmon ended without a word: {_log_text(plan) or 'no message'}") from None
    if init_pid <= 0:
        text = _log_text(plan) or clean_message(str(answer.get("message", "")))
        raise failure_from(f"{os.path.basename(plan.runtime.program)} create", text or "no message")
    conmon = _conmon_identity(plan)
    init = identity(init_pid)
    if conmon is None or init is None:
        raise RuntimeFailure("the container was killed before it was started")
    return Launched(conmon, init)


def read_line(fd: int, timeout: float) -> bytes:
    """One line from the sync pipe; what came, if it ends without one."""
    deadline = time.monotonic() + timeout
    content = b""
    while not content.endswith(b"\n") and len(content) < _SYNC_LINE_LIMIT:
        ready, _writable, _odd = select.select([fd], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise TimedOut(f"the runtime did not create the container in {timeout:g} s")
        piece = os.read(fd, _SYNC_LINE_LIMIT)
        if not piece:
            break
        content += piece
    return content


def _log_text(plan: Launch) -> str:
    try:
        with open(os.path.join(plan.run_directory, "oci-log"), "rb") as file:
            return message_from_log(file.read(_SYNC_LINE_LIMIT))
    except FileNotFoundError:
        return ""


def _conmon_identity(plan: Launch) -> ProcessIdentity | None:
    try:
        with open(os.path.join(plan.run_directory, "conmon.pid"), encoding="ascii") as file:
            return identity(int(file.read(16)))
    except (FileNotFoundError, ValueError):
        return None


def end_launch(
    process: subprocess.Popen[bytes] | None, find_conmon: t.Callable[[], ProcessIdentity | None]
) -> None:
    """Kill what a failed launch left: the launcher, or the conmon that it became."""
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()
    conmon = find_conmon()
    if conmon is not None:
        signal_process(conmon, _SIGKILL)
