# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Reading a log while it grows: every line once, in order, wherever segments end (log_segments.py).

A segment is known by its inode, whatever name it has at the moment. It is finished when the one after it has
content: conmon has closed it by then, so what is left in it is read and the next one begun. The empty
segment that a keeper holds ready is not a next one yet. Who comes so late that his segment is gone
altogether goes on with the oldest one that is there.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from .logs import Line, open_segments, parse_line

if t.TYPE_CHECKING:
    from ..paths import Paths

_BLOCK = 1 << 20


class LogFollower:
    """A context manager. `read` gives what has come since the last time, from the oldest segment on; whoever
    has read a part already begins `at` the segment (its inode) and the place in it where he ended.
    """

    def __init__(self, paths: Paths, container_id: str) -> None:
        self._paths = paths
        self._id = container_id
        self._file: t.BinaryIO | None = None
        self._rest = b""

    def __enter__(self) -> LogFollower:
        return self

    def __exit__(self, *_error: object) -> None:
        self._use(None)

    def read(self) -> t.Iterator[Line]:
        while True:
            following = self._following()
            if self._file is not None:
                yield from self._new_lines(self._file)
            if following is None:
                return
            self._use(following)

    def _following(self) -> t.BinaryIO | None:
        """The segment to go on with when the present one is read to its end; None: the present one goes on.

        It is looked for before the present one is read, so that nothing can be written in between.
        """
        with contextlib.ExitStack() as stack:
            files = open_segments(self._paths, self._id, stack)
            place = self._place(files)
            later = [file for file in files[place + 1 :] if os.fstat(file.fileno()).st_size]
            if not later:
                return None
            return open(os.dup(later[0].fileno()), "rb")

    def _place(self, files: t.Sequence[t.BinaryIO]) -> int:
        """The index of the present segment; -1 when there is none yet, or when it is gone."""
        if self._file is None:
            return -1
        inode = os.fstat(self._file.fileno()).st_ino
        return next((place for place, file in enumerate(files) if _inode(file) == inode), -1)

    def _new_lines(self, file: t.BinaryIO) -> t.Iterator[Line]:
        if os.fstat(file.fileno()).st_size < file.tell():
            file.seek(0)  # conmon has begun it again because nobody gave it its name
            self._rest = b""
        while True:
            block = file.read(_BLOCK)
            if not block:
                return
            *whole, self._rest = (self._rest + block).split(b"\n")
            for raw in whole:
                line = parse_line(raw + b"\n")
                if line:
                    yield line

    def _use(self, file: t.BinaryIO | None) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._rest = file, b""


def _inode(file: t.BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino
