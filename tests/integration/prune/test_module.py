# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The module container_prune, as users run it: what goes, what stays, and the same in check mode."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import (
    find_container,
    list_containers,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import list_images
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.options import NetworkOptions
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_network import (
    create_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_volume import (
    create_volume,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.pull_image import pull_image
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.stop_container import (
    stop_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.tag_image import tag_image
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.options import RegistryOptions
from ansible_collections.coracle.engine.tests.integration.image.images import NOTHING, stored
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target, Task


def prune(target: Target, check: bool = False, diff: bool = False, **options: t.Any) -> Task:
    return target._task("coracle.engine.container_prune", check, diff, options)


def check_do_again(target: Target, **options: t.Any) -> Result:
    """check → do → again → again in check: the first two say the same, all of it, and the others nothing."""
    planned, done, again, again_planned = target.run(
        prune(target, check=True, diff=True, **options),
        prune(target, diff=True, **options),
        prune(target, **options),
        prune(target, check=True, **options),
    )
    assert [result.get("msg") for result in (planned, done, again, again_planned)] == [None] * 4
    for result in (planned, done):
        result.pop("invocation", None)  # newer Ansible keeps it to itself
    assert planned == done
    assert done["changed"] is True
    assert again["changed"] is again_planned["changed"] is False
    assert again["space_reclaimed"] == again_planned["space_reclaimed"] == 0
    return done


def names(target: Target) -> list[str]:
    with Engine(target.paths) as engine:
        return sorted(record.name for record in list_containers(engine.records))


def identity(target: Target, name: str) -> str:
    with Engine(target.paths) as engine:
        found = find_container(engine.records, name)
        assert found is not None
        return found.id


def stop(target: Target, name: str) -> None:
    with Engine(target.paths) as engine:
        stop_container(engine, name, timeout=0)


@pytest.mark.smoke
def test_containers_that_do_not_run(target: Target) -> None:
    target.make(name="up")
    target.make(name="created", state="present")
    target.make(name="done", command=["/bin/dd", "if=/dev/zero", "of=/written", "bs=1k", "count=100"])
    target.make(name="labelled", state="present", labels={"keep.it": "yes"})
    target.make(name="mine", state="present", labels={"coracle.project": "shop"})
    stop(target, "done")
    ids = [identity(target, name) for name in ("created", "done")]
    result = check_do_again(target, containers=True, containers_filters={"label!": "keep.it"})
    assert sorted(result["containers"]) == sorted(ids)
    assert result["actions"] == [
        "remove container created: it is created",
        "remove container done: it is exited",
    ]
    assert result["containers_space_reclaimed"] == result["space_reclaimed"] >= 102400
    assert result["diff"]["after"] == {"container created": None, "container done": None}
    assert names(target) == ["labelled", "mine", "up"]
    [kept] = target.run(prune(target, containers=True, keep=["lab*"], containers_filters={"until": "0s"}))
    assert kept["changed"] is False
    assert kept["containers"] == []
    check_do_again(target, containers=True, projects=True)
    assert names(target) == ["up"]
    target.remove("up")


def test_filters_by_age_and_label(target: Target) -> None:
    target.make(name="a", state="present", labels={"tier": "web"})
    target.make(name="b", state="present", labels={"tier": "db"})
    young, wrong, right = target.run(
        prune(target, containers=True, containers_filters={"until": "1h"}),
        prune(target, containers=True, containers_filters={"label": ["tier=web", "other"]}),
        prune(target, containers=True, containers_filters={"label": ["tier=web", "tier"], "until": "0s"}),
    )
    assert (young["changed"], wrong["changed"], right["changed"]) == (False, False, True)
    assert names(target) == ["b"]
    target.remove("b")


def test_volumes_and_networks(target: Target) -> None:
    with Engine(target.paths) as engine:
        create_volume(engine, "named", {"backup": "daily"}, {})
        create_network(engine, "empty", NetworkOptions())
    target.make(name="old", state="present", volumes=["/nameless", "used:/data"])
    [nameless] = [name for name in os.listdir(target.paths.volumes) if len(name) == 64]
    pathlib.Path(target.paths.volumes, nameless, "_data", "file").write_bytes(b"x" * 1000)
    pathlib.Path(target.paths.volumes, "named", "_data", "file").write_bytes(b"x" * 500)
    [used] = target.run(prune(target, volumes=True, volumes_filters={"all": "true"}, keep=["named"]))
    assert used["volumes"] == []
    together = check_do_again(target, containers=True, volumes=True, networks=True)
    assert together["volumes"] == [nameless]
    assert together["volumes_space_reclaimed"] == 1000
    assert together["networks"] == ["empty"]
    kept = check_do_again(target, volumes=True, volumes_filters={"all": True, "label!": ["backup=daily"]})
    assert kept["volumes"] == ["used"]
    last = check_do_again(target, volumes=True, volumes_filters={"all": True})
    assert (last["volumes"], last["volumes_space_reclaimed"]) == (["named"], 500)


def test_images_share_and_are_counted_once(target: Target) -> None:
    second = target.image.replace(":1", ":2")
    with Engine(target.paths) as engine:
        options = RegistryOptions(insecure_registries=(target.registry,))
        pull_image(engine, parse_reference(second), options)
        tag_image(engine, parse_reference(second), parse_reference("mine:current"))
    target.make(name="user", state="present")
    [nothing] = target.run(prune(target, images=True))
    assert nothing["changed"] is False
    before = used(target)
    result = check_do_again(target, images=True, images_filters={"dangling": False})
    assert [entry for entry in result["images"] if "Untagged" in entry] == [
        {"Untagged": second},
        {"Untagged": "mine:current"},
    ]
    assert result["images_space_reclaimed"] == before - used(target) > 0
    with Engine(target.paths) as engine:
        assert len(list_images(engine.records.read())) == 1
    before = used(target)
    everything = check_do_again(target, everything=True, images_filters={"dangling": False})
    assert everything["images_space_reclaimed"] == before == everything["space_reclaimed"]
    assert stored(target.paths) == NOTHING
    assert everything["builder_cache_space_reclaimed"] == 0
    assert everything["builder_cache_caches_deleted"] == []


def used(target: Target) -> int:
    """Bytes of files that layers and blobs take, their own records aside."""
    total = 0
    for top in (target.paths.layers, target.paths.blobs):
        for directory, _names, files in os.walk(top):
            paths = [os.path.join(directory, name) for name in files if name != "layer.json"]
            total += sum(os.lstat(path).st_size for path in paths if not os.path.islink(path))
    return total


def test_the_newest_of_each_repository_stay(target: Target) -> None:
    second = target.image.replace(":1", ":2")
    with Engine(target.paths) as engine:
        options = RegistryOptions(insecure_registries=(target.registry,))
        pull_image(engine, parse_reference(second), options)
        tag_image(engine, parse_reference(target.image), parse_reference("nginx:old"))
        newest = list_images(engine.records.read())[0].id
    kept, kept_by_name, gone = target.run(
        prune(target, images=True, keep_last=2),
        prune(target, images=True, keep_last=1, keep=["nginx"], check=True),
        prune(target, images=True, keep_last=1, check=True),
    )
    assert (
        kept["changed"] is kept_by_name["changed"] is gone["changed"] is False
    )  # nginx:old is the newest nginx
    with Engine(target.paths) as engine, engine.database.transaction() as transaction:
        transaction.execute("DELETE FROM image_names WHERE name LIKE '%nginx%'")
    result = check_do_again(target, images=True, keep_last=1)
    assert len(result["images"]) == 2
    with Engine(target.paths) as engine:
        assert [image.id for image in list_images(engine.records.read())] == [newest]


def test_logs(target: Target) -> None:
    target.make(name="up")
    target.make(name="down", state="present")
    for name in ("up", "down"):
        directory = pathlib.Path(target.paths.container(identity(target, name)))
        directory.mkdir(exist_ok=True)
        for suffix, size in (("", 10), (".1", 200), (".2", 3000)):
            (directory / f"ctr.log{suffix}").write_bytes(b"x" * size)
    [young] = target.run(prune(target, logs=True, logs_filters={"until": "1h"}))
    assert young["changed"] is False
    result = check_do_again(target, logs=True)
    assert (result["logs"], result["logs_space_reclaimed"]) == (["down"], 3200)
    result = check_do_again(target, logs=True, truncate_logs=True)
    assert (sorted(result["logs"]), result["logs_space_reclaimed"]) == (["down", "up"], 3210)
    assert result["diff"]["before"]["log of container down"] == "10 bytes more"
    target.remove("up")
    target.remove("down")


BAD: list[tuple[dict[str, t.Any], str]] = [
    ({"containers_filters": {"until": "1h"}}, "containers_filters is given, but containers are not to be"),
    ({"containers": True, "containers_filters": {"dangling": True}}, "there is no filter 'dangling'"),
    ({"images": True, "images_filters": {"until": "soon"}}, "images_filters: until: 'soon' is not a time"),
    ({"images": True, "images_filters": {"dangling": "perhaps"}}, "is neither true nor false"),
    ({"images": True, "keep_last": -1}, "keep_last is less than 0"),
    ({"keep_last": 1}, "images are not to be pruned"),
    ({"truncate_logs": True}, "logs are not to be pruned"),
]


def test_bad_input_and_a_bare_host(bare_target: Target) -> None:
    *results, nothing = bare_target.run(
        *(prune(bare_target, **options) for options, _message in BAD), prune(bare_target, everything=True)
    )
    for result, (_options, message) in zip(results, BAD):
        assert message in result["msg"]
    assert nothing["changed"] is False
    assert not os.path.exists(bare_target.paths.root)
