# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""From compressed layers, wherever they come from, to layer directories on disk: verified, complete and
synced.

    which are missing?  layer locks; completion records and a recount; a broken one goes to the trash
    make these          several at once, each in a process of its own                      (make_layers.py)
    all are right       ONE syncfs ─▶ blobs get their names ─▶ completion records ─▶ layers get their names

A layer that another process is making is not made twice: it is waited for, after our own ones are finished
and unlocked, and then looked at again.

What remains of a failure: after a network error the downloads, for the next attempt to continue; after an
error of the disk, or bytes that are not what they should be, nothing. Of a SIGKILL: ingest and staging files
that nobody has locked, which the next attempt continues or sweeps.
"""

from __future__ import annotations

import contextlib
import typing as t

from ..content.blobs import BlobStore
from ..content.images import list_images, users_of
from ..errors import Conflict, IntegrityError, StorageError, TimedOut, collecting
from ..layers.assemble import Assembly, LayerStream, assemble
from ..layers.store import LayerStore
from ..layers.worker import ExtractionPool
from ..linux.locks import lock
from ..linux.mounts import is_mounted
from ..oci.digest import VerifyingReader, sha256_digest
from ..oci.documents import layer_compression
from .check_space import megabytes
from .make_layers import LayerMaker, Progress, Source, WantedLayer

if t.TYPE_CHECKING:
    from ..engine import Engine

_WAIT_FOR_OTHERS = 3600.0  # seconds for another process to finish a layer that it is making


class Received(t.NamedTuple):
    """`directories` and `parents_layer` as in ImageRecord; `size` in uncompressed bytes.

    Of the layers of the image, `layers` were unpacked by this call (`bytes` came from the source for them);
    `reused` were there, or were made by somebody else.
    """

    directories: tuple[str, ...]
    parents_layer: str | None
    size: int
    bytes: int
    layers: int
    reused: int


def receive_layers(
    engine: Engine,
    layers: t.Sequence[WantedLayer],
    documents: t.Sequence[bytes],
    source: Source,
    known: t.Collection[str] = (),
    progress: t.Callable[[Progress], None] | None = None,
) -> Received:
    """Make sure that all layers (bottom first) are laid out, and that they and the documents are on disk.

    `documents`: manifest and configuration as they came. `known`: the directories that the image had before,
    which are looked at, too. The caller holds the lock `content` shared until the image is recorded.
    """
    with ExtractionPool() as pool, LayerMaker(engine.paths, source, pool, progress) as maker:
        reception = _Reception(engine, layers, documents, source, pool, maker)
        try:
            return reception.run(known)
        except BaseException as error:
            reception.undo(error)
            raise


class _Reception:
    def __init__(
        self,
        engine: Engine,
        layers: t.Sequence[WantedLayer],
        documents: t.Sequence[bytes],
        source: Source,
        pool: ExtractionPool,
        maker: LayerMaker,
    ) -> None:
        self._engine = engine
        self._layers = layers
        self._documents = documents
        self._source = source
        self._pool = pool
        self._maker = maker
        self._blobs = BlobStore(engine.paths)
        self._store = LayerStore(engine.paths)
        self._committed: list[str] = []
        self._made = 0

    def run(self, known: t.Collection[str]) -> Received:
        """Make what is ours to make, unlock it, wait for what others make; again, until nothing is left."""
        wanted = list(_distinct(self._layers).values())
        for name in set(known) - {self._name_of(layer) for layer in wanted}:
            self._is_intact(name)
        while True:
            with contextlib.ExitStack() as locks:
                mine, others = self._lock(wanted, locks)
                self._store.sweep()
                self._make([layer for layer in mine if not self._is_there(layer)])
                if not others:
                    return self._received(self._assemble())
                self._store.publish(self._maker.staged)
                self._maker.staged.clear()
            self._wait_for(others[0])
            wanted = others

    def undo(self, error: BaseException) -> None:
        """Drop the downloads, unless another attempt can continue them, and blobs that a lie got named."""
        problems: list[BaseException] = []
        if isinstance(error, IntegrityError):
            for digest in self._committed:
                with collecting(problems):
                    self._blobs.remove(digest)
        if not self._source.resumes or isinstance(error, (StorageError, IntegrityError, OSError)):
            for ingest in self._maker.ingests.values():
                with collecting(problems):
                    ingest.discard()
        if isinstance(error, StorageError) and self._maker.bytes:
            error.message += f"; the {megabytes(self._maker.bytes)} that were read are removed again"

    # Which layers are to be made

    def _lock(
        self, layers: t.Sequence[WantedLayer], locks: contextlib.ExitStack
    ) -> tuple[list[WantedLayer], list[WantedLayer]]:
        """Lock what nobody else has locked: (those, the others)."""
        mine, others = [], []
        for layer in sorted(layers, key=lambda layer: layer.diff_id):
            try:
                locks.enter_context(lock(self._engine.paths, self._lock_name(layer), timeout=0))
                mine.append(layer)
            except TimedOut:
                others.append(layer)
        return mine, others

    def _wait_for(self, layer: WantedLayer) -> None:
        with lock(self._engine.paths, self._lock_name(layer), timeout=_WAIT_FOR_OTHERS):
            pass

    def _lock_name(self, layer: WantedLayer) -> str:
        return f"layer-{self._name_of(layer)}"

    def _name_of(self, layer: WantedLayer) -> str:
        return self._store.name_of(layer.diff_id)

    def _is_there(self, layer: WantedLayer) -> bool:
        there = self._is_intact(self._name_of(layer))
        if there:
            self._maker.report_existing(layer)
        return there

    def _is_intact(self, name: str) -> bool:
        """Is the layer there, as its record says? What is left of a broken one is removed."""
        if self._store.verify(name):
            return True
        self._refuse_if_mounted(name)
        self._store.remove(name)
        return False

    def _refuse_if_mounted(self, name: str) -> None:
        rows, paths = self._engine.records.read(), self._engine.paths
        users = [
            user
            for image in list_images(rows)
            if name in image.mounted_directories
            for container_id, user in users_of(rows, image.id).items()
            if is_mounted(f"{paths.container(container_id)}/rootfs")
        ]
        if users:
            raise Conflict(
                f"layer {name} is damaged and in use by {', '.join(users)}",
                "stop these containers, then pull again",
            )

    # Making and naming them

    def _make(self, missing: t.Sequence[WantedLayer]) -> None:
        """After this the blobs have their names, and everything that was written is synced."""
        if missing:
            self._maker.make(missing)
            self._made += len(missing)
        ingests = self._maker.ingests
        self._blobs.commit(list(ingests.values()))
        self._committed += ingests
        ingests.clear()
        for document in self._documents:
            if not self._blobs.has(sha256_digest(document)):
                self._committed.append(sha256_digest(document))
            self._blobs.put(document)

    def _assemble(self) -> Assembly:
        diff_ids = [layer.diff_id for layer in self._layers]
        return assemble(self._store, self._pool, diff_ids, self._maker.staged, self._reopen)

    @contextlib.contextmanager
    def _reopen(self, index: int) -> t.Iterator[LayerStream]:
        layer = self._layers[index]
        with self._open_again(layer) as reader:
            yield LayerStream(reader.read, layer_compression(layer.blob.media_type))

    def _open_again(self, layer: WantedLayer) -> VerifyingReader:
        if self._blobs.has(layer.blob.digest, layer.blob.size):
            return self._blobs.open(layer.blob.digest, layer.blob.size)
        return VerifyingReader(self._source.open(layer, 0), layer.blob.digest, layer.blob.size)

    def _received(self, assembly: Assembly) -> Received:
        records = [self._store.record(name) for name in assembly.directories]
        return Received(
            directories=tuple(assembly.directories),
            parents_layer=assembly.parents_layer,
            size=sum(record.bytes for record in records if record is not None),
            bytes=self._maker.bytes,
            layers=self._made,
            reused=len(self._layers) - self._made,
        )


def _distinct(layers: t.Sequence[WantedLayer]) -> dict[str, WantedLayer]:
    """By diff id: a layer may occur twice. A blob that is said to unpack to two different layers is a lie."""
    by_blob: dict[str, str] = {}
    for layer in layers:
        if by_blob.setdefault(layer.blob.digest, layer.diff_id) != layer.diff_id:
            raise IntegrityError(f"blob {layer.blob.digest} is said to unpack to two different layers")
    return {layer.diff_id: layer for layer in reversed(layers)}
