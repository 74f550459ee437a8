# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The steps of pruning: what each says, what it gives back, and which verb it calls.

A step looks again before it removes anything. That somebody needs the thing by now is Conflict, and that
somebody was faster is NotFound: neither is a failure of a pruning.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..oci.reference import familiar_name
from .differences import LIVE, REMOVE, Difference
from .steps import Step

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..content.images import ImageRecord
    from ..engine import Engine

CONTAINERS, IMAGES, NETWORKS, VOLUMES = "containers", "images", "networks", "volumes"
BUILD_CACHE, LOGS = "builder_cache", "logs"
KINDS = (CONTAINERS, IMAGES, NETWORKS, VOLUMES, BUILD_CACHE, LOGS)


@dataclasses.dataclass(frozen=True)
class PruneStep(Step):
    """`bytes`: what it is going to give back. `entries`: what it adds to the list of its kind in a result.
    `removes`: it has done something even if it has given back nothing.
    """

    bytes: int

    kind: t.ClassVar[str]
    removes: t.ClassVar[bool] = True

    @property
    def entries(self) -> list[t.Any]:
        raise NotImplementedError

    @property
    def difference(self) -> Difference:
        return Difference(self._what, f"{self.bytes} bytes", None, self.describe(), REMOVE)

    def give_back(self, engine: Engine) -> int:
        """Do it; the bytes that this has given back."""
        raise NotImplementedError

    @property
    def _what(self) -> str:
        """`container web`"""
        raise NotImplementedError

    def execute(self, engine: Engine) -> dict[str, t.Any]:
        return {"freed": self.give_back(engine)}


@dataclasses.dataclass(frozen=True)
class PruneContainer(PruneStep):
    record: ContainerRecord
    status: str

    kind: t.ClassVar[str] = CONTAINERS

    @property
    def entries(self) -> list[str]:
        return [self.record.id]

    @property
    def _what(self) -> str:
        return f"container {self.record.name}"

    def describe(self) -> str:
        if self.status == "removing":
            return f"remove container {self.record.name}: its removal was begun"
        return f"remove container {self.record.name}: it is {self.status}"

    def give_back(self, engine: Engine) -> int:
        from ..operations.prune_container import prune_container

        prune_container(engine, self.record)
        return self.bytes


@dataclasses.dataclass(frozen=True)
class PruneLogs(PruneStep):
    record: ContainerRecord
    everything: bool
    until: str

    kind: t.ClassVar[str] = LOGS
    removes: t.ClassVar[bool] = False

    @property
    def entries(self) -> list[str]:
        return [self.record.name]

    @property
    def _what(self) -> str:
        return f"log of container {self.record.name}"

    @property
    def difference(self) -> Difference:
        return Difference(self._what, f"{self.bytes} bytes more", None, self.describe(), LIVE)

    def describe(self) -> str:
        return f"shorten the log of container {self.record.name}: {self.bytes} bytes are not needed"

    def give_back(self, engine: Engine) -> int:
        from ..operations.prune_logs import prune_logs

        return prune_logs(engine, self.record.id, everything=self.everything, until=self.until)


@dataclasses.dataclass(frozen=True)
class PruneNetwork(PruneStep):
    name: str

    kind: t.ClassVar[str] = NETWORKS

    @property
    def entries(self) -> list[str]:
        return [self.name]

    @property
    def _what(self) -> str:
        return f"network {self.name}"

    @property
    def difference(self) -> Difference:
        return Difference(self._what, "unused", None, self.describe(), REMOVE)

    def describe(self) -> str:
        return f"remove network {self.name}: no container is on it"

    def give_back(self, engine: Engine) -> int:
        from ..operations.remove_network import remove_network

        remove_network(engine, self.name)
        return 0


@dataclasses.dataclass(frozen=True)
class PruneVolume(PruneStep):
    name: str

    kind: t.ClassVar[str] = VOLUMES

    @property
    def entries(self) -> list[str]:
        return [self.name]

    @property
    def _what(self) -> str:
        return f"volume {self.name}"

    def describe(self) -> str:
        return f"remove volume {self.name}: no container uses it"

    def give_back(self, engine: Engine) -> int:
        from ..operations.remove_volume import remove_volume

        remove_volume(engine, self.name)
        return self.bytes


@dataclasses.dataclass(frozen=True)
class PruneImage(PruneStep):
    """What it is made of is given back by CollectGarbage, for all images at once: they share layers."""

    record: ImageRecord
    names: tuple[str, ...]

    kind: t.ClassVar[str] = IMAGES

    @property
    def entries(self) -> list[dict[str, str]]:
        untagged = [{"Untagged": familiar_name(name)} for name in self.names]
        return [*untagged, {"Deleted": self.record.id}]

    @property
    def _what(self) -> str:
        return f"image {self._called}"

    @property
    def difference(self) -> Difference:
        return Difference(self._what, self.record.id, None, self.describe(), REMOVE)

    @property
    def _called(self) -> str:
        return ", ".join(map(familiar_name, self.names)) or self.record.id[:19]

    def describe(self) -> str:
        nameless = "" if self.names else "it has no name, and "
        return f"remove image {self._called}: {nameless}no container uses it"

    def give_back(self, engine: Engine) -> int:
        from ..operations.prune_image import prune_image

        prune_image(engine, self.record, self.names)
        return 0


@dataclasses.dataclass(frozen=True)
class CollectGarbage(PruneStep):
    """After the images: their layers and blobs, as far as nobody else has them, and interrupted downloads."""

    kind: t.ClassVar[str] = IMAGES
    removes: t.ClassVar[bool] = False

    @property
    def entries(self) -> list[t.Any]:
        return []

    @property
    def _what(self) -> str:
        return "layers and blobs of no image"

    def describe(self) -> str:
        return f"remove layers and blobs that no image needs: {self.bytes} bytes"

    def give_back(self, engine: Engine) -> int:
        from ..operations.collect_garbage import collect_garbage

        freed = collect_garbage(engine)
        if freed is None:
            engine.warn("the space of images will be freed when the pulls under way have ended")
        return freed or 0
