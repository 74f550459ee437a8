# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Reading a container's log: the segments in order, and the bytes that the program wrote.

A line of the k8s-file format is `TIME STREAM TAG TEXT`: TIME in RFC 3339 with nine digits and the host's
zone, STREAM stdout or stderr, TAG `F` where the program wrote the end of the line and `P` where it did not
(yet). Joining the texts, with a line feed after each F, gives back exactly what was written. What cannot be
such a line (the disk was full, a segment was cut) is skipped.

A program writes what it likes: the text is data and nothing in it is believed.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import re
import typing as t

from .log_segments import begun_segment, locked, numbers, segment

if t.TYPE_CHECKING:
    from ..paths import Paths
    from .records import ContainerRecord

OUTPUT_LIMIT = 16 << 20
_READ_ATTEMPTS = 10
_LINE = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([PF]) ?(.*)\n", re.DOTALL
)


class Line(t.NamedTuple):
    """`time` as written; `text` without the line feed, whose presence `complete` tells."""

    time: bytes
    stream: str
    complete: bool
    text: bytes


def read_log(paths: Paths, container_id: str) -> t.Iterator[Line]:
    """Every line that is kept, oldest first, in the order in which conmon wrote them."""
    with contextlib.ExitStack() as stack:
        for file in open_segments(paths, container_id, stack):
            for raw in file:
                line = parse_line(raw)
                if line:
                    yield line


def parse_line(raw: bytes) -> Line | None:
    match = _LINE.fullmatch(raw)
    return Line(match[1], match[2].decode(), match[3] == b"F", match[4]) if match else None


def read_output(paths: Paths, record: ContainerRecord, limit: int = OUTPUT_LIMIT) -> str:
    """What the last run of the container wrote, both streams as they came; the last `limit` bytes of it.

    Bytes that are not UTF-8 become U+FFFD.
    """
    return read_bytes(paths, record, limit)[0].decode("utf-8", "replace")


def read_bytes(
    paths: Paths, record: ContainerRecord, limit: int = OUTPUT_LIMIT, stream: str | None = None
) -> tuple[bytes, bool]:
    """The bytes, of one stream or of both, and whether there were more than `limit`."""
    begin = begin_of_last_run(record)
    content = bytearray()
    truncated = False
    for line in read_log(paths, record.id):
        if (stream and line.stream != stream) or (begin and utc(line.time) < begin):
            continue
        content += line.text + (b"\n" if line.complete else b"")
        if len(content) > 2 * limit:
            truncated = True
            del content[:-limit]
    return bytes(content[-limit:]), truncated or len(content) > limit


def begin_of_last_run(record: ContainerRecord) -> str:
    """In the form of `utc`; empty for a container that was never started."""
    state = record.state
    if state.run is not None:
        return state.run.created_at
    return state.exit.started_at if state.exit else ""


def utc(time: bytes) -> str:
    """A log's time as the records write theirs: UTC, nine digits, `Z`; so that they compare as text."""
    text = time.decode("ascii")
    if text.endswith(("Z", "+00:00")):
        return text[:29] + "Z"
    seconds, fraction, zone = text[:19], text[19:29], text[29:]
    moment = datetime.datetime.fromisoformat(seconds + zone).astimezone(datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


def open_segments(paths: Paths, container_id: str, stack: contextlib.ExitStack) -> list[t.BinaryIO]:
    """All segments, oldest first, opened at one instant. conmon 2.2 shifts them without our lock: an inode
    that shows up twice, or not at all, tells, and then they are opened again.
    """
    files: list[t.BinaryIO] = []
    for _attempt in range(_READ_ATTEMPTS):
        with locked(paths, fcntl.LOCK_SH):
            names = [segment(paths, container_id, number) for number in numbers(paths, container_id)[::-1]]
            names.append(begun_segment(paths, container_id))
            files = [file for file in map(_open, names) if file is not None]
            still = [_inode(name) for name in names]
        for file in files:
            stack.callback(file.close)
        if [os.fstat(file.fileno()).st_ino for file in files] == [inode for inode in still if inode]:
            break
    return files


def _open(path: str) -> t.BinaryIO | None:
    try:
        return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
    except FileNotFoundError:
        return None


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return 0
