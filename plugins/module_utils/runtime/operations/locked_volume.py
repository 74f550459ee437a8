# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Holding a volume: while it is mounted, filled, unmounted or removed."""

from __future__ import annotations

import contextlib
import hashlib
import typing as t

from ..linux.locks import lock

if t.TYPE_CHECKING:
    from ..engine import Engine

_TIMEOUT = 600.0  # seconds; the first container to use a volume may have much to copy


def lock_name(name: str) -> str:
    """A name of a volume may be longer than one of a file, with what is around it."""
    return f"volume-{hashlib.sha256(name.encode()).hexdigest()[:32]}"


@contextlib.contextmanager
def locked_volume(engine: Engine, name: str) -> t.Iterator[None]:
    with lock(engine.paths, lock_name(name), timeout=_TIMEOUT):
        yield
