# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Which run root belongs to which root. Locks, and what is known of running processes, are in one, records
in the other: two engines that share half of that would take each other's containers for dead.

    <root>/run_root    path of the run root
    <run_root>/root    path of the root; gone after a reboot, with everything that was running

A pair is one when both say so. What only one of them says is of an earlier boot, or of somebody who was
killed in between, and does not count. Lock: a flock on both directories while the marks are written.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import typing as t

from ..errors import Conflict
from ..paths import Paths

_LONGEST = 1 << 13


def check_roots(paths: Paths) -> bool:
    """Conflict when one of both belongs to another; True when they are known to belong together."""
    root, run_root = paths.root, paths.run_root
    of_run_root, of_root = _read(_mark_of_run_root(run_root)), _read(_mark_of_root(root))
    if of_run_root == root and of_root == run_root:
        return True
    if of_run_root not in ("", root) and _read(_mark_of_root(of_run_root)) == run_root:
        raise Conflict(
            f"run_root: {run_root} belongs to the engine with root {of_run_root}",
            f"give root {root} a run_root of its own, or use root: {of_run_root}",
        )
    if of_root not in ("", run_root) and _read(_mark_of_run_root(of_root)) == root:
        raise Conflict(
            f"root: the engine in {root} runs with run_root {of_root}, not {run_root}",
            f"use run_root: {of_root}; it can be another one after a reboot",
        )
    return False


def run_root_of(root: str) -> str:
    """The run root that a root was used with last; empty if it was never used."""
    return _read(_mark_of_root(root))


def claim_roots(paths: Paths) -> None:
    """Make them a pair; both directories are there. Conflict as above."""
    if check_roots(paths):
        return
    with _locked(paths.root), _locked(paths.run_root):
        if not check_roots(paths):
            _write(_mark_of_run_root(paths.run_root), paths.root)
            _write(_mark_of_root(paths.root), paths.run_root)


def _mark_of_run_root(run_root: str) -> str:
    return os.path.join(run_root, "root")


def _mark_of_root(root: str) -> str:
    return os.path.join(root, "run_root")


def _read(path: str) -> str:
    """Empty if there is no such file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.fsdecode(os.read(fd, _LONGEST))
    except IsADirectoryError:
        return ""
    finally:
        os.close(fd)


def _write(path: str, text: str) -> None:
    """Not synced: what a power cut can take, it takes with everything that was running."""
    temporary = f"{path}.new"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)
        os.write(fd, os.fsencode(text))
    finally:
        os.close(fd)
    os.rename(temporary, path)


@contextlib.contextmanager
def _locked(directory: str) -> t.Iterator[None]:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
