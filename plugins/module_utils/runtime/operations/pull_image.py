# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""How a pull works.

    content lock, shared    nothing that we look at or store is collected as garbage meanwhile
    manifest                by tag or digest; through an index to the platform wanted
    configuration           names the diff id of each layer
    layers                  the missing ones, in parallel, verified, synced          (receive_layers.py)
    record and name         one transaction: from now on the image is here              (store_image.py)

Every byte is checked against a digest that leads back to the manifest, and the manifest against the digest
that was asked for, if one was.
"""

from __future__ import annotations

import contextlib
import functools
import time
import typing as t

from ..errors import CoracleError, IntegrityError, RegistryError
from ..oci.documents import check_image
from ..oci.image_config import parse_image_config
from ..oci.platforms import Platform, check_platform, host_platform
from ..oci.reference import Reference
from ..registry.client import RegistryClient
from .history import note
from .in_parallel import in_parallel
from .make_layers import Progress, Readable, Take, WantedLayer
from .store_image import Parts, Pulled, store_image
from .storing import storing

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..registry.options import RegistryOptions


def pull_image(
    engine: Engine,
    reference: Reference,
    options: RegistryOptions | None = None,
    platform: Platform | None = None,
    progress: t.Callable[[Progress], None] | None = None,
) -> Pulled:
    """Bring an image from its registry and make `reference` lead to it. No `platform`: that of the host."""
    started = time.monotonic()
    with (
        storing(engine, f"pull {reference.familiar}"),
        contextlib.closing(RegistryClient(reference.registry, options)) as client,
    ):
        repository = Repository(client, reference.repository)
        parts, digest = repository.image(reference, platform or host_platform())
        pulled = store_image(engine, parts, repository, {name_of(reference): digest}, progress)
    note(engine, "image", "pull", name_of(reference), name=reference.familiar)
    return pulled._replace(seconds=time.monotonic() - started, warnings=tuple(repository.warnings))


def name_of(reference: Reference) -> str:
    """The name that a pull leaves. As in Docker, `x:tag@digest` leaves `x@digest`: the tag may lead
    elsewhere.
    """
    return reference.name_with_digest or reference.canonical


class Repository:
    """One repository at its registry: an image, and blobs, several at a time (receive_layers.Source)."""

    resumes = True

    def __init__(self, client: RegistryClient, repository: str) -> None:
        self._client = client
        self._repository = repository

    @property
    def warnings(self) -> t.Sequence[str]:
        return self._client.warnings

    def image(self, reference: Reference, platform: Platform) -> tuple[Parts, str]:
        """The image for a platform, checked, and the digest that `reference` stands for."""
        found = self._client.get_image(self._repository, reference.target, platform, reference.digest)
        raw_config = self._client.read_blob(self._repository, found.manifest.config)
        config = parse_image_config(raw_config)
        check_image(found.manifest, config)
        check_platform(platform, config)
        return Parts(found.manifest, config, found.document.raw, raw_config), found.digest

    def deliver(self, layers: t.Sequence[WantedLayer], take: Take) -> None:
        in_parallel(lambda layer: take(layer, functools.partial(self.open, layer)), layers)

    def open(self, layer: WantedLayer, offset: int) -> Readable:
        return self._client.open_blob(self._repository, layer.blob, offset)

    def turn_away(self, layer: WantedLayer, error: CoracleError) -> bool:
        """To the next mirror, or from the last one to the registry, after wrong bytes or a lasting cut."""
        return isinstance(error, (IntegrityError, RegistryError)) and self._client.turn_away(
            layer.blob, error
        )
