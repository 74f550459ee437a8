# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether an image has to be pulled, under each policy, and what that costs the registry."""

from __future__ import annotations

import os

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    InvalidInput,
    NotFound,
    RegistryError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.resolve_image import (
    POLICIES,
    ResolvedImage,
    resolve_image,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.tag_image import tag_image
from ansible_collections.coracle.engine.tests.integration.image.images import IMPATIENT, pull
from ansible_collections.coracle.engine.tests.integration.registry.hostile import Reply, Site, digest

ASKING = ("always", "newer")


def resolve(engine: Engine, name: str, pull: str, platform: str | None = None) -> ResolvedImage:
    return resolve_image(engine, name, pull, IMPATIENT, platform)


def methods(site: Site) -> list[str]:
    return [request.method for request in site.server.requests if "/manifests/" in request.path]


def move(site: Site) -> None:
    site.config["config"]["Cmd"] = ["/bin/false"]
    site.publish()
    announce(site)


def announce(site: Site) -> None:
    """Answer a HEAD request as registries do, with the digest of what the tag leads to."""
    reply = site.server.routes["/v2/app/manifests/1"]
    assert isinstance(reply, Reply)
    headers = {**reply.headers, "Docker-Content-Digest": digest(reply.body)}
    site.change("/v2/app/manifests/1", headers=headers)


@pytest.fixture(autouse=True)
def _digests_are_announced(site: Site) -> None:
    announce(site)


@pytest.mark.parametrize("policy", ["missing", "always", "newer"])
def test_what_is_not_here_is_pulled_and_the_registry_asked_once(
    engine: Engine, site: Site, app: str, policy: str
) -> None:
    found = resolve(engine, app, policy)
    assert (found.must_pull, found.record, found.reason) == (True, None, "it is not here")
    assert found.digest is not None
    assert methods(site) == ["HEAD"]
    assert not os.path.exists(engine.paths.root)


def test_never_asks_nobody(engine: Engine, site: Site, app: str) -> None:
    assert resolve(engine, app, "never") == ResolvedImage(parse_reference(app), None)
    record = pull(engine, app).record
    site.server.requests.clear()
    move(site)
    assert resolve(engine, app, "never").record == record
    assert site.server.requests == []


def test_missing_is_content_with_what_is_here(engine: Engine, site: Site, app: str) -> None:
    record = pull(engine, app).record
    site.server.requests.clear()
    move(site)
    found = resolve(engine, app, "missing")
    assert (found.must_pull, found.record) == (False, record)
    assert site.server.requests == []


@pytest.mark.parametrize("policy", ASKING)
def test_a_tag_that_stayed_is_not_pulled(engine: Engine, site: Site, app: str, policy: str) -> None:
    record = pull(engine, app).record
    site.server.requests.clear()
    found = resolve(engine, app, policy)
    assert (found.must_pull, found.record) == (False, record)
    assert methods(site) == ["HEAD"]


@pytest.mark.parametrize("policy", ASKING)
def test_a_tag_that_moved_is_pulled(engine: Engine, site: Site, app: str, policy: str) -> None:
    record = pull(engine, app).record
    move(site)
    found = resolve(engine, app, policy)
    assert found.must_pull
    assert found.record == record
    assert found.reason.startswith(f"{app} is now sha256:")
    pull(engine, app)
    assert not resolve(engine, app, policy).must_pull


@pytest.mark.parametrize("policy", POLICIES)
def test_a_digest_cannot_move(engine: Engine, site: Site, app: str, policy: str) -> None:
    record = pull(engine, app).record
    pinned = f"{app.rpartition(':')[0]}@{record.manifest_digest}"
    site.server.requests.clear()
    assert resolve(engine, pinned, policy).record == record
    assert resolve(engine, record.id, policy).record == record
    assert site.server.requests == []


def test_a_name_given_by_hand_is_compared_by_the_manifest(engine: Engine, site: Site, app: str) -> None:
    record = pull(engine, app).record
    other = f"{site.server.host}/app:other"
    tag_image(engine, record.id, parse_reference(other))
    site.route("/v2/app/manifests/other", site.server.routes[f"/v2/app/manifests/{record.manifest_digest}"])
    assert not resolve(engine, other, "always").must_pull
    site.route("/v2/app/manifests/other", site.server.routes["/v2/app/manifests/1"])
    assert resolve(engine, other, "always").must_pull


@pytest.mark.parametrize("policy", POLICIES)
def test_another_platform_is_something_else(engine: Engine, site: Site, app: str, policy: str) -> None:
    record = pull(engine, app).record
    assert resolve(engine, app, policy, "linux/amd64").record == record
    found = resolve(engine, app, policy, "linux/s390x")
    if policy == "never":
        assert (found.must_pull, found.record) == (False, None)
    else:
        assert found.must_pull
        assert found.reason == "what is here is for linux/amd64, wanted is linux/s390x"


def test_newer_makes_do_while_the_registry_is_down(engine: Engine, site: Site, app: str) -> None:
    record = pull(engine, app).record
    site.server.__exit__()
    found = resolve(engine, app, "newer")
    assert (found.must_pull, found.record) == (False, record)
    assert found.warning.startswith(f"what is here of {app} is used: look for {app}: ")
    with pytest.raises(RegistryError):
        resolve(engine, app, "always")
    with pytest.raises(RegistryError):
        resolve(engine, app.replace("app:1", "app:2"), "newer")


@pytest.mark.parametrize("policy", ["missing", "always", "newer"])
def test_a_tag_that_does_not_exist_is_an_error(engine: Engine, site: Site, app: str, policy: str) -> None:
    with pytest.raises(CoracleError, match=r"^look for .*app:9.*: "):
        resolve(engine, app.replace("app:1", "app:9"), policy)


def test_an_id_has_to_be_here(engine: Engine) -> None:
    with pytest.raises(NotFound, match="no image with the id"):
        resolve(engine, "a" * 64, "missing")


@pytest.mark.parametrize("name", ["", "UPPER", "a b", "../x", "nginx:" + "t" * 200, "x@sha256:12"])
def test_bad_names_are_refused_before_anything(engine: Engine, name: str) -> None:
    with pytest.raises(InvalidInput):
        resolve(engine, name, "missing")
