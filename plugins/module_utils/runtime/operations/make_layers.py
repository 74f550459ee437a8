# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Missing layers, one after the other or several at once: from the bytes of a blob to a verified, staged
tree.

    blob in the store ─────┐
    interrupted download ──┼─▶ sha256 ─▶ ingest file
    source, from there on ─┘      └────▶ worker, a process of its own: inflate ─▶ sha256 (diff id) ─▶ files

One pass over the bytes. What is here already is used before the source is asked; if it turns out to be
damaged, it is dropped and the source is asked after all.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t

from ..content.blobs import BlobStore, Ingest
from ..errors import CoracleError, IntegrityError, doing
from ..layers.limits import Limits
from ..layers.store import LayerStore, StagedLayer
from ..layers.worker import ExtractionPool
from ..oci.documents import Descriptor, layer_compression
from .check_space import check_space

if t.TYPE_CHECKING:
    from ..paths import Paths

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

    def turn_away(self, layer: WantedLayer, error: CoracleError) -> bool:
        """Go elsewhere for a blob after this error, if there is such a place: True, and `open` goes there."""


WAITING, MOVING, COMPLETE, EXISTS = "waiting", "moving", "complete", "exists"


class Progress(t.NamedTuple):
    """How far the missing layers are: compressed bytes, and layers. And what this is about: the blob of one
    of the layers, of which `blob_bytes` are unpacked, and its stage.
    """

    bytes: int
    total_bytes: int
    layers: int
    total_layers: int
    blob: Descriptor | None = None
    blob_bytes: int = 0
    stage: str = WAITING


class LayerMaker:
    """What it has made so far: `staged` layers and the `ingests` of their blobs, complete and without a name
    yet.

    `bytes` came from the source. Leaving the `with` block discards what was not published.
    """

    def __init__(
        self,
        paths: Paths,
        source: Source,
        pool: ExtractionPool,
        progress: t.Callable[[Progress], None] | None,
    ) -> None:
        self.staged: list[StagedLayer] = []
        self.ingests: dict[str, Ingest] = {}
        self.bytes = 0
        self._paths = paths
        self._source = source
        self._pool = pool
        self._report = progress or (lambda _progress: None)
        self._blobs = BlobStore(paths)
        self._store = LayerStore(paths)
        self._stages = contextlib.ExitStack()
        self._mutex = threading.Lock()
        self._failed = threading.Event()
        self._progress = Progress(0, 0, 0, 0)

    def make(self, layers: t.Sequence[WantedLayer]) -> None:
        """Make all of them, the largest first. StorageError, before anything is read, if they cannot fit."""
        total = sum(layer.blob.size for layer in layers)
        here = sum(min(self._blobs.bytes_here(layer.blob.digest), layer.blob.size) for layer in layers)
        # What is compressed does not become smaller: this is the least that will be needed.
        check_space(self._paths, 2 * total - here)
        self._progress = Progress(0, total, 0, len(layers))
        for layer in layers:
            self._advance(layer.blob, stage=WAITING)
        self._source.deliver(sorted(layers, key=lambda layer: -layer.blob.size), self._take)

    def report_existing(self, layer: WantedLayer) -> None:
        """Nothing has to be done for this one."""
        self._advance(layer.blob, stage=EXISTS)

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
        """False: bytes that were here before were damaged, and are dropped now; or the source of the blob
        was no good, and there is another one.
        """
        with contextlib.ExitStack() as stage:
            staged = stage.enter_context(self._store.stage(layer.diff_id))
            try:
                self._extract(layer, staged, open_source)
            except IntegrityError as error:
                if not self._drop(layer.blob) and not self._source.turn_away(layer, error):
                    raise
                return False
            except CoracleError as error:
                if not self._source.turn_away(layer, error):
                    raise
                self.ingests.pop(layer.blob.digest).close()
                return False
            with self._mutex:
                self._stages.push(stage.pop_all())
                self.staged.append(staged)
        self._advance(layer.blob, layers=1, done=layer.blob.size, stage=COMPLETE)
        return True

    def _extract(self, layer: WantedLayer, staged: StagedLayer, open_source: Open) -> None:
        worker = self._pool.start(staged, layer_compression(layer.blob.media_type), limits=Limits())
        done = 0
        try:
            for piece in self._pieces(layer.blob, open_source):
                worker.write(piece)
                done += len(piece)
                self._advance(layer.blob, len(piece), done=done)
                if self._failed.is_set():
                    raise CoracleError("given up because another layer failed")
            worker.finish()
        except CoracleError:
            self._advance(layer.blob, -done)
            raise
        finally:
            worker.abort()

    def _pieces(self, blob: Descriptor, open_source: Open) -> t.Iterator[bytes | memoryview]:
        """The verified bytes of a blob: from the store, or from the source on their way into the store."""
        if self._blobs.has(blob.digest, blob.size):
            with self._blobs.open(blob.digest, blob.size) as stored:
                yield from _pieces_of(stored)
            return
        ingest = self._blobs.ingest(blob.digest, blob.size)
        self.ingests[blob.digest] = ingest
        yield from ingest.replay()
        if ingest.position < ingest.size:
            with contextlib.closing(open_source(ingest.position)) as reader:
                for piece in _pieces_of(reader):
                    ingest.write(piece)
                    self._count(len(piece))
                    yield piece
        ingest.verify()

    def _count(self, count: int) -> None:
        with self._mutex:
            before = self.bytes // _LOOK_AT_SPACE
            self.bytes += count
            look = self.bytes // _LOOK_AT_SPACE != before
        if look:
            check_space(self._paths)

    def _drop(self, blob: Descriptor) -> bool:
        """Remove the bytes that gave a wrong layer. True: some of them had been here before."""
        ingest = self.ingests.pop(blob.digest, None)
        if ingest is None:
            return self._blobs.remove(blob.digest) > 0
        ingest.discard()
        return ingest.offset > 0

    def _advance(
        self, blob: Descriptor, count: int = 0, *, layers: int = 0, done: int = 0, stage: str = MOVING
    ) -> None:
        with self._mutex:
            before = self._progress
            self._progress = before._replace(
                bytes=before.bytes + count,
                layers=before.layers + layers,
                blob=blob,
                blob_bytes=done,
                stage=stage,
            )
            self._report(self._progress)

    def __enter__(self) -> LayerMaker:
        return self

    def __exit__(self, *_error: object) -> None:
        with self._stages:
            for ingest in self.ingests.values():
                ingest.close()


def _pieces_of(reader: Readable) -> t.Iterator[memoryview]:
    """What a reader gives, piece after piece in the same memory: use each before asking for the next."""
    buffer = memoryview(bytearray(_PIECE))
    while count := reader.readinto(buffer):
        yield buffer[:count]
