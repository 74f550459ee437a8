# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What has happened to containers, images, networks and volumes: a line for each event, the last thousands.

    <root>/events.log        what is written now, at most 1 MiB
    <root>/events.log.1      what was written before

It is for people who want to know what was done and when. Nothing of the engine depends on it: it is not
synced, an event that cannot be written is lost, and a task that was killed may have left none. Kinds, actions
and attributes are Docker's ("System event messages" of Engine API 1.47).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import typing as t

from ..linux.processes import now

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine
    from ..paths import Paths

_LARGEST = 1 << 20
_NAME = "events.log"


class Event(t.NamedTuple):
    """`time` in RFC 3339, UTC with nanoseconds; `kind` is container, image, network or volume."""

    time: str
    kind: str
    action: str
    id: str
    attributes: dict[str, str]

    def to_docker(self) -> dict[str, t.Any]:
        from ..container.moments import nanoseconds_of

        nanoseconds = nanoseconds_of(self.time)
        return {
            "status": self.action,
            "id": self.id,
            "Type": self.kind,
            "Action": self.action,
            "Actor": {"ID": self.id, "Attributes": self.attributes},
            "scope": "local",
            "time": nanoseconds // 10**9,
            "timeNano": nanoseconds,
        }


def note_container(engine: Engine, action: str, record: ContainerRecord, /, **attributes: t.Any) -> None:
    """With the name of the container, its image and its labels. Halves of a replacement say nothing."""
    from ..container.records import is_hidden
    from ..oci.reference import familiar_name

    if is_hidden(record.name):
        return
    known = {"image": familiar_name(record.image_name) if record.image_name else "", "name": record.name}
    labels = record.config.labels or {}
    note(engine, "container", action, record.id, **{**labels, **known, **attributes})


def note(engine: Engine, kind: str, action: str, id: str, /, **attributes: t.Any) -> None:
    """Write it down, if that can be done."""
    texts = {name: str(value) for name, value in attributes.items()}
    line = json.dumps([now(), kind, action, id, texts]) + "\n"
    with contextlib.suppress(OSError):
        _append(os.path.join(engine.paths.root, _NAME), line.encode())


def _append(path: str, line: bytes) -> None:
    """Several processes may write at once; who finds the file full begins another one, under its lock."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path, flags, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_size + len(line) > _LARGEST and _is(path, fd):
            os.rename(path, f"{path}.1")
            os.close(fd)
            fd = os.open(path, flags, 0o600)
        os.write(fd, line)
    finally:
        os.close(fd)


def _is(path: str, fd: int) -> bool:
    return os.stat(path).st_ino == os.fstat(fd).st_ino


def read_history(paths: Paths) -> t.Iterator[Event]:
    """Oldest first. What is no event is passed over."""
    for name in (f"{_NAME}.1", _NAME):
        try:
            with open(os.path.join(paths.root, name), encoding="utf-8", errors="replace") as lines:
                yield from filter(None, map(event_of, lines))
        except FileNotFoundError:
            continue


def event_of(line: str) -> Event | None:
    try:
        time, kind, action, id_, attributes = json.loads(line)
        return Event(str(time), str(kind), str(action), str(id_), dict(attributes))
    except (ValueError, TypeError):
        return None


class Follower:
    """Events that come after it was made, across the change from one file to the next."""

    def __init__(self, paths: Paths) -> None:
        self._path = os.path.join(paths.root, _NAME)
        self._file: t.TextIO | None = self._open()
        self._rest = ""
        if self._file is not None:
            self._file.seek(0, os.SEEK_END)

    def new(self) -> list[Event]:
        """What has come since this was asked last."""
        lines = self._lines()
        if self._is_old():
            lines += self._lines()  # what was written before it was renamed
            if self._file is not None:
                self._file.close()
            self._file = self._open()
            lines += self._lines()
        return [event for event in map(event_of, lines) if event is not None]

    def _lines(self) -> list[str]:
        if self._file is None:
            return []
        *lines, self._rest = (self._rest + self._file.read()).split("\n")
        return lines

    def _is_old(self) -> bool:
        try:
            found = os.stat(self._path).st_ino
        except FileNotFoundError:
            return False
        return self._file is None or os.fstat(self._file.fileno()).st_ino != found

    def _open(self) -> t.TextIO | None:
        try:
            return open(self._path, encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
