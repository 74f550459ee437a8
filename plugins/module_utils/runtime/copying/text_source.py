# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""One file, whose content is in the task."""

from __future__ import annotations

import hashlib
import typing as t

from .items import FILE, Item, Pieces
from .modes import NEW_FILE


class TextSource:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def items(self) -> t.Iterator[Item]:
        digest = hashlib.sha256(self._data).hexdigest()
        yield Item("", FILE, NEW_FILE, size=len(self._data), digest=digest)

    def content(self, item: Item) -> Pieces:
        if self._data:
            yield 0, self._data
