# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A container's log as lines: whole ones, joined from the pieces in which conmon wrote them, and only those
that were asked for.

Reading begins at the end and goes back, block by block and segment by segment, until what was asked for is
complete: the last ten lines of 30 MB cost one block. A line is where its last piece is; its time is that of
its first one.
"""

from __future__ import annotations

import contextlib
import re
import typing as t

from .logs import Line, open_segments, parse_line, utc

if t.TYPE_CHECKING:
    from ..paths import Paths

_BLOCK = 1 << 16
LIMIT = 16 << 20  # bytes of text that one answer has at most


class LogLine(t.NamedTuple):
    """`time`: RFC 3339 in UTC with nine digits. `text`: without the line feed, which the last line may lack
    in the log, too (`complete`).
    """

    time: str
    stream: str
    text: bytes
    complete: bool = True


class LogQuery(t.NamedTuple):
    """`tail`: at most so many lines, the last ones. `since`, `until`: RFC 3339 in UTC with nine digits, both
    included. `stream`: stdout or stderr. `pattern`: is searched for in every line.
    """

    tail: int | None = None
    since: str = ""
    until: str = ""
    stream: str = ""
    pattern: re.Pattern[bytes] | None = None

    def accepts(self, line: LogLine) -> bool:
        return (
            (not self.since or line.time >= self.since)
            and (not self.until or line.time <= self.until)
            and (not self.stream or line.stream == self.stream)
            and (self.pattern is None or bool(self.pattern.search(line.text)))
        )


def read_lines(
    paths: Paths, container_id: str, query: LogQuery, limit: int = LIMIT
) -> tuple[list[LogLine], bool]:
    """The lines, oldest first, and whether older ones had to be left out because together they have more than
    `limit` bytes.
    """
    found: list[LogLine] = []
    size = 0
    if query.tail == 0:
        return [], False
    with contextlib.ExitStack() as stack:
        files = open_segments(paths, container_id, stack)
        for line in _lines_backwards(_raw_backwards(files), limit):
            if query.since and line.time < query.since:
                break
            if not query.accepts(line):
                continue
            size += len(line.text) + 1
            if size > limit and found:
                return found[::-1], True
            found.append(line)
            if len(found) == query.tail:
                break
    return found[::-1], False


def _raw_backwards(files: t.Sequence[t.BinaryIO]) -> t.Iterator[Line]:
    for file in reversed(files):
        for raw in _lines_of_file_backwards(file):
            line = parse_line(raw)
            if line:
                yield line


def _lines_of_file_backwards(file: t.BinaryIO) -> t.Iterator[bytes]:
    """With their line feeds; what is after the last line feed is still being written."""
    end = file.seek(0, 2)
    rest = b""
    while end > 0:
        begin = max(0, end - _BLOCK)
        file.seek(begin)
        pieces = _split(file.read(end - begin) + rest)
        end = begin
        rest = pieces.pop(0) if begin and pieces else b""
        yield from (piece for piece in reversed(pieces) if piece.endswith(b"\n"))
    if rest.endswith(b"\n"):
        yield rest


def _split(block: bytes) -> list[bytes]:
    """At line feeds only: programs write carriage returns and other things that end lines elsewhere."""
    pieces = [piece + b"\n" for piece in block.split(b"\n")]
    pieces[-1] = pieces[-1][:-1]
    return pieces if pieces[-1] else pieces[:-1]


class _Open:
    """A line of which older pieces may come."""

    def __init__(self, last: Line) -> None:
        self.stream = last.stream
        self.complete = last.complete
        self.pieces = [last]
        self.size = len(last.text)
        self.done = False

    def line(self) -> LogLine:
        text = b"".join(piece.text for piece in reversed(self.pieces))
        return LogLine(utc(self.pieces[-1].time), self.stream, text, self.complete)


def _lines_backwards(raw: t.Iterable[Line], limit: int) -> t.Iterator[LogLine]:
    """Lines of both streams may lie inside each other: each is kept until its first piece is known."""
    waiting: list[_Open] = []
    open_: dict[str, _Open] = {}
    for piece in raw:
        current = open_.get(piece.stream)
        if current is not None and not piece.complete:
            current.pieces.append(piece)
            current.size += len(piece.text)
            if current.size > limit:
                current.pieces[-1] = piece._replace(text=b"")
                current.size -= len(piece.text)
            continue
        if current is not None:
            current.done = True
        open_[piece.stream] = _Open(piece)
        waiting.append(open_[piece.stream])
        while waiting and waiting[0].done:
            yield waiting.pop(0).line()
    yield from (each.line() for each in waiting)


class LineJoiner:
    """The same forwards, for whoever follows a log: pieces in, whole lines out."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._pieces: dict[str, list[Line]] = {}

    def add(self, piece: Line) -> LogLine | None:
        """The line that the piece completes."""
        pieces = self._pieces.setdefault(piece.stream, [])
        pieces.append(piece)
        if not piece.complete and sum(len(each.text) for each in pieces) <= self._limit:
            return None
        return self._take(piece.stream)

    def rest(self) -> list[LogLine]:
        """What will not be completed any more."""
        return [self._take(stream) for stream in list(self._pieces)]

    def _take(self, stream: str) -> LogLine:
        pieces = self._pieces.pop(stream)
        text = b"".join(piece.text for piece in pieces)
        return LogLine(utc(pieces[0].time), stream, text, pieces[-1].complete)
