# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Whiteouts: names in a layer that say what is not there any more. Source: image-spec, layer.md, "Whiteouts".

`.wh.<name>` hides `<name>` of the layers below, `.wh..wh..opq` hides everything that its directory has below;
what the same layer brings stays, whichever comes first. Written down in a layer's own tree they are
overlayfs's: a character device 0:0, and the attribute `trusted.overlay.opaque`. Applied to a whole file
system they are removals, by the algorithm of umoci, whose comments in `oci/layer/tar_extract.go` are the best
text on the subject.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ..errors import IntegrityError
from .headers import shown
from .marks import is_whiteout
from .tree import Directory, NotDirectory, Tree

PREFIX = b".wh."
_OPAQUE = b".wh..wh..opq"
_AUFS = b".wh..wh."  # aufs kept house under these names; old exports contain them
_WHITEOUT = os.makedev(0, 0)


def is_ignored(path: bytes) -> bool:
    """Book-keeping of aufs, which means nothing here."""
    steps = path.split(b"/")
    return any(step.startswith(_AUFS) for step in steps[:-1]) or (
        steps[-1].startswith(_AUFS) and steps[-1] != _OPAQUE
    )


def hidden_name(path: bytes) -> bytes | None:
    """The name, beside it, that a whiteout at `path` hides; None for all names of its directory.

    Raises IntegrityError for a whiteout of `.`, `..` or nothing: umoci 0.4.7 removed its own root for one of
    them.
    """
    base = path.rpartition(b"/")[2]
    if base == _OPAQUE:
        return None
    name = base[len(PREFIX) :]
    if name in (b"", b".", b".."):
        raise IntegrityError(f"{shown(path)} is not a whiteout of anything")
    return name


def check_reserved(parent: bytes) -> None:
    if any(step.startswith(PREFIX) for step in parent.split(b"/")):
        raise IntegrityError(f"{shown(parent)}: names that begin with .wh. are reserved for whiteouts")


class Whiteouts(t.Protocol):
    """`parent` is a clean path; `path` in `placed` is canonical: without symbolic links."""

    def hide(self, parent: bytes, name: bytes | None) -> None: ...

    def placed(self, path: bytes) -> None: ...


class OverlayWhiteouts:
    """In the tree of one layer, for overlayfs to read."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def placed(self, path: bytes) -> None:
        pass

    def hide(self, parent: bytes, name: bytes | None) -> None:
        try:
            directory = self._tree.visible_directory(parent)
        except NotDirectory:  # which hides everything already; umoci writes such whiteouts
            return
        if directory is None:
            return
        if name is None:
            self._hide_all(directory)
        else:
            self._hide(directory, name)

    def _hide(self, directory: Directory, name: bytes) -> None:
        found = self._tree.look(directory, name)
        if found is None:
            os.mknod(name, 0o600 | stat.S_IFCHR, _WHITEOUT, dir_fd=directory.fd)
            self._tree.count()
            self._tree.demands.exist(directory.path)
            directory.touched = True
        elif stat.S_ISDIR(found.st_mode):
            own = self._tree.directory(directory.child(name))
            self._tree.demands.parents |= own.path in self._tree.demands.inherited
            if not own.sealed:
                self._seal(own)

    def _hide_all(self, directory: Directory) -> None:
        self._seal(directory)
        if not directory.path:
            self._tree.demands.alone = True
        elif directory.path in self._tree.demands.inherited:
            self._tree.demands.exist(directory.path)

    def _seal(self, directory: Directory) -> None:
        """Make it opaque; the whiteouts in it have nothing left to hide.

        What inherits from below and is then hidden, in this order, cannot be told without the layers below.
        """
        demands = self._tree.demands
        demands.parents |= demands.inherits_below(directory.path)
        if directory.path in demands.existing:
            demands.existing.discard(directory.path)
            for text in os.listdir(directory.fd):
                self._unhide(directory, os.fsencode(text))
        self._tree.seal(directory)

    def _unhide(self, directory: Directory, name: bytes) -> None:
        found = self._tree.look(directory, name)
        if found is not None and is_whiteout(found):
            self._tree.remove(directory, name, found)


class AppliedWhiteouts:
    """In a whole file system: what the layer hides is removed, what the layer itself has placed stays."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._placed: set[bytes] = set()

    def placed(self, path: bytes) -> None:
        while path and path not in self._placed:
            self._placed.add(path)
            path = path.rpartition(b"/")[0]

    def hide(self, parent: bytes, name: bytes | None) -> None:
        directory = self._tree.existing_directory(parent)
        if directory is None:
            return
        if name is None:
            self._remove_below(directory.path)
        else:
            self._remove(directory, name)

    def _remove(self, directory: Directory, name: bytes) -> None:
        path = directory.child(name)
        if path not in self._placed:
            self._tree.clear(directory, name)
        elif self._is_directory(directory, name):
            self._remove_below(path)

    def _remove_below(self, path: bytes) -> None:
        pending = [path]
        while pending:
            directory = self._tree.directory(pending.pop())
            for text in os.listdir(directory.fd):
                name = os.fsencode(text)
                path = directory.child(name)
                if path not in self._placed:
                    self._tree.clear(directory, name)
                elif self._is_directory(directory, name):
                    pending.append(path)

    def _is_directory(self, directory: Directory, name: bytes) -> bool:
        found = self._tree.look(directory, name)
        return found is not None and stat.S_ISDIR(found.st_mode)
