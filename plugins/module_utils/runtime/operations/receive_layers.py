# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""From compressed layers, wherever they come from, to layer directories on disk: verified, complete and
synced.

    which are missing?  layer locks; completion records and a recount; a broken one goes to the trash
    each missing one    source ─▶ sha256 ─▶ ingest file       one pass over the bytes, several layers at once
                             └─▶ worker, a process of its own: inflate ─▶ sha256 (diff id) ─▶ files
    all are right       ONE syncfs ─▶ blobs get their names ─▶ completion records ─▶ layers get their names

A layer that another process is making is not made twice: it is waited for, after our own ones are finished
and unlocked, and then looked at again. Bytes that are here already are used before the source is asked: the
blob, or what an interrupted download left. If they turn out to be damaged they are dropped, and the source is
asked after all.

What remains of a failure: after a network error the downloads, for the next attempt to continue; after an
error of the disk, or bytes that are not what they should be, nothing. Of a SIGKILL: ingest and staging files
that nobody has locked, which the next attempt continues or sweeps.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t

from ..content.blobs import BlobStore, Ingest
from ..content.images import list_images, users_of
from ..errors import Conflict, CoracleError, IntegrityError, StorageError, TimedOut, collecting, doing
from ..layers.assemble import Assembly, LayerStream, assemble
from ..layers.limits import Limits
from ..layers.store import LayerStore, StagedLayer
from ..layers.worker import ExtractionPool
from ..linux.locks import lock
from ..linux.mounts import is_mounted
from ..oci.digest import VerifyingReader, sha256_digest
from ..oci.documents import Descriptor, layer_compression
from .check_space import check_space, megabytes

if t.TYPE_CHECKING:
    from ..engine import Engine

_WAIT_FOR_OTHERS = 3600.0  # seconds for another process to finish a layer that it is making
_LOOK_AT_SPACE = 16 << 20  # bytes between two looks
_PIECE = 1 << 20  # bytes


class WantedLayer(t.NamedTuple):
    """A layer of an image: the diff id that it has to unpack to, and the blob that it comes in."""

    diff_id: str
    blob: Descriptor


class Readable(t.Protocol):
    def readinto(self, buffer: memoryview, /) -> int: ...

    def close(self) -> None: ...


Open = t.Callable[[int], Readable]
"""The bytes of a blob from an offset on."""

Take = t.Callable[[WantedLayer, Open], None]


class Source(t.Protocol):
    """Where blobs come from. `resumes`: is a part of a blob worth keeping for the next attempt?"""

    resumes: bool

    def deliver(self, layers: t.Sequence[WantedLayer], take: Take) -> None:
        """Call `take` once for each layer, in whichever threads and order suit the source."""

    def open(self, layer: WantedLayer, offset: int) -> Readable:
        """One blob again, from an offset on."""


class Progress(t.NamedTuple):
    """How far the missing layers are: compressed bytes, and layers."""

    bytes: int
    total_bytes: int
    layers: int
    total_layers: int


class Received(t.NamedTuple):
    """`directories` and `parents_layer` as in ImageRecord, `size` in uncompressed bytes; `bytes` came from
    the source.

    Of the layers of the image, `layers` were unpacked by this call, `reused` were there or came from somebody
    else.
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
    with ExtractionPool() as pool, _Reception(engine, layers, documents, source, pool, progress) as reception:
        return reception.run(known)


class _Reception:
    def __init__(
        self,
        engine: Engine,
        layers: t.Sequence[WantedLayer],
        documents: t.Sequence[bytes],
        source: Source,
        pool: ExtractionPool,
        progress: t.Callable[[Progress], None] | None,
    ) -> None:
        self._engine = engine
        self._layers = layers
        self._documents = documents
        self._source = source
        self._pool = pool
        self._report = progress or (lambda _progress: None)
        self._blobs = BlobStore(engine.paths)
        self._store = LayerStore(engine.paths)
        self._limits = Limits()
        self._mutex = threading.Lock()
        self._failed = threading.Event()
        self._ingests: dict[str, Ingest] = {}
        self._staged: list[StagedLayer] = []
        self._stages = contextlib.ExitStack()
        self._committed: list[str] = []
        self._progress = Progress(0, 0, 0, 0)
        self._bytes = 0
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
                self._make([layer for layer in mine if not self._is_intact(self._name_of(layer))])
                if not others:
                    return self._received(self._assemble())
                self._store.publish(self._staged)
                self._staged.clear()
            self._wait_for(others[0])
            wanted = others

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

    def _is_intact(self, name: str) -> bool:
        """Is the layer there, as its record says? What is left of a broken one is removed."""
        if self._store.verify(name):
            return True
        self._refuse_if_mounted(name)
        self._store.remove(name)
        return False

    def _refuse_if_mounted(self, name: str) -> None:
        rows, paths = self._engine.records.read(), self._engine.paths
        images = [image.id for image in list_images(rows) if name in image.mounted_directories]
        users = [
            user
            for image in images
            for container_id, user in users_of(rows, image).items()
            if is_mounted(f"{paths.container(container_id)}/rootfs")
        ]
        if users:
            raise Conflict(
                f"layer {name} is damaged and in use by {', '.join(users)}",
                "stop these containers, then pull again",
            )

    # Making them

    def _make(self, missing: t.Sequence[WantedLayer]) -> None:
        sizes = [layer.blob.size for layer in missing]
        if missing:
            # What is compressed does not become smaller: twice its size is the least that will be needed.
            stored = sum(layer.blob.size for layer in missing if self._blobs.has(layer.blob.digest))
            check_space(self._engine.paths, 2 * sum(sizes) - stored)
            self._progress = Progress(0, sum(sizes), 0, len(missing))
            self._source.deliver(sorted(missing, key=lambda layer: -layer.blob.size), self._take)
        self._commit()

    def _take(self, layer: WantedLayer, open_source: Open) -> None:
        """Make one layer, in whichever thread. After somebody's failure everybody stops."""
        try:
            with doing(f"layer {layer.blob.digest[:19]}"):
                while not self._try(layer, open_source):
                    pass
        except BaseException:
            self._failed.set()
            raise

    def _try(self, layer: WantedLayer, open_source: Open) -> bool:
        """False: bytes that were here before were damaged and are dropped now."""
        with contextlib.ExitStack() as stage:
            staged = stage.enter_context(self._store.stage(layer.diff_id))
            try:
                self._extract(layer, staged, open_source)
            except IntegrityError:
                if not self._drop(layer):
                    raise
                return False
            with self._mutex:
                self._stages.push(stage.pop_all())
                self._staged.append(staged)
                self._made += 1
                self._advance(0, 1)
            return True

    def _extract(self, layer: WantedLayer, staged: StagedLayer, open_source: Open) -> None:
        compression = layer_compression(layer.blob.media_type)
        worker = self._pool.start(staged, compression, limits=self._limits)
        try:
            for piece in self._pieces(layer.blob, open_source):
                worker.write(piece)
                self._advance(len(piece), 0)
                if self._failed.is_set():
                    raise CoracleError("given up because another layer failed")
            worker.finish()
        finally:
            worker.abort()

    def _pieces(self, blob: Descriptor, open_source: Open) -> t.Iterator[bytes | memoryview]:
        """The verified bytes of a blob: from the store, or from the source on their way into the store."""
        if self._blobs.has(blob.digest, blob.size):
            with self._blobs.open(blob.digest, blob.size) as reader:
                yield from _pieces_of(reader)
            return
        ingest = self._blobs.ingest(blob.digest, blob.size)
        self._ingests[blob.digest] = ingest
        yield from ingest.replay()
        if ingest.position < ingest.size:
            with contextlib.closing(open_source(ingest.position)) as reader:
                for piece in _pieces_of(reader):
                    ingest.write(piece)
                    self._watch_space(len(piece))
                    yield piece
        ingest.verify()

    def _watch_space(self, count: int) -> None:
        before = self._bytes // _LOOK_AT_SPACE
        self._bytes += count
        if self._bytes // _LOOK_AT_SPACE != before:
            check_space(self._engine.paths)

    def _drop(self, layer: WantedLayer) -> bool:
        """Remove the blob, or the download, that gave a wrong layer. Did it consist of bytes that were here
        before?
        """
        ingest = self._ingests.pop(layer.blob.digest, None)
        if ingest is None:
            return self._blobs.remove(layer.blob.digest) > 0
        ingest.discard()
        return ingest.offset > 0

    def _advance(self, count: int, layers: int) -> None:
        done = self._progress
        self._progress = done._replace(bytes=done.bytes + count, layers=done.layers + layers)
        self._report(self._progress)

    # Naming them

    def _commit(self) -> None:
        """Blobs and documents get their names. The one syncfs is for the files of the staged layers, too."""
        self._blobs.commit(list(self._ingests.values()))
        self._committed += self._ingests
        self._ingests.clear()
        for document in self._documents:
            if not self._blobs.has(sha256_digest(document)):
                self._committed.append(sha256_digest(document))
            self._blobs.put(document)

    def _assemble(self) -> Assembly:
        diff_ids = [layer.diff_id for layer in self._layers]
        return assemble(self._store, self._pool, diff_ids, self._staged, self._reopen, self._limits)

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
            bytes=self._bytes,
            layers=self._made,
            reused=len(self._layers) - self._made,
        )

    # Undoing

    def __enter__(self) -> _Reception:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        with self._stages:
            if error is not None:
                self._undo(error)
            for ingest in self._ingests.values():
                ingest.close()

    def _undo(self, error: BaseException) -> None:
        """Drop the downloads, unless another attempt can continue them, and blobs that a lie got named."""
        problems: list[BaseException] = []
        if isinstance(error, IntegrityError):
            for digest in self._committed:
                with collecting(problems):
                    self._blobs.remove(digest)
        if not self._source.resumes or isinstance(error, (StorageError, IntegrityError, OSError)):
            for ingest in self._ingests.values():
                with collecting(problems):
                    ingest.discard()
        if isinstance(error, StorageError) and self._bytes:
            error.message += f"; the {megabytes(self._bytes)} that were read are removed again"


def _distinct(layers: t.Sequence[WantedLayer]) -> dict[str, WantedLayer]:
    """By diff id. One layer may occur twice in an image; one blob that is said to unpack to two layers is a
    lie.
    """
    by_blob: dict[str, str] = {}
    for layer in layers:
        if by_blob.setdefault(layer.blob.digest, layer.diff_id) != layer.diff_id:
            raise IntegrityError(f"blob {layer.blob.digest} is said to unpack to two different layers")
    return {layer.diff_id: layer for layer in reversed(layers)}


def _pieces_of(reader: Readable) -> t.Iterator[memoryview]:
    """What a reader gives, piece after piece in the same memory: use each before asking for the next."""
    buffer = memoryview(bytearray(_PIECE))
    while count := reader.readinto(buffer):
        yield buffer[:count]
