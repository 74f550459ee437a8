# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Names and images that go, and what they leave: nothing, or what somebody else needs."""

from __future__ import annotations

import os

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.blobs import BlobStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    StateError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.collect_garbage import (
    collect_garbage,
    measure_garbage,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_image import (
    Removed,
    remove_image,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.tag_image import tag_image
from ansible_collections.coracle.engine.tests.integration.image.images import (
    NOTHING,
    assert_whole,
    find,
    names,
    pull,
    stored,
)
from ansible_collections.coracle.engine.tests.integration.registry.hostile import Site, digest


def remove(engine: Engine, name: str, force: bool = False) -> Removed:
    return remove_image(engine, parse_reference(name), force)


def add_container(engine: Engine, image_id: str, name: str = "web") -> None:
    with engine.database.transaction() as transaction:
        transaction.execute(
            "INSERT INTO containers (id, name, image_id, config, state, created)"
            " VALUES (?, ?, ?, '', '', '')",
            (digest(name.encode())[7:], name, image_id),
        )


def drop_containers(engine: Engine) -> None:
    with engine.database.transaction() as transaction:
        transaction.execute("DELETE FROM containers")


def test_with_its_last_name_an_image_goes_entirely(engine: Engine, site: Site, app: str) -> None:
    record = pull(engine, app).record
    removed = remove(engine, app)
    assert (removed.names, removed.image_id, removed.warning) == ((app,), record.id, "")
    assert removed.freed >= record.size
    assert stored(engine.paths) == NOTHING
    assert remove(engine, app) == Removed((), None)


def test_a_name_among_others_is_all_that_goes(engine: Engine, app: str) -> None:
    record = pull(engine, app).record
    tag_image(engine, parse_reference(app), parse_reference("web:current"))
    assert remove(engine, "web:current") == Removed(("docker.io/library/web:current",), None)
    assert names(engine, record) == [app]
    assert_whole(engine, record)


def test_a_digest_takes_all_names_of_its_repository(engine: Engine, site: Site, app: str) -> None:
    record = pull(engine, app).record
    pull(engine, f"{app}@{record.manifest_digest}")
    tag_image(engine, record.id, parse_reference("web:current"))
    assert len(names(engine, record)) == 3
    removed = remove(engine, f"{app.rpartition(':')[0]}@{record.manifest_digest}")
    assert len(removed.names) == 2
    assert names(engine, record) == ["docker.io/library/web:current"]


def test_an_id_takes_all_names_of_one_repository_but_not_of_several(engine: Engine, app: str) -> None:
    record = pull(engine, app).record
    tag_image(engine, record.id, parse_reference("web:current"))
    with pytest.raises(
        Conflict, match=r"names in several repositories: .*web:current.*\(remove it by these names"
    ):
        remove_image(engine, record.id)
    assert len(names(engine, record)) == 2
    assert len(remove_image(engine, record.id, force=True).names) == 2
    assert stored(engine.paths) == NOTHING


def test_layers_and_blobs_of_another_image_stay(engine: Engine, site: Site, app: str) -> None:
    old = pull(engine, app).record
    site.config["config"]["Cmd"] = ["/bin/false"]
    site.publish()
    new = pull(engine, app).record
    assert remove_image(engine, old.id).image_id == old.id
    assert_whole(engine, new)
    assert not BlobStore(engine.paths).has(old.id)
    assert len(stored(engine.paths)["blobs"]) == 4


def test_an_image_in_use_stays_and_says_for_whom(engine: Engine, app: str) -> None:
    record = pull(engine, app).record
    add_container(engine, record.id, "web")
    add_container(engine, record.id, "api")
    for wanted in (parse_reference(app), record.id):
        with pytest.raises(
            Conflict, match=r"is used by containers api and web \(remove the containers first"
        ):
            remove_image(engine, wanted)
    assert names(engine, record) == [app]
    assert_whole(engine, record)


def test_force_takes_the_names_and_the_containers_keep_the_image(engine: Engine, app: str) -> None:
    record = pull(engine, app).record
    add_container(engine, record.id)
    assert remove(engine, app, force=True) == Removed((app,), None)
    assert find(engine, app) is None
    assert remove_image(engine, record.id, force=True) == Removed((), None)
    assert_whole(engine, record)
    drop_containers(engine)
    assert remove_image(engine, record.id).image_id == record.id
    assert stored(engine.paths) == NOTHING


def test_a_damaged_record_can_be_removed_by_id(engine: Engine, app: str) -> None:
    record = pull(engine, app).record
    with engine.database.transaction() as transaction:
        transaction.execute("UPDATE images SET record = '{'")
    with pytest.raises(StateError, match="remove the image by its id"):
        find(engine, app)
    with pytest.raises(StateError):
        collect_garbage(engine)
    remove_image(engine, record.id)
    assert stored(engine.paths) == NOTHING


def test_a_damaged_record_of_another_image_only_keeps_the_space(engine: Engine, site: Site, app: str) -> None:
    pull(engine, app)
    with engine.database.transaction() as transaction:
        transaction.execute(
            "INSERT INTO images (id, manifest_digest, record, created) VALUES (?, '', '{', '')",
            (digest(b"bad"),),
        )
    assert measure_garbage(engine, [find(engine, app).id]) == 0
    removed = remove(engine, app)
    assert f"space was not freed: the record of image {digest(b'bad')}" in removed.warning
    assert find(engine, app) is None
    remove_image(engine, digest(b"bad"))
    assert stored(engine.paths) == NOTHING


def test_what_would_be_freed_is_what_is_freed(engine: Engine, site: Site, app: str) -> None:
    """With a layer that stays, a stray blob, and downloads of which one is under way."""
    old = pull(engine, app).record
    site.config["config"]["Cmd"] = ["/bin/false"]
    site.publish()
    new = pull(engine, app).record
    blobs = BlobStore(engine.paths)
    blobs.put(b"nobody's")
    with blobs.ingest(digest(b"left"), 5) as left:
        left.write(b"le")
    with blobs.ingest(digest(b"under way"), 9) as ingest:
        ingest.write(b"under")
        for image in (old, new):
            expected = measure_garbage(engine, [image.id])
            assert remove_image(engine, image.id).freed == expected > 0
        ingest.discard()
    assert measure_garbage(engine, [old.id]) == 0
    assert stored(engine.paths) == NOTHING


def test_interrupted_downloads_go_with_the_garbage(engine: Engine, app: str) -> None:
    pull(engine, app)
    with BlobStore(engine.paths).ingest(digest(b"later"), 5) as ingest:
        ingest.write(b"la")
    os.makedirs(os.path.join(engine.paths.staging, "a" * 64 + ".0", "diff"))
    assert collect_garbage(engine) == 2
    assert stored(engine.paths)["ingest"] == stored(engine.paths)["staging"] == []


def test_tags_lead_where_they_are_told(engine: Engine, site: Site, app: str) -> None:
    old = pull(engine, app).record
    tag_image(engine, parse_reference(app), parse_reference("web:current"))
    site.config["config"]["Cmd"] = ["/bin/false"]
    site.publish()
    new = pull(engine, app).record
    assert find(engine, "web:current") == old
    tag_image(engine, new.id, parse_reference("web:current"))
    assert find(engine, "web:current") == new
    with pytest.raises(InvalidInput, match="give a tag"):
        tag_image(engine, new.id, parse_reference(f"web@{new.manifest_digest}"))
    with pytest.raises(NotFound, match="the image is gone"):
        tag_image(engine, parse_reference("nothing"), parse_reference("web:x"))
