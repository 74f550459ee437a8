# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The files of a container's log: at most three segments of 10 MiB, or what `log_options` say, and not a byte
lost where one ends.

    <root>/containers/<id>/ctr.log        what conmon writes now
    <root>/containers/<id>/ctr.log.1 .2   what it wrote before, oldest last
    <root>/containers/<id>/ctr.log.limits the bytes of a segment in this run, and how many segments are kept
    <root>/logs/<id>                      what conmon has begun to write since somebody last looked; mostly
    not there <run directory>/ctr.log               what conmon was told: a symbolic link to logs/<id> <run
    directory>/ctr.log.tmp           another hard link of that symbolic link

conmon 2.2 keeps old segments itself. Older ones, when a segment is full, open `PATH.tmp` with
O_CREAT|O_TRUNC and rename it over PATH, which deletes the segment. We turn this into a rotation without
touching a byte: opening `ctr.log.tmp` follows the link and makes `logs/<id>`; renaming one hard link over
another of the same inode does nothing (rename(2)), so the link is still there for the next time. The old
segment is never deleted because no name of it is ever replaced.

What is left to do is one rename: `logs/<id>` becomes `ctr.log` (`adopt`). The directory `logs` is empty
until a segment is full, so waiting for work is waiting for an entry in one directory: log_keeper.py, or a
systemd path unit. If nobody comes before another segment is full, conmon truncates `logs/<id>`: lines are
lost, but the bound holds. conmon's descriptor does not care about names.

Lock: a flock on the directory `logs`; shared for readers while they open, exclusive for `adopt`. A crash
between two of its renames leaves a gap in the numbers and nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import typing as t

from ..linux.files import make_private_directory

if t.TYPE_CHECKING:
    from ..paths import Paths

SEGMENT_BYTES = 10 << 20
SEGMENTS = 3
NAME = "ctr.log"
_MARGIN = 8 << 10  # bytes that conmon writes at once


def logs_directory(paths: Paths) -> str:
    return os.path.join(paths.root, "logs")


def segment(paths: Paths, container_id: str, number: int = 0) -> str:
    """0 is the one that is written now."""
    return os.path.join(paths.container(container_id), f"{NAME}.{number}" if number else NAME)


class Limits(t.NamedTuple):
    """At most `files` segments of `bytes`; 0 files: any number."""

    bytes: int
    files: int


DEFAULT_LIMITS = Limits(SEGMENT_BYTES, SEGMENTS)


class Log(t.NamedTuple):
    """What conmon is told: `path` (relative to the run directory, or absolute), the `bytes` that
    it may write to one segment, and how many full segments it keeps itself (0: it deletes them, for all it
    knows).
    """

    path: str
    bytes: int
    kept: int = 0


def numbers(paths: Paths, container_id: str) -> list[int]:
    """Of the segments that may be there, newest first; 0 is always one of them."""
    try:
        names = os.listdir(paths.container(container_id))
    except FileNotFoundError:
        names = []
    endings = (name[len(NAME) + 1 :] for name in names if name.startswith(f"{NAME}."))
    return [0, *sorted(int(ending) for ending in endings if ending.isdigit())]


def begin(
    paths: Paths,
    container_id: str,
    run_directory: str,
    limits: Limits = DEFAULT_LIMITS,
    *,
    keeps_itself: bool,
) -> Log:
    """Before conmon starts: continue the log of the runs before. What they left in a segment counts."""
    make_private_directory(logs_directory(paths))
    adopt(paths, container_id)
    current = segment(paths, container_id)
    with locked(paths, fcntl.LOCK_EX):
        _write_limits(paths, container_id, limits)
        # Where there is no other segment to go on with, only a full one is given up.
        if _size(current) > (limits.bytes // 2 if limits.files != 1 else limits.bytes - _MARGIN):
            _shift(paths, container_id, limits.files)
        _trim(paths, container_id, limits)
    left = limits.bytes - _size(current)
    if keeps_itself and limits.files > 1 and ":" not in current:
        return Log(current, left, limits.files - 1)
    _link(current, run_directory)
    return Log(NAME, left)


def arm(paths: Paths, container_id: str, run_directory: str, log: Log) -> None:
    """After conmon has opened the log, before the container writes: be ready for the first full segment."""
    if log.kept:
        return
    _link(begun_segment(paths, container_id), run_directory)
    link = os.path.join(run_directory, NAME)
    os.link(link, f"{link}.tmp", follow_symlinks=False)


def apply_limits(paths: Paths, container_id: str, limits: Limits) -> None:
    """Other limits for a container that may run. conmon goes on with segments of the size that it was told at
    its start, so that their number follows: as many as have the same room together, at least one. A conmon
    that keeps segments itself hears of it with the next start.
    """
    with locked(paths, fcntl.LOCK_EX):
        size = _read_limits(paths, container_id).bytes
        files = max(1, limits.bytes * limits.files // size) if limits.files else 0
        _write_limits(paths, container_id, Limits(size, files))
        _trim(paths, container_id, Limits(size, files))


def adopt(paths: Paths, container_id: str, *, empty: bool = False) -> bool:
    """Give the segment that conmon has begun its name, and drop the oldest. False: there is none.

    One without a byte may be the keeper's and is left alone; the keeper knows better (`empty`).
    """
    begun = begun_segment(paths, container_id)
    with locked(paths, fcntl.LOCK_EX):
        if not os.path.lexists(begun) or not (empty or _size(begun)):
            return False
        if not os.path.isdir(paths.container(container_id)):
            os.unlink(begun)  # the container was removed while its conmon was still writing
            return True
        _shift(paths, container_id, _read_limits(paths, container_id).files)
        os.rename(begun, segment(paths, container_id))
        return True


def begun_segment(paths: Paths, container_id: str) -> str:
    """What conmon makes when a segment is full."""
    return os.path.join(logs_directory(paths), container_id)


def is_armed(paths: Paths, container_id: str) -> bool:
    """Is there a run of the container whose conmon will want a new segment?"""
    directory = paths.container_run(container_id)
    try:
        return any(
            os.path.lexists(os.path.join(directory, nonce, f"{NAME}.tmp")) for nonce in os.listdir(directory)
        )
    except FileNotFoundError:
        return False


def discard(paths: Paths, container_id: str) -> None:
    """The container is gone: drop what its conmon had begun; the other segments went with its directory."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(begun_segment(paths, container_id))


@contextlib.contextmanager
def locked(paths: Paths, operation: int) -> t.Iterator[None]:
    """Held for a few renames or opens only, so nobody waits long; without the directory there is nothing to
    lock.
    """
    try:
        fd = os.open(logs_directory(paths), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(fd, operation)
        yield
    finally:
        os.close(fd)


def _shift(paths: Paths, container_id: str, files: int) -> None:
    """`ctr.log` becomes `.1`, `.1` becomes `.2` up to the first gap, and what is too much is gone."""
    there = numbers(paths, container_id)
    moving = [number for place, number in enumerate(there) if number == place]
    for number in reversed(moving):
        with contextlib.suppress(FileNotFoundError):
            if files and number + 1 >= files:
                os.unlink(segment(paths, container_id, number))
            else:
                os.rename(segment(paths, container_id, number), segment(paths, container_id, number + 1))


def _trim(paths: Paths, container_id: str, limits: Limits) -> None:
    """Drop full segments that are too many, or for which there is no room."""
    room = limits.bytes * limits.files
    for number in numbers(paths, container_id) if limits.files else ():
        path = segment(paths, container_id, number)
        room -= _size(path)
        if number and (number >= limits.files or room < 0):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _limits_file(paths: Paths, container_id: str) -> str:
    return os.path.join(paths.container(container_id), f"{NAME}.limits")


def _read_limits(paths: Paths, container_id: str) -> Limits:
    try:
        with open(_limits_file(paths, container_id), encoding="ascii") as file:
            size, files = file.read(64).split()
        return Limits(int(size), int(files))
    except (FileNotFoundError, ValueError):
        return DEFAULT_LIMITS  # of an engine that knew no others, or cut off by a plug that was pulled


def _write_limits(paths: Paths, container_id: str, limits: Limits) -> None:
    path = _limits_file(paths, container_id)
    with contextlib.suppress(FileNotFoundError):  # a container that was never started has no directory
        with open(f"{path}.new", "w", encoding="ascii", opener=_open_private) as file:
            file.write(f"{limits.bytes} {limits.files}\n")
        os.rename(f"{path}.new", path)


def _open_private(path: str, flags: int) -> int:
    """Whatever the umask."""
    return os.open(path, flags, 0o600)


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def _link(target: str, run_directory: str) -> None:
    """Make `ctr.log` in the run directory a symbolic link to `target`, whatever it was."""
    new = os.path.join(run_directory, f"{NAME}.new")
    os.symlink(target, new)
    os.rename(new, os.path.join(run_directory, NAME))
