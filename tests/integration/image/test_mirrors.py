# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Mirrors that send wrong bytes, too few, or something else: they are passed over and named, and the image is
the registry's.
"""

from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.blobs import BlobStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import IntegrityError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.repair_image import (
    repair_image,
)
from ansible_collections.coracle.engine.tests.integration.image.images import (
    IMPATIENT,
    assert_whole,
    find,
    pull,
)
from ansible_collections.coracle.engine.tests.integration.registry.hostile import (
    Reply,
    Server,
    Site,
    blob_path,
    digest,
    manifest_path,
)


@pytest.fixture
def mirror() -> t.Iterator[Site]:
    with Server("127.0.0.2") as server:
        yield Site(server)


def mirrors(site: Site, *sites: Site) -> dict[str, list[str]]:
    """The option `mirrors`."""
    return {site.server.host: [mirror.server.host for mirror in sites]}


def other_bytes(layer: bytes) -> Reply:
    """As many bytes, the last ones wrong: only the digest tells."""
    return Reply(body=layer[:-8] + bytes(8))


def cut_short(layer: bytes) -> Reply:
    return Reply(body=layer[: len(layer) // 2], length=len(layer))


@pytest.mark.parametrize("lie", [other_bytes, cut_short])
def test_a_bad_layer_comes_from_elsewhere(
    engine: Engine, site: Site, app: str, mirror: Site, lie: t.Callable[[bytes], Reply]
) -> None:
    bad, good = mirror.layers
    mirror.route(blob_path(bad), lie(bad))
    pulled = pull(engine, app, mirrors=mirrors(site, mirror))
    assert_whole(engine, pulled.record)
    assert site.server.asked(blob_path(bad))
    assert not site.server.asked(blob_path(good))
    (warning,) = pulled.warnings
    assert warning.startswith(f"mirror {mirror.server.host} was passed over: ")


def test_what_a_cut_left_is_kept(engine: Engine, site: Site, app: str, mirror: Site) -> None:
    bad = mirror.layers[0]
    mirror.route(blob_path(bad), cut_short(bad))
    pulled = pull(engine, app, mirrors=mirrors(site, mirror))
    assert [request.headers.get("range") for request in site.server.asked(blob_path(bad))] == [
        f"bytes={len(bad) // 2}-"
    ]
    assert pulled.bytes == sum(map(len, site.layers))


def test_wrong_bytes_and_then_a_cut(engine: Engine, site: Site, app: str, mirror: Site) -> None:
    """The wrong half is continued by the registry, found out, and the layer is read again as a whole."""
    bad = mirror.layers[0]
    mirror.route(blob_path(bad), Reply(body=bytes(len(bad) // 2), length=len(bad)))
    assert_whole(engine, pull(engine, app, mirrors=mirrors(site, mirror)).record)


def test_the_next_mirror_comes_before_the_registry(
    engine: Engine, site: Site, app: str, mirror: Site
) -> None:
    with Server("127.0.0.3") as server:
        second = Site(server)
        for layer in mirror.layers:
            mirror.route(blob_path(layer), other_bytes(layer))
        pulled = pull(engine, app, mirrors=mirrors(site, mirror, second))
    assert_whole(engine, pulled.record)
    assert site.server.requests == []


def test_a_mirror_that_sends_no_manifest(engine: Engine, site: Site, app: str, mirror: Site) -> None:
    """A cache's login page, with status 200."""
    mirror.route(
        manifest_path("1"), Reply(headers={"Content-Type": "text/html"}, body=b"<html>sign in</html>")
    )
    assert_whole(engine, pull(engine, app, mirrors=mirrors(site, mirror)).record)
    assert site.server.asked(manifest_path("1"))


def test_when_the_registry_lies_too(engine: Engine, site: Site, app: str, mirror: Site) -> None:
    for place in (mirror, site):
        place.route(blob_path(place.layers[0]), other_bytes(place.layers[0]))
    with pytest.raises(IntegrityError, match="digest"):
        pull(engine, app, mirrors=mirrors(site, mirror))
    assert find(engine, app) is None


def test_a_repair_passes_a_bad_mirror_over(engine: Engine, site: Site, app: str, mirror: Site) -> None:
    record = pull(engine, app).record
    bad = mirror.layers[0]
    mirror.route(blob_path(bad), other_bytes(bad))
    BlobStore(engine.paths).remove(digest(bad))
    os.unlink(os.path.join(engine.paths.layers, record.directories[0], "diff", "etc", "motd"))
    repaired = repair_image(engine, record, IMPATIENT._replace(mirrors=mirrors(site, mirror)))
    assert_whole(engine, repaired.record)
    assert repaired.bytes > 0
    assert "was passed over" in repaired.warnings[0]
