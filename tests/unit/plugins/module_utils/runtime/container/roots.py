# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import contextlib
import os
import pathlib
import typing as t


@contextlib.contextmanager
def descriptor(path: pathlib.Path) -> t.Iterator[int]:
    """The descriptor of a root directory, as the engine hands it around."""
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)
