# Copyright (c) The Coracle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs in process groups of their own: an interrupt ends each with all that it started, exactly once.

A terminal would tell only what it runs itself, `kill` only one process; and whoever is told twice does not
clean up. So nobody is told but us, and we tell every group.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import typing as t

import packages

_PATIENCE = 60.0  # seconds to clean up in

_running: set[subprocess.Popen[bytes]] = set()
_signals: list[int] = []


class Interrupted(RuntimeError):
    pass


def check() -> None:
    """After an interrupt nothing new begins."""
    if _signals:
        raise Interrupted("interrupted")


@contextlib.contextmanager
def running(
    argv: list[str], cwd: pathlib.Path, env: t.Mapping[str, str], output: t.IO[str]
) -> t.Iterator[subprocess.Popen[bytes]]:
    """A program whose output goes to a file, waited for at the end."""
    check()
    # A group, not a session: `sudo -n` remembers people by their terminal.
    group: dict[str, t.Any] = (
        {"process_group": 0} if sys.version_info >= (3, 11) else {"start_new_session": True}
    )
    with subprocess.Popen(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **group
    ) as process:
        _running.add(process)
        if _signals:  # just now
            _tell(process, signal.SIGINT)
        yield process
        process.wait()
        _running.discard(process)


def end_on_interrupt() -> None:
    """From now on SIGINT and SIGTERM interrupt what runs, which may then clean up; a second one kills it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def interrupted() -> int:
    """The exit status that shells give for it, or 0."""
    return 128 + _signals[0] if _signals else 0


def _interrupt(number: int, _frame: object) -> None:
    """Raises nothing: whoever waits for a program goes on waiting until it has ended."""
    again = bool(_signals)
    _signals.append(number)
    if again:
        _tell_all(signal.SIGKILL)
        return
    print("\ninterrupted: waiting until what runs has cleaned up", file=sys.stderr, flush=True)
    _tell_all(signal.SIGINT)
    impatient = threading.Timer(_PATIENCE, _tell_all, (signal.SIGKILL,))
    impatient.daemon = True
    impatient.start()


def _tell_all(number: signal.Signals) -> None:
    for process in list(_running):
        _tell(process, number)


def _tell(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is not None:
        return
    try:
        os.killpg(process.pid, number)
    except PermissionError:  # a program of root's, by sudo
        argv = [*(packages.as_root() or []), "kill", f"-{number.value}", "--", f"-{process.pid}"]
        subprocess.run(argv, capture_output=True, check=False)
    except ProcessLookupError:
        pass
