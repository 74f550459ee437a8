# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.content import garbage, images
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.blobs import BlobStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import (
    ImageName,
    ImageRecord,
    LayerReference,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.inspect import inspect_image
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import StateError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.state.database import Database


def digest(letter):
    return "sha256:" + letter * 64


def image(letter, **changes):
    config = ImageConfig(
        architecture="amd64", created="2024-01-02T03:04:05Z", cmd=["sh"], env=["A=b"], diff_ids=[digest("d")]
    )
    record = ImageRecord(
        id=digest(letter),
        manifest_digest=digest("e"),
        media_type="application/vnd.oci.image.manifest.v1+json",
        config=config.to_json(),
        layers=(LayerReference(digest("d"), digest("b"), "application/vnd.oci.image.layer.v1.tar+gzip", 5),),
        directories=("d" * 64,),
        parents_layer=None,
        size=17,
        created=config.created,
    )
    return record._replace(**changes)


@pytest.fixture
def database(tmp_path):
    paths = Paths(str(tmp_path), str(tmp_path / "run"))
    database = Database.open(paths)
    yield database
    database.close()


def save(database, record, *names):
    with database.transaction() as transaction:
        images.save_image(transaction, record)
        for name, top in names:
            images.save_name(transaction, ImageName(name, record.id, top))


def find(database, text):
    return images.find_image(database, parse_reference(text))


def test_a_record_comes_back_as_it_was_saved(database):
    record = image("a", parents_layer="9" * 64)
    save(database, record)
    assert images.find_image(database, record.id) == record
    assert images.find_image(database, "a" * 64) == record
    assert record.mounted_directories == ("d" * 64, "9" * 64)
    assert record.image_config.cmd == ["sh"]


def test_an_image_is_found_by_full_id_only(database):
    save(database, image("a"))
    assert images.find_image(database, "a" * 12) is None
    assert images.find_image(database, digest("f")) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nginx", False),
        ("nginx:1.2", True),
        ("docker.io/library/nginx:1.2", True),
        ("example.org/nginx:1.2", False),
        ("nginx@" + digest("1"), True),  # the index that the tag led to
        ("nginx@" + digest("e"), True),  # the manifest itself
        ("nginx:other@" + digest("e"), True),  # the digest decides
        ("nginx@" + digest("2"), False),
        ("ngin@" + digest("e"), False),
        ("other/nginx@" + digest("e"), False),
    ],
)
def test_which_references_find_an_image(database, text, found):
    save(database, image("a"), ("docker.io/library/nginx:1.2", digest("1")))
    assert (find(database, text) is not None) == found


def test_a_registry_port_is_not_a_tag(database):
    save(database, image("a"), ("localhost:5000/app:1", digest("1")))
    assert find(database, "localhost:5000/app@" + digest("1")) is not None
    rows = database.read()
    assert images.names_of(rows, digest("a"))[0].repository_name == "localhost:5000/app"


def test_a_name_moves_and_goes(database):
    save(database, image("a"), ("docker.io/library/x:1", digest("1")))
    save(database, image("b"), ("docker.io/library/x:1", digest("2")))
    rows = database.read()
    assert images.names_of(rows, digest("a")) == []
    assert images.names_of(rows, digest("b")) == [
        ImageName("docker.io/library/x:1", digest("b"), digest("2"))
    ]
    assert images.names_for(rows, parse_reference("x:1"))[0].manifest_digest == digest("2")
    with database.transaction() as transaction:
        images.delete_name(transaction, "docker.io/library/x:1")
    assert find(database, "x:1") is None
    assert images.find_image(database, digest("b")) is not None


def test_an_image_goes_with_all_its_names(database):
    save(database, image("a"), ("docker.io/library/x:1", None), ("docker.io/library/x:2", None))
    with database.transaction() as transaction:
        images.delete_image(transaction, digest("a"))
    rows = database.read()
    assert images.list_images(rows) == []
    assert rows.all("SELECT * FROM image_names") == []


def test_images_are_listed_newest_first(database):
    save(database, image("a", created="2020-01-01T00:00:00Z"))
    save(database, image("b", created="2024-01-01T00:00:00Z"))
    rows = database.read()
    assert [record.id for record in images.list_images(rows)] == [digest("b"), digest("a")]


def test_the_containers_of_an_image_are_named(database):
    save(database, image("a"))
    with database.transaction() as transaction:
        for container_id, name in (("1", "web"), ("2", "api")):
            transaction.execute(
                "INSERT INTO containers (id, name, image_id, config, state, created)"
                " VALUES (?, ?, ?, '', '', '')",
                (container_id, name, digest("a")),
            )
    rows = database.read()
    assert list(images.users_of(rows, digest("a")).items()) == [("2", "api"), ("1", "web")]
    assert images.users_of(rows, digest("b")) == {}
    save(database, image("b"))
    with database.transaction() as transaction:
        transaction.execute("INSERT INTO image_uses (image_id, container_id) VALUES (?, '1')", (digest("b"),))
    assert images.users_of(database.read(), digest("b")) == {"1": "web"}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"id": 1, "layers": 2}', '{"layers": [1]}'])
def test_a_damaged_record_is_reported_and_stops_the_garbage_collection(database, text):
    save(database, image("a"))
    with database.transaction() as transaction:
        transaction.execute("UPDATE images SET record = ?", (text,))
    with pytest.raises(StateError, match=f"image {digest('a')} .* damaged"):
        images.find_image(database, digest("a"))
    with pytest.raises(StateError):
        garbage.mark(database.read())


def test_keys_of_a_newer_engine_are_ignored():
    record = image("a")
    newer = {**record.to_json(), "novelty": 1}
    newer["layers"] = [[*layer, "novelty"] for layer in newer["layers"]]
    assert ImageRecord.from_json(newer) == record


def test_inspect_has_docker_s_shape(database):
    names = [
        ImageName("docker.io/library/x:1", digest("a"), digest("1")),
        ImageName("docker.io/library/x@" + digest("1"), digest("a"), digest("1")),
        ImageName("localhost:5000/y:2", digest("a"), None),
    ]
    shown = inspect_image(image("a"), names)
    assert shown["Id"] == digest("a")
    assert shown["RepoTags"] == ["x:1", "localhost:5000/y:2"]
    assert shown["RepoDigests"] == ["x@" + digest("1")]
    assert shown["Config"]["Cmd"] == ["sh"]
    assert shown["Config"]["Volumes"] == {}
    assert "Healthcheck" not in shown["Config"]
    assert shown["RootFS"] == {"Type": "layers", "Layers": [digest("d")]}
    assert (shown["Size"], shown["Os"], shown["Architecture"]) == (17, "linux", "amd64")


def test_everything_an_image_refers_to_is_needed_and_nothing_else(database, tmp_path):
    store = BlobStore(Paths(str(tmp_path), str(tmp_path / "run")))
    config, manifest, layer, stray = map(store.put, (b"config", b"manifest", b"layer", b"stray"))
    record = image("a", id=config, manifest_digest=manifest, parents_layer="9" * 64)
    save(database, record._replace(layers=(record.layers[0]._replace(digest=layer),)))
    rows = database.read()
    needed = garbage.mark(rows)
    assert needed.blobs == {config, manifest, layer}
    assert needed.directories == {"d" * 64, "9" * 64}
    store.ingest(digest("7"), 9).close()
    assert garbage.sweep_blobs(store, needed) == len(b"stray")
    assert set(store.digests()) == {config, manifest, layer}
    assert not store.has(stray)
