# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a layer, unpacked on its own, takes for granted about the layers below it.

A tar may say `lib/x` without saying `lib`. Alone, that makes a directory `lib`; but if a layer below has a
symbolic link `lib` to `usr/lib`, the author meant `usr/lib/x`. So a layer that is unpacked once and shared by
many images writes down what it assumed, and `assemble` compares that with each image's real layers.
"""

from __future__ import annotations

import typing as t

from ..errors import IntegrityError

_WEIGHT_LIMIT = 16 << 20  # bytes of all paths together
_SCAN_LIMIT = 10_000_000


class Demands:
    """Paths are clean and without symbolic links inside this layer.

    through    must be a directory or nothing below: gone through, or made, without being listed
    inherited  directories that were never listed: owner, mode, times and attributes come from below
    existing   must be a directory below: they hold whiteouts (which overlayfs shows in a directory that only
               one layer has), or are there only to be opaque
    parents    the layer cannot be unpacked without those below (a hard link to a file of theirs)
    alone      everything below is hidden: the root is opaque
    """

    def __init__(self) -> None:
        self.through: set[bytes] = set()
        self.inherited: set[bytes] = set()
        self.existing: set[bytes] = set()
        self.parents = False
        self.alone = False
        self._weight = 0
        self._scanned = 0

    def pass_through(self, path: bytes) -> None:
        if path not in self.through:
            self._weight += len(path)
            if self._weight > _WEIGHT_LIMIT:
                raise IntegrityError("the layer leaves out too many directories")
            self.through.add(path)

    def inherit(self, path: bytes) -> None:
        """`path` is made only because something in it is."""
        self.pass_through(path)
        self.inherited.add(path)

    def exist(self, path: bytes) -> None:
        """`path` holds a whiteout or was made opaque without being listed."""
        self.pass_through(path)
        self.existing.add(path)

    def own(self, path: bytes) -> None:
        """`path` is made, and nothing of its nature comes from below."""
        self.inherited.discard(path)
        self.existing.discard(path)

    def inherits_below(self, path: bytes) -> bool:
        """Is any inherited directory strictly below `path`? May say yes without looking when it has looked
        too often.
        """
        self._scanned += len(self.inherited)
        if self._scanned > _SCAN_LIMIT:
            return True
        prefix = path + b"/" if path else b""
        return any(one.startswith(prefix) and one != path for one in self.inherited)

    def to_json(self) -> dict[str, t.Any]:
        lists = {name: _texts(getattr(self, name)) for name in ("through", "inherited", "existing")}
        flags = {name: True for name in ("parents", "alone") if getattr(self, name)}
        return {**{name: texts for name, texts in lists.items() if texts}, **flags}

    @classmethod
    def from_json(cls, data: t.Mapping[str, t.Any]) -> Demands:
        """Raises TypeError or ValueError for what `to_json` cannot have written."""
        demands = cls()
        for name in ("through", "inherited", "existing"):
            setattr(demands, name, {text.encode("utf-8", "surrogateescape") for text in data.get(name, ())})
        demands.parents = bool(data.get("parents", False))
        demands.alone = bool(data.get("alone", False))
        return demands


def _texts(paths: set[bytes]) -> list[str]:
    """Not `os.fsdecode`: the record must mean the same under every locale."""
    return sorted(path.decode("utf-8", "surrogateescape") for path in paths)
