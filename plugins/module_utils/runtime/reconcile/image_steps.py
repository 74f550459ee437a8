# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The steps of a plan for images: what each says, and which verb it calls."""

from __future__ import annotations

import dataclasses
import typing as t

from ..oci.reference import familiar_name
from .steps import Step

if t.TYPE_CHECKING:
    from ..content.images import ImageRecord
    from ..engine import Engine
    from ..oci.reference import Reference
    from ..operations.import_rootfs import Rootfs
    from ..operations.list_archived_images import ArchivedImage
    from ..operations.store_image import Pulled
    from ..registry.options import RegistryOptions


@dataclasses.dataclass(frozen=True)
class PullImage(Step):
    """`platform` as asked, like `linux/arm64`; None for that of the host."""

    reference: Reference
    platform: str | None
    options: RegistryOptions | None
    reason: str

    def describe(self) -> str:
        return f"pull image {self.reference.familiar}: {self.reason}"

    def execute(self, engine: Engine) -> dict[str, t.Any]:
        from ..oci.platforms import parse_platform
        from ..operations.pull_image import pull_image

        platform = parse_platform(self.platform) if self.platform else None
        return _facts(pull_image(engine, self.reference, self.options, platform))


@dataclasses.dataclass(frozen=True)
class RepairImage(Step):
    """Make damaged layers of an image again (from its blobs, else from its registry)."""

    name: str
    record: ImageRecord
    options: RegistryOptions | None
    reason: str

    def describe(self) -> str:
        return f"repair image {self.name}: {self.reason}"

    def execute(self, engine: Engine) -> dict[str, t.Any]:
        from ..operations.repair_image import repair_image

        return _facts(repair_image(engine, self.record, self.options))


@dataclasses.dataclass(frozen=True)
class LoadImage(Step):
    image: ArchivedImage
    names: tuple[Reference, ...]
    reason: str

    def describe(self) -> str:
        return f"load image {self.image.parts.id[:19]} from {self.image.archive.path}: {self.reason}"

    def execute(self, engine: Engine) -> dict[str, t.Any]:
        from ..operations.load_image import load_image

        return _facts(load_image(engine, self.image, self.names))


@dataclasses.dataclass(frozen=True)
class ImportRootfs(Step):
    rootfs: Rootfs
    names: tuple[Reference, ...]
    reason: str

    def describe(self) -> str:
        return f"import root file system {self.rootfs.path}: {self.reason}"

    def execute(self, engine: Engine) -> dict[str, t.Any]:
        from ..operations.import_rootfs import import_rootfs

        return _facts(import_rootfs(engine, self.rootfs, self.names))


@dataclasses.dataclass(frozen=True)
class TagImage(Step):
    """Give `name` to the image that `source` (a name, or an image id) leads to when the step's turn comes."""

    source: Reference | str
    name: Reference
    reason: str

    def describe(self) -> str:
        source = self.source if isinstance(self.source, str) else self.source.familiar
        return f"tag image {source} as {self.name.familiar}: {self.reason}"

    def execute(self, engine: Engine) -> None:
        from ..operations.tag_image import tag_image

        tag_image(engine, self.source, self.name)


@dataclasses.dataclass(frozen=True)
class RemoveImage(Step):
    """`names` that go, and whether the image goes with them."""

    wanted: Reference | str
    names: tuple[str, ...]
    whole: bool
    force: bool

    def describe(self) -> str:
        names = ", ".join(map(familiar_name, self.names)) or str(self.wanted)
        return f"remove image {names}" if self.whole else f"remove the name {names}: the image stays"

    def execute(self, engine: Engine) -> dict[str, t.Any]:
        from ..operations.remove_image import remove_image

        removed = remove_image(engine, self.wanted, self.force)
        return {"freed": removed.freed, "warnings": [removed.warning] if removed.warning else []}


def _facts(pulled: Pulled) -> dict[str, t.Any]:
    return {"pull": pulled.facts, "warnings": list(pulled.warnings)}
