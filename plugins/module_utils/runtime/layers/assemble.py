# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The layers of an image become a stack of directories that overlayfs merges to exactly what the image means.

An image means: its layers unpacked one over the other into one directory. We unpack each layer alone, so that
images share it and layers of one image are unpacked at the same time. The two differ where a layer relies on
what is below it, which it has written down (`Demands`):

- It went through a directory that below is a symbolic link or a file (`lib/x` over `lib -> usr/lib`), it
  hides names in a directory that does not exist below, or links to a file of a layer below. Such a layer is
  unpacked again, over its real parents, into a directory named after the chain: its diff id and all diff ids
  below.
- It left out a directory, whose owner, mode, times and attributes come from below. Where the merged view
  would show something else, one more layer on top of all puts it right: directories only, named after the
  chain too.

Both are rare. `Assembly.directories` and `parents_layer` are what an image record keeps, and what garbage
collection must spare.
"""

from __future__ import annotations

import contextlib
import hashlib
import typing as t

from ..errors import IntegrityError, doing
from .demands import Demands
from .extract import Extracted
from .limits import DEFAULT, Limits
from .parents import hidden_metadata, make_directories
from .store import LayerStore, StagedLayer, count_tree
from .view import Layer, Metadata, View
from .worker import ExtractionPool

_CHUNK = 1 << 18
_ROOT = Metadata(0o755, 0, 0, 0, {})  # of an image that says nothing about it


class LayerStream(t.NamedTuple):
    """The compressed bytes of a layer, from the start: `read(n)` gives b"" at the end."""

    read: t.Callable[[int], bytes]
    compression: str


Reopen = t.Callable[[int], t.ContextManager[LayerStream]]


class Assembly(t.NamedTuple):
    """Names of layer directories, bottom first; the one on top of them all, if there is one."""

    directories: list[str]
    parents_layer: str | None


class _Placed(t.NamedTuple):
    name: str
    path: str
    demands: Demands


def assemble(
    store: LayerStore,
    pool: ExtractionPool,
    diff_ids: t.Sequence[str],
    staged: t.Sequence[StagedLayer],
    reopen: Reopen,
    limits: Limits = DEFAULT,
) -> Assembly:
    """Make the stack of the image with `diff_ids` (bottom first) and publish everything that it needs, with
    one sync.

    `staged` are its layers that were not in the store: filled, not yet published. `reopen(index)` gives a
    layer's bytes once more; it is called only for a layer that has to be unpacked over its parents. On any
    error nothing is published.
    """
    with contextlib.ExitStack() as discarded, doing("lay out the image"):
        work = _Assembling(store, pool, list(staged), reopen, limits, discarded)
        for index, diff_id in enumerate(diff_ids):
            work.add(index, diff_id)
        parents_layer = work.put_metadata_right()
        store.publish(work.staged)
        return Assembly([placed.name for placed in work.visible], parents_layer)


class _Assembling:
    """The stack so far, bottom first: an opaque root hides the first `_hidden` of `_placed`."""

    def __init__(
        self,
        store: LayerStore,
        pool: ExtractionPool,
        staged: list[StagedLayer],
        reopen: Reopen,
        limits: Limits,
        discarded: contextlib.ExitStack,
    ) -> None:
        self.staged = staged
        self._placed: list[_Placed] = []
        self._store = store
        self._pool = pool
        self._reopen = reopen
        self._limits = limits
        self._discarded = discarded
        self._chain = ""
        self._hidden = 0

    @property
    def visible(self) -> list[_Placed]:
        """What is mounted. Of a layer that occurs again only the upper one: it has all that the lower one
        has, and overlayfs takes no directory twice.
        """
        last = {placed.name: placed for placed in reversed(self._placed[self._hidden :])}
        return list(last.values())[::-1]

    def add(self, index: int, diff_id: str) -> None:
        """Put one more layer on top: the shared one where it fits, else one of its own for this chain."""
        self._chain = _digest(f"{self._chain} {diff_id}") if self._chain else diff_id
        layer = self._find(self._store.name_of(diff_id))
        if layer is None:
            raise IntegrityError(f"layer {diff_id} is not there", "pull the image again")
        if layer.demands.alone and not layer.demands.parents:
            self._hidden = index
        if not self._fits(layer.demands):
            name = _name("layer", self._chain)
            layer = self._find(name) or self._unpack(index, diff_id, name)
        self._placed.append(layer)

    def _find(self, name: str) -> _Placed | None:
        for layer in self.staged:
            if layer.name == name and layer.extracted is not None:
                return _Placed(name, layer.diff, layer.extracted.demands)
        record = self._store.record(name)
        return _Placed(name, self._store.path(name), record.demands) if record else None

    def _fits(self, demands: Demands) -> bool:
        if demands.parents:
            return False
        with View(_top_first(self.visible)) as below:
            if not all(below.is_directory(path) for path in sorted(demands.existing)):
                return False
            return all(
                below.is_directory(path) or not below.find(path).exists for path in sorted(demands.through)
            )

    def _root_metadata(self) -> Metadata:
        """Of the root: hidden layers count too, for an opaque directory is still the same directory."""
        with View(_top_first(self._placed)) as view:
            return view.metadata(b"", view.find(b"").source) if self._placed else _ROOT

    def _unpack(self, index: int, diff_id: str, name: str) -> _Placed:
        staged = self._stage(diff_id, name)
        self._root_metadata().give_to(staged.diff)
        with doing(f"unpack layer {diff_id} over the layers below it"), self._reopen(index) as stream:
            lower = self._parents(name)
            worker = self._pool.start(staged, stream.compression, self._limits, layered=False, lower=lower)
            try:
                while data := stream.read(_CHUNK):
                    worker.write(data)
                extracted = worker.finish()
            finally:
                worker.abort()
        self.staged.append(staged)
        return _Placed(name, staged.diff, extracted.demands)

    def _parents(self, name: str) -> list[str]:
        """The directories below, top first, with the right metadata: the kernel copies it up."""
        lower = [layer.directory for layer in _top_first(self.visible)]
        wanted = self._hidden_metadata()
        if wanted:
            lower.insert(0, self._stage("", name).diff)
            make_directories(lower[0], wanted)
        return lower

    def _stage(self, diff_id: str, name: str) -> StagedLayer:
        """Gone when the image is laid out, unless it is in `staged` and gets published."""
        return self._discarded.enter_context(self._store.stage(diff_id, name))

    def put_metadata_right(self) -> str | None:
        """The name of the layer that has to go on top, if one has to."""
        wanted = self._hidden_metadata()
        if not wanted:
            return None
        name = _name("parents", self._chain)
        if self._find(name) is None:
            staged = self._stage("", name)
            make_directories(staged.diff, wanted)
            staged.extracted = Extracted("", *count_tree(staged.diff), Demands())
            self.staged.append(staged)
        return name

    def _hidden_metadata(self) -> dict[bytes, Metadata]:
        return hidden_metadata(_top_first(self.visible), self._root_metadata())


def _top_first(stack: t.Sequence[_Placed]) -> list[Layer]:
    return [Layer(placed.path, placed.demands.inherited) for placed in reversed(stack)]


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _name(purpose: str, chain: str) -> str:
    """Of a directory that belongs to one chain (image-spec, config.md, "Layer ChainID") and one purpose."""
    return hashlib.sha256(f"coracle {purpose} {chain}".encode()).hexdigest()
