# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""zstd streams, read by the interpreter's own module (Python 3.14) or else by the distribution's `zstd`
program.

The program is found in fixed directories and started, with a clean environment, before the layer is entered:
nothing that an image contains is ever run or loaded (CVE-2026-41567). Either way a stream may ask for a
window of 128 MiB, the most that the program grants without being told. Rejected: the `zstandard` package as a
third reader; it takes a truncated stream for a complete one.
"""

from __future__ import annotations

import os
import select
import typing as t

from ..errors import IntegrityError
from .decompress import CHUNK_IN, CHUNK_OUT, Read

if t.TYPE_CHECKING:
    import subprocess

_WINDOW_LOG = 27


def unzstd(read: Read) -> t.Iterator[bytes]:
    """Frames, one after the other. The reader is loaded or running when this returns."""
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        from ..linux.programs import filter_through

        process = filter_through(["zstd", "-dcq", "--single-thread", f"--memory={1 << _WINDOW_LOG}"])
        return _through_program(process, read)
    return _through_module(zstd, read)


def _through_module(zstd: t.Any, read: Read) -> t.Iterator[bytes]:
    options = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
    decoder = None
    data = read(CHUNK_IN)
    try:
        while data:
            if decoder is None:
                decoder = zstd.ZstdDecompressor(options=options)
            yield decoder.decompress(data, CHUNK_OUT)
            while not decoder.eof and not decoder.needs_input:
                yield decoder.decompress(b"", CHUNK_OUT)
            data = b""
            if decoder.eof:
                data, decoder = decoder.unused_data, None
            data = data or read(CHUNK_IN)
    except zstd.ZstdError as error:
        raise _damaged(str(error)) from None
    if decoder is not None:
        raise _damaged("it is truncated")


def _damaged(reason: str) -> IntegrityError:
    return IntegrityError(f"the layer is not valid zstd: {reason}")


def _through_program(process: subprocess.Popen[bytes], read: Read) -> t.Iterator[bytes]:
    """Feed the program while it takes, fetch while it gives: neither side ever waits for the other."""
    feed, fetch, complain = (
        t.cast("t.IO[bytes]", pipe) for pipe in (process.stdin, process.stdout, process.stderr)
    )
    os.set_blocking(feed.fileno(), False)
    pending = memoryview(b"")
    try:
        while True:
            if not pending and not feed.closed:
                pending = memoryview(read(CHUNK_IN))
                if not pending:
                    feed.close()
            takes, gives = _ready(feed, fetch)
            if takes:
                pending = pending[_give(feed, pending) :]
            if gives:
                chunk = os.read(fetch.fileno(), CHUNK_OUT)
                if not chunk:
                    break
                yield chunk
        if process.wait() != 0:
            raise _damaged(complain.read(1000).decode("utf-8", "replace").strip().rpartition(": ")[2])
    finally:
        process.kill()
        for pipe in (feed, fetch, complain):
            pipe.close()
        process.wait()


def _ready(feed: t.IO[bytes], fetch: t.IO[bytes]) -> tuple[bool, bool]:
    poll = select.poll()
    poll.register(fetch.fileno(), select.POLLIN)
    if not feed.closed:
        poll.register(feed.fileno(), select.POLLOUT)
    ready = [fd for fd, _events in poll.poll()]
    return not feed.closed and feed.fileno() in ready, fetch.fileno() in ready


def _give(feed: t.IO[bytes], data: memoryview) -> int:
    """How much the program took: all, when it does not listen any more (its exit code says why)."""
    try:
        return os.write(feed.fileno(), data)
    except BrokenPipeError:
        return len(data)
