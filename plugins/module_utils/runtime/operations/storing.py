# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The frame around whatever brings an image: the lock, the words, and a clean disk when the disk fails."""

from __future__ import annotations

import contextlib
import typing as t

from ..errors import CoracleError, StorageError, doing
from ..linux.locks import lock
from .collect_garbage import collect_garbage, collect_postponed

if t.TYPE_CHECKING:
    from ..engine import Engine


@contextlib.contextmanager
def storing(engine: Engine, phrase: str) -> t.Iterator[None]:
    """Hold the lock `content` shared; after an error of the disk, remove all that nothing refers to.

    `phrase` names the operation, as in `doing`.
    """
    try:
        with doing(phrase), lock(engine.paths, "content", shared=True):
            yield
    except StorageError:
        with contextlib.suppress(CoracleError, OSError):
            collect_garbage(engine, wait=0)
        raise
    collect_postponed(engine)
