# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""How long to go on with a server that fails now and then: capped, and counted again after each progress."""

from __future__ import annotations

import random
import time
import typing as t

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 10.0
STALLS = 3
"""So many times `timeout` seconds without progress are enough, however many attempts are left."""


class Interrupted(t.Protocol):
    """An error after which another attempt makes sense; `retry_after` is the server's wish in seconds, or
    0.
    """

    retry_after: float


class Patience:
    """`progressed()` after every success or partial success, `wait(error)` after every failure."""

    def __init__(self, retries: int, timeout: float, count: t.Callable[[], None] = lambda: None) -> None:
        """`count` is called for every new attempt."""
        self._retries = retries
        self._longest = STALLS * timeout
        self._count = count
        self.progressed()

    def progressed(self) -> None:
        self._attempts = 0
        self._since = time.monotonic()

    def wait(self, error: Exception, retry_after: float = 0.0) -> None:
        """Sleep before the next attempt, or raise `error` when there should be none."""
        if self._attempts >= self._retries or time.monotonic() - self._since >= self._longest:
            raise error
        backoff = FIRST_PAUSE * 2**self._attempts * random.uniform(0.8, 1.2)
        self._attempts += 1
        self._count()
        time.sleep(min(max(backoff, retry_after), LONGEST_PAUSE))
