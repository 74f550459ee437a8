# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The same for many, a few at a time."""

from __future__ import annotations

import os
import threading
import typing as t

T = t.TypeVar("T")


def in_parallel(function: t.Callable[[T], object], items: t.Iterable[T], threads: int | None = None) -> None:
    """Call `function` for each item in `threads` threads (default: processors + 1); returns when all have
    ended.

    After the first error no further item is begun; it is raised when those under way have ended.
    """
    waiting = iter(list(items))
    mutex = threading.Lock()
    errors: list[BaseException] = []

    def work() -> None:
        while True:
            with mutex:
                item = None if errors else next(waiting, None)
            if item is None:
                return
            try:
                function(item)
            except BaseException as error:
                errors.append(error)

    count = threads or len(os.sched_getaffinity(0)) + 1
    workers = [threading.Thread(target=work, daemon=True) for _number in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
