# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Parent directories that a layer needs but does not list: their metadata comes from the layers below.

In a layer of its own such a directory has to be made, and overlayfs shows the metadata of the topmost one.
So, where that is not right, a layer of nothing but directories goes on top.
"""

from __future__ import annotations

import os
import typing as t

from .view import Layer, Metadata, View, opened


def hidden_metadata(stack: t.Sequence[Layer], root: Metadata) -> dict[bytes, Metadata]:
    """The directories that overlayfs would show with a metadata that is not theirs, and all above them, with
    theirs; empty where all is right. `stack` is top first, `root` is the right metadata of the root.
    """
    wanted: dict[bytes, Metadata] = {}
    with View(stack) as view:
        for path in set().union(*(layer.inherited for layer in stack)):
            found = view.find(path)
            if found.merged:
                right = _right(view, path, root)
                if right != view.metadata(path, found.merged[0]):
                    wanted[path] = right
        for path in list(wanted):
            while path:
                path = path.rpartition(b"/")[0]
                wanted[path] = wanted.get(path) or _right(view, path, root)
    return wanted


def _right(view: View, path: bytes, root: Metadata) -> Metadata:
    return view.metadata(path, view.find(path).source) if path else root


def make_directories(directory: str, wanted: t.Mapping[bytes, Metadata]) -> None:
    """Fill an empty directory of ours with what `hidden_metadata` found; times last, deepest first."""
    with opened(directory) as top:
        for path in sorted(filter(None, wanted)):
            os.mkdir(path, 0o700, dir_fd=top)
        for path in sorted(wanted, reverse=True):
            with opened(path or b".", top) as fd:
                wanted[path].give_to(fd)
